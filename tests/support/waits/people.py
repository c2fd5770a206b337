"""Tasks that people keep, tasks of lost daemons, and instances that wait as a whole."""

from __future__ import annotations

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed
from qflowd.model.instants import FOREVER
from qflowd.model.states import Reason, TaskKind, TaskState
from qflowd.model.workflow import Job
from tests.support.lab import FAILED, Lab
from tests.support.waits.base import NOBODY, alive, chain, lost, mapped, nesting, single, undoing, waiting, way


@way(
    TaskKind.TASK,
    TaskState.HELD,
    task="the instance is paused by ada",
    instance="paused by ada since *: restated prices",
)
def for_the_instance_to_be_resumed(lab: Lab) -> int:
    number = single(lab)
    lab.command("pause", number, requested_by="ada", reason="restated prices")
    lab.sweep_all()
    return number


@way(TaskKind.HEAD, TaskState.HELD, task="the instance is paused", instance="paused since *")
def a_map_for_the_instance_to_be_resumed(lab: Lab) -> int:
    number = mapped(lab)
    lab.command("pause", number)
    lab.sweep_all()
    return number


@way(TaskKind.TASK, TaskState.READY, task="the instance is paused", instance="paused since *")
def for_the_instance_to_be_resumed_before_it_is_swept(lab: Lab) -> int:
    number = single(lab)
    lab.command("pause", number)
    return number


PAUSED = "task a is paused by ada since *: bad ticks"


@way(TaskKind.TASK, TaskState.HELD, task=PAUSED, instance=PAUSED)
def for_the_task_to_be_resumed(lab: Lab) -> int:
    number = single(lab)
    lab.command("pause", number, task="a", requested_by="ada", reason="bad ticks")
    lab.sweep_all()
    return number


@way(TaskKind.TASK, TaskState.PENDING, task="waits for tasks before it: a; task b is paused since *")
def after_a_task_while_it_is_paused(lab: Lab) -> int:
    number = chain(lab)
    lab.command("pause", number, task="b")
    return number


PAUSED_MAP = "waits for its items: 2; task bars is paused by ada since *: bad ticks"


@way(TaskKind.HEAD, TaskState.PENDING, task=PAUSED_MAP)
def a_map_after_its_items_that_is_paused(lab: Lab) -> int:
    number = mapped(lab)
    lab.claim()
    lab.command("pause", number, task="bars", requested_by="ada", reason="bad ticks")
    return number


@way(
    TaskKind.TASK,
    TaskState.HELD,
    task="task a is paused in all instances since *",
    instance="task a is paused in all instances since *",
)
def for_the_task_to_be_resumed_in_all_instances(lab: Lab) -> int:
    number = single(lab)
    lab.command("pause", workflow="one", task="a")
    lab.sweep_all()
    return number


@way(
    TaskKind.TASK,
    TaskState.HELD,
    task="it was paused, and is resumed now",
    instance="it was paused, and is resumed now",
)
def for_the_sweep_after_its_instance_was_resumed(lab: Lab) -> int:
    number = single(lab)
    lab.command("pause", number)
    lab.sweep_all()
    lab.command("resume", number)
    return number


@way(TaskKind.CHILD, TaskState.HELD, task="the instance is paused", instance="paused since *")
def a_child_for_the_instance_to_be_resumed(lab: Lab) -> int:
    number = nesting(lab)
    lab.command("pause", number)
    lab.sweep_all()
    return number


@way(TaskKind.WAIT, TaskState.HELD, task="the instance is paused", instance="paused since *")
def a_wait_for_the_instance_to_be_resumed(lab: Lab) -> int:
    number = waiting(lab)
    lab.command("pause", number)
    lab.sweep_all()
    return number


ANOTHER = "daemon d1 on host h is lost; another one takes its tasks over"


@way(TaskKind.TASK, TaskState.RUNNING, task=NOBODY, instance=NOBODY)
def with_a_daemon_that_is_lost(lab: Lab) -> int:
    alive(lab, "work")
    number = single(lab)
    lab.claim()
    lost(lab)
    return number


@way(TaskKind.TASK, TaskState.RESERVED, task=ANOTHER, instance=ANOTHER)
def with_a_daemon_that_is_lost_while_another_one_lives(lab: Lab) -> int:
    number = with_a_daemon_that_is_lost(lab)
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.RESERVED)}")
    alive(lab, "work", name="d2")
    return number


