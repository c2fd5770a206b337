"""Tasks that a running task asked for, and the one that waits for them."""

from __future__ import annotations

from qflowd.model.states import TaskKind, TaskState
from tests.support.lab import Lab
from tests.support.spawning import FILES, MERGED, daily, spawn
from tests.support.waits.base import NOBODY, alive, lost, way


@way(TaskKind.TASK, TaskState.PENDING, task="waits for the tasks that it spawned: 2", instance="no daemon is running")
def after_those_that_it_spawned(lab: Lab) -> int:
    return daily(lab)


@way(TaskKind.TASK, TaskState.PENDING, task="waits for the tasks that it spawned: 2; task scan is paused since *")
def after_those_that_it_spawned_while_it_is_paused(lab: Lab) -> int:
    number = daily(lab)
    lab.command("pause", number, task="scan")
    return number


@way(TaskKind.SPAWNED, TaskState.PENDING, task="waits for the tasks that it spawned: 1")
def a_spawned_task_after_those_that_it_spawned(lab: Lab) -> int:
    number = daily(lab)
    spawn(lab, lab.claim()[0], {"2026": []})
    return number


@way(TaskKind.SPAWNED, TaskState.PENDING, task="waits for tasks before it: scan[AAPL], scan[IBM]")
def a_spawned_task_after_others(lab: Lab) -> int:
    return daily(lab, MERGED)


@way(TaskKind.SPAWNED, TaskState.PENDING, task="waits for tasks before it: 6")
def a_spawned_task_after_many_others(lab: Lab) -> int:
    many: dict[str, list[str]] = {f"f{i}": [] for i in range(6)}
    return daily(lab, many | {"merge": list(many)})


@way(TaskKind.SPAWNED, TaskState.READY, task="no daemon is running", instance="no daemon is running")
def a_spawned_task_for_any_daemon(lab: Lab) -> int:
    return daily(lab)


@way(TaskKind.SPAWNED, TaskState.HELD, task="the instance is paused", instance="paused since *")
def a_spawned_task_for_the_instance_to_be_resumed(lab: Lab) -> int:
    number = daily(lab)
    lab.command("pause", number)
    lab.sweep_all()
    return number


@way(TaskKind.SPAWNED, TaskState.RUNNING, task=NOBODY, instance=NOBODY)
def a_spawned_task_with_a_daemon_that_is_lost(lab: Lab) -> int:
    alive(lab, "work")
    number = daily(lab, FILES)
    lab.claim()
    lost(lab)
    return number


@way(TaskKind.SPAWNED, TaskState.RESERVED, task=NOBODY, instance=NOBODY)
def a_reserved_spawned_task_with_a_daemon_that_is_lost(lab: Lab) -> int:
    number = a_spawned_task_with_a_daemon_that_is_lost(lab)
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.RESERVED)} WHERE state = {int(TaskState.RUNNING)}")
    return number
