"""Tasks that are ready, and wait for a daemon, a pool, a job or a slot."""

from __future__ import annotations

from qflowd.model.states import TaskKind, TaskState
from tests.support.lab import Lab
from tests.support.waits.base import alive, lost, mapped, nesting, single, undoing, waiting, way


@way(TaskKind.TASK, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def for_any_daemon(lab: Lab) -> int:
    return single(lab)


@way(TaskKind.HEAD, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def a_map_for_any_daemon(lab: Lab) -> int:
    return mapped(lab)


@way(TaskKind.COMPENSATION, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def a_compensation_for_any_daemon(lab: Lab) -> int:
    return undoing(lab)


@way(TaskKind.TASK, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def for_a_daemon_whose_lease_has_run_out(lab: Lab) -> int:
    alive(lab, "work")
    lost(lab)
    return single(lab)


@way(TaskKind.TASK, TaskState.READY, task="no live daemon knows job work", instance="no live daemon knows job work")
def for_its_job(lab: Lab) -> int:
    alive(lab, "other")
    return single(lab)


@way(
    TaskKind.TASK,
    TaskState.READY,
    task="no live daemon knows job work; plugin files with errors: /p/work.py",
    instance="no live daemon knows *",
)
def for_its_job_whose_file_has_errors(lab: Lab) -> int:
    alive(lab, "other", faulty="/p/work.py")
    return single(lab)


@way(TaskKind.TASK, TaskState.READY, task="no live daemon has pool default", instance="no live daemon has pool default")
def for_its_pool(lab: Lab) -> int:
    alive(lab, "work", pool="io")
    return single(lab)


BOTH = "no live daemon has both pool default and job work"


@way(TaskKind.TASK, TaskState.READY, task=BOTH, instance=BOTH)
def for_a_daemon_with_its_pool_and_its_job(lab: Lab) -> int:
    alive(lab, "work", pool="io", name="d1")
    alive(lab, "other", pool="default", name="d2")
    return single(lab)


@way(TaskKind.TASK, TaskState.READY, task="the job is paused: work", instance="the job is paused: work")
def for_its_job_to_be_resumed(lab: Lab) -> int:
    alive(lab, "work")
    number = single(lab)
    lab.sql("UPDATE qflow.lane SET is_paused = 1")
    return number


@way(
    TaskKind.TASK,
    TaskState.READY,
    task="waits for a free slot in pool default",
    instance="waits for a free slot in pool default",
)
def for_its_turn(lab: Lab) -> int:
    alive(lab, "work")
    return single(lab)


FULL = "waits for a free slot in pool default, the oldest task in it is {holder} (work of instance {before})"


@way(TaskKind.TASK, TaskState.READY, task=FULL, instance=FULL)
def for_a_slot_that_another_has(lab: Lab) -> int:
    alive(lab, "work")
    lab.start(job="work")
    lab.claim()
    return single(lab)


@way(TaskKind.HEAD, TaskState.READY, task=FULL, instance=FULL)
def a_map_for_a_slot_that_another_has(lab: Lab) -> int:
    alive(lab, "work")
    lab.start(job="work")
    lab.claim()
    return mapped(lab)


UNDOING = (
    "waits for a free slot in pool default, the oldest task in it is * (undo c of instance {before} of workflow loads)"
)


@way(TaskKind.TASK, TaskState.READY, task=UNDOING, instance=UNDOING)
def for_a_slot_that_a_compensation_has(lab: Lab) -> int:
    alive(lab, "work", "undo")
    undoing(lab)
    lab.claim()
    return single(lab)


@way(TaskKind.CHILD, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def a_child_for_any_daemon(lab: Lab) -> int:
    return nesting(lab)


STARTS = "workflow load_market is about to be started"


@way(TaskKind.CHILD, TaskState.READY, task=STARTS, instance=STARTS)
def a_child_that_a_daemon_has_still_to_start(lab: Lab) -> int:
    alive(lab, "work")
    return nesting(lab)


BEGINS = "is about to wait"


@way(TaskKind.WAIT, TaskState.READY, task=BEGINS, instance=BEGINS)
def a_wait_that_a_daemon_has_still_to_begin(lab: Lab) -> int:
    alive(lab, "work")
    return waiting(lab)
