"""The lock order, watched: own tasks by id → children by id → datasets by name → tenants by name → limits by key → definitions → instances → pauses of tasks.

`watch(monkeypatch)` records what each transaction locks; a step back fails at once, in the statement that makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from qflowd.store import tx as door
from qflowd.store.tx import Tx

TASKS, CHILDREN, DATASETS, TENANTS, LIMITS, DEFINITIONS, INSTANCES, PAUSES = range(1, 9)

# Statement -> what it locks and may have to wait for.
LEVELS = {
    "start_tasks": TASKS,
    "finish_tasks": TASKS,
    "rearm_tasks": TASKS,
    "release_tasks": TASKS,
    "promote_tasks": TASKS,
    "cancel_tasks": TASKS,
    "hold_ready_tasks": TASKS,
    "free_held_tasks": TASKS,
    "hold_ready_node": TASKS,
    "free_held_node": TASKS,
    "lock_task": TASKS,
    "lock_named_task": TASKS,
    "lock_tasks": TASKS,
    "move_tasks": TASKS,
    "wake_tasks": TASKS,
    "advance_tasks": CHILDREN,
    "advance_fans": CHILDREN,
    "advance_heads": CHILDREN,
    "lock_heads": CHILDREN,
    "expand_heads": CHILDREN,
    "give_places": CHILDREN,
    "begin_heads": CHILDREN,
    "raise_dataset": DATASETS,
    "reserve_ordinals": INSTANCES,
    "lock_tenants": TENANTS,
    "insert_tenant": TENANTS,
    "update_tenant": TENANTS,
    "delete_tenant": TENANTS,
    "meter_open_instances": INSTANCES,
    "add_limits": LIMITS,
    "set_limits": LIMITS,
    "note_configured": LIMITS,
    "delete_limit": LIMITS,
    "pause_limit": LIMITS,
    "save_breakers": LIMITS,
    "save_probes": LIMITS,
    "find_limit": LIMITS,
    "lock_limits": LIMITS,
    "move_slots": LIMITS,
    "save_spent": LIMITS,
    "pause_limits": LIMITS,
    "insert_run_key": LIMITS,
    "take_dates": LIMITS,
    "take_over_dates": LIMITS,
    "lock_turns": LIMITS,
    "insert_definition": DEFINITIONS,
    "lock_definition": DEFINITIONS,
    "update_definition": DEFINITIONS,
    "set_canary": DEFINITIONS,
    "set_enabled": DEFINITIONS,
    "delete_definition": DEFINITIONS,
    "set_archived": DEFINITIONS,
    "disable_definition": DEFINITIONS,
    "pause_definition": DEFINITIONS,
    "resume_definition": DEFINITIONS,
    "set_schedule_error": DEFINITIONS,
    "count_down_closers": INSTANCES,
    "close_instances": INSTANCES,
    "lock_instance": INSTANCES,
    "set_priority": INSTANCES,
    "lock_paused": INSTANCES,
    "lock_startable": INSTANCES,
    "flag_terminate": INSTANCES,
    "flag_finally": INSTANCES,
    "flag_pause": INSTANCES,
    "flag_resume": INSTANCES,
    "clear_intent": INSTANCES,
    "flag_expired": INSTANCES,
    "flag_overdue": INSTANCES,
    "terminate_held_instance": INSTANCES,
    "reopen_instance": INSTANCES,
    "end_queued": INSTANCES,
    "queue_instance": INSTANCES,
    "flag_compensate": INSTANCES,
    "begin_compensating": INSTANCES,
    "reopen_to_compensate": INSTANCES,
    "lock_paused_task": PAUSES,
    "pause_task": PAUSES,
    "delete_paused_tasks": PAUSES,
    "resume_task": PAUSES,
    "resume_task_everywhere": PAUSES,
}
# Share locks that do not move a transaction down the order: the last level at which they may be asked for, and why.
SHARED = {
    "find_workflow": (DEFINITIONS, "who has changed a definition waits for instances at most"),
    "lock_paused_tasks": (PAUSES, "who has paused or resumed a task waits for nothing else"),
}
# Statements that write these tables and never wait for a row, and why.
NEVER_WAIT = {
    "claim_tasks": "it skips what is locked",
    "hold_tasks": "its rows were claimed in the same transaction",
    "restart_tasks": "lock_tasks or lock_task has locked its rows",
    "recount_tasks": "lock_tasks has locked all rows of the instance",
    "return_to_waits": "lock_tasks has locked all rows of the instance",
    "skip_tasks": "lock_tasks has locked all rows of the instance",
    "set_overrides": "lock_instance has locked it",
    "shift_priorities": "lock_tasks has locked them",
    "note_accepted": "lock_tenants has locked its rows",
    "mark_metered": "list_unmetered has locked its rows",
    "insert_tasks": "its rows are new",
    "insert_compensating_tasks": "its rows are new",
    "insert_claimed_tasks": "its rows are new",
    "insert_instances": "its rows are new",
    "delete_run_key": "it was inserted in the same transaction",
    "free_date": "it was inserted in the same transaction",
    "insert_items": "its rows are new: their ordinals are reserved",
    "delete_tasks": "lock_tasks has locked all rows of the instance",
    "insert_labelled_items": "its rows are new: their ordinals are reserved",
    "await_spawned": "finish_tasks has locked its rows",
    "await_again": "lock_tasks has locked all rows of the instance",
    "insert_spawned_tasks": "its rows are new: their ordinals are reserved",
    "end_spawners": "lock_heads has locked its rows",
    "save_outputs": "lock_heads has locked its rows",
    "release_instance": "it has no task rows yet, so nobody holds one and waits for it",
}

# Calendars of a tenant, which whoever plans a schedule shares, are locked before schedules.
CALENDARS = frozenset({"add_calendar_revision", "hold_calendar_revision", "raise_calendar_revision"})
SCHEDULES = frozenset(
    {
        *("save_schedule", "switch_schedule", "delete_schedule", "delete_schedules", "set_next_fire"),
        *("replan_schedule", "lock_schedules", "advance_schedules", "lock_fact_schedules", "note_fact_fires"),
        "lock_schedule",
    }
)


class WatchedTx(Tx):
    """A transaction that knows how far down the order it has come."""

    _level = 0
    _shared: frozenset[int] = frozenset()  # levels at which it has a lock that others may have too
    _claimed: frozenset[int] = frozenset()
    _limits: frozenset[str] = frozenset()
    _has_calendars = _has_schedules = False
    _all = range(0)  # ids of the rows of an instance, all of which are locked

    def _watch(self, statement: str, rows: Sequence[Any]) -> None:
        level = LEVELS.get(statement)
        assert statement not in CALENDARS or self._has_calendars or not self._has_schedules, (
            f"{statement} locks calendars after schedules"
        )
        self._has_calendars |= statement in CALENDARS
        self._has_schedules |= statement in SCHEDULES
        last, why = SHARED.get(statement, (PAUSES, ""))
        assert self._level <= last, f"{statement} comes too late: only {why}"
        if statement in SHARED and self._level < last:
            self._shared |= {last}
        assert level not in self._shared, (
            f"{statement} wants for itself what it shares: of two that do, neither gets it"
        )
        if statement == "start_tasks" and rows and {row[0] for row in rows} <= self._claimed:
            return  # claimed a moment ago in this transaction: nobody else can hold them
        names = {row[0] for row in rows}
        if level == LIMITS and rows and names <= self._limits:
            return  # they are locked in this transaction
        if statement in ("lock_limits", "move_slots", "pause_limits"):
            self._limits |= names
        if level is None:
            return
        if level == DATASETS and self._all:
            return  # whoever has a dataset has its own rows, and none of this instance, all of which are locked here
        if level <= CHILDREN and rows and all(row[0] in self._all for row in rows):
            return
        assert level >= self._level, f"{statement} locks after what comes behind it (level {level} after {self._level})"
        self._level = level
        ids = [row[0] for row in rows]
        assert ids == sorted(ids), f"{statement}: its rows are not in the order of their ids"

    def run(self, statement: str, /, **params: Any) -> list[Any]:
        self._watch(statement, params.get("rows", ()))
        result = super().run(statement, **params)
        if statement == "lock_tasks":
            self._all = range(params["first"], params["last"] + 1)
        if statement == "claim_tasks":
            self._claimed |= {row.id for row in result}
        return result

    def count(self, statement: str, /, **params: Any) -> int:
        self._watch(statement, params.get("rows", ()))
        return super().count(statement, **params)

    def one(self, statement: str, /, **params: Any) -> Any:
        self._watch(statement, params.get("rows", ()))
        return super().one(statement, **params)


def watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch every transaction of this process from now on."""
    monkeypatch.setattr(door, "Tx", WatchedTx)
