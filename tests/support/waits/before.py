"""Tasks that wait for others of their instance, for another instance, or for a time."""

from __future__ import annotations

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed
from qflowd.model.states import TaskKind, TaskState
from tests.support.lab import FAILED, Lab
from tests.support.waits.base import AT, LATER, chain, mapped, nesting, single, undoing, waiting, way


@way(TaskKind.TASK, TaskState.PENDING, task="waits for tasks before it: a")
def after_a_task(lab: Lab) -> int:
    return chain(lab)


@way(TaskKind.TASK, TaskState.PENDING, task="waits for tasks before it: b, c")
def after_those_that_have_not_ended(lab: Lab) -> int:
    lab.workflow("join", {"a": [], "b": [], "c": [], "all": ["a", "b", "c"]})
    number = lab.start("join")
    lab.ends(row for row in lab.claim() if lab.key(row.id) == "a")
    return number


@way(TaskKind.TASK, TaskState.PENDING, task="waits for tasks before it: t0 and 5 more")
def after_many_tasks(lab: Lab) -> int:
    many = [f"t{i}" for i in range(6)]
    lab.workflow("join", {key: [] for key in many} | {"all": many})
    return lab.start("join")


@way(TaskKind.TASK, TaskState.PENDING, task="waits for tasks before it: 1")
def after_a_task_of_a_version_that_was_stored_before_edges_were(lab: Lab) -> int:
    number = chain(lab)
    lab.sql("DELETE FROM qflow.workflow_edge")
    return number


@way(TaskKind.HEAD, TaskState.PENDING, task="waits for tasks before it: a")
def a_map_after_a_task(lab: Lab) -> int:
    return mapped(lab, ["a"])


@way(TaskKind.HEAD, TaskState.PENDING, task="waits for its items: 2")
def a_map_after_its_items(lab: Lab) -> int:
    number = mapped(lab)
    lab.claim()
    return number


@way(TaskKind.COMPENSATION, TaskState.PENDING, task="waits for compensations before it: c")
def a_compensation_after_another(lab: Lab) -> int:
    return undoing(lab)


@way(TaskKind.TASK, TaskState.PENDING, task=f"waits until {AT}", instance=f"waits until {AT}")
def until_run_at(lab: Lab) -> int:
    lab.workflow("one", {"a": []})
    return lab.start("one", run_at=LATER)


@way(TaskKind.HEAD, TaskState.PENDING, task=f"waits until {AT}", instance=f"waits until {AT}")
def a_map_until_run_at(lab: Lab) -> int:
    lab.workflow("mapped", {"bars": []}, {"bars": {"map": [1, 2]}})
    return lab.start("mapped", run_at=LATER)


@way(
    TaskKind.TASK,
    TaskState.PENDING,
    task="waits until *: the vendor has not published",
    instance="waits until *: the vendor has not published",
)
def until_it_looks_again(lab: Lab) -> int:
    number = single(lab)
    [row] = lab.claim()
    rearmed = Rearmed(row.id, row.fence, row.attempt, 0, LATER, "the vendor has not published")
    lab.finish(batch=Batch(rearmed=[rearmed]))
    return number


@way(TaskKind.COMPENSATION, TaskState.PENDING, task=f"waits until {AT}", instance=f"waits until {AT}")
def a_compensation_until_its_retry(lab: Lab) -> int:
    number = undoing(lab)
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, row.attempt + 1, 1, LATER)]))
    return number


@way(TaskKind.TASK, TaskState.PENDING, task="no daemon is running", instance="no daemon is running")
def until_a_time_that_has_come_while_nobody_looks(lab: Lab) -> int:
    number = single(lab)
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[lab.rearmed(row, 1)]))
    return number


THREE = {"bars": [], "factors": {"bars": "each"}}


@way(TaskKind.TASK, TaskState.PENDING, task="waits for the same item of a map before it: bars[0]")
def an_item_after_the_same_item(lab: Lab) -> int:
    lab.workflow("each", THREE, {"bars": {"map": [1, 2]}})
    number = lab.start("each")
    lab.claim()
    return number


@way(TaskKind.TASK, TaskState.PENDING, task="waits for a place: max_parallel of its map")
def an_item_that_is_retried_after_others_of_its_map(lab: Lab) -> int:
    lab.workflow("each", THREE, {"bars": {"map": [0, 1, 2, 3], "max_parallel": 2}})
    number = lab.start("each")
    lab.run({f"bars[{i}]": FAILED for i in range(4)})
    lab.command("retry", number)
    return number


@way(TaskKind.CHILD, TaskState.PENDING, task="waits for tasks before it: a")
def a_child_after_a_task(lab: Lab) -> int:
    return nesting(lab, ["a"])


@way(TaskKind.WAIT, TaskState.PENDING, task="waits for signal loaded since *")
def a_wait_for_a_signal(lab: Lab) -> int:
    number = waiting(lab)
    lab.waits.tick()
    return number


CHILD = "waits for instance * of workflow load_market, which is RUNNING"


@way(TaskKind.CHILD, TaskState.PENDING, task=CHILD, instance=CHILD)
def a_child_after_its_instance(lab: Lab) -> int:
    number = nesting(lab)
    lab.children.tick()
    lab.admit.tick()
    return number