@way(TaskKind.COMPENSATION, TaskState.RUNNING, task=NOBODY, instance=NOBODY)
def a_compensation_with_a_daemon_that_is_lost(lab: Lab) -> int:
    alive(lab, "work", "undo")
    number = undoing(lab)
    lab.claim()
    lost(lab)
    return number


@way(TaskKind.COMPENSATION, TaskState.RESERVED, task=NOBODY, instance=NOBODY)
def a_reserved_compensation_with_a_daemon_that_is_lost(lab: Lab) -> int:
    number = a_compensation_with_a_daemon_that_is_lost(lab)
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.RESERVED)} WHERE state = {int(TaskState.RUNNING)}")
    return number


@way(TaskKind.HEAD, TaskState.RESERVED, task=NOBODY, instance=NOBODY)
def a_map_with_a_daemon_that_is_lost(lab: Lab) -> int:
    alive(lab, "work")
    number = mapped(lab)
    lab.lane(lab.sql("SELECT lane FROM qflow.task_instance")[0][0])
    lab.store.transact(lab.claim_in, name="claim")
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.RESERVED)}")
    lost(lab)
    return number


@way(instance="held until it is resumed")
def an_instance_that_is_held(lab: Lab) -> int:
    lab.workflow("one", {"a": []})
    return lab.start("one", hold=1)


@way(instance="held by ada until it is resumed")
def an_instance_that_somebody_holds(lab: Lab) -> int:
    lab.workflow("one", {"a": []})
    return lab.start("one", hold=1, submitted_by="ada")


@way(instance="queued behind instance {before} of workflow bars, which is RUNNING")
def an_instance_behind_another(lab: Lab) -> int:
    lab.workflow("bars", {"a": []}, concurrency="sequential")
    lab.start("bars")
    return lab.start("bars")


@way(instance="queued, and its turn comes next")
def an_instance_whose_turn_comes_next(lab: Lab) -> int:
    number = an_instance_behind_another(lab)
    lab.run()
    return number


@way(instance="queued, and the workflow is paused by ada")
def an_instance_whose_workflow_is_paused(lab: Lab) -> int:
    number = an_instance_behind_another(lab)
    lab.command("pause", workflow="bars", requested_by="ada")
    while not lab.commands.tick():
        pass
    lab.command("terminate", number - 1)
    lab.sweep_all()
    return number


@way(instance="is being terminated")
def an_instance_whose_tasks_are_being_stopped(lab: Lab) -> int:
    alive(lab, "work")
    number = single(lab)
    lab.claim()
    lab.command("terminate", number)
    return number


@way(instance="its compensations begin when a daemon has added them")
def an_instance_that_will_be_compensated(lab: Lab) -> int:
    lab.jobs.own = {"work": Job(name="work", module="", file="work.py", hash="h", compensation="work")}
    lab.workflow("loads", {"a": []}, saga=True)
    number = lab.start("loads")
    lab.run({"a": FAILED})
    return number


@way(instance="is being compensated; compensations left: 3")
def an_instance_that_is_being_compensated(lab: Lab) -> int:
    alive(lab, "work", "undo")
    number = undoing(lab)
    lab.claim()
    return number


@way(instance="its compensation failed (undo c), and waits for a person: retry")
def an_instance_of_which_a_compensation_failed(lab: Lab) -> int:
    number = undoing(lab)
    lab.run({"c": FAILED})
    return number


@way(instance="its compensation was stopped, and waits for a person: retry")
def an_instance_that_was_terminated_before_it_was_compensated(lab: Lab) -> int:
    number = an_instance_that_will_be_compensated(lab)
    lab.command("terminate", number)
    lab.sweep_all()
    return number


@way(
    TaskKind.TASK,
    TaskState.PENDING,
    task="failed, and waits for a person: retry, skip or terminate",
    instance="failed tasks that wait for a person: 1",
)
def for_a_person_who_decides_on_its_failure(lab: Lab) -> int:
    alive(lab, "work")
    number = single(lab)
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, row.attempt, int(Reason.ERROR), FOREVER)]))
    return number
