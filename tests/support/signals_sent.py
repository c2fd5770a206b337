"""Waits, driven by hand: signals that are sent, and everything that follows from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest

from tests.support.lab import Lab

DAY: Final = "2026-11-20"
NAME: Final = f"bars.ready/{DAY}"
SIGNAL: Final = {"signal": "bars.ready/{{ business_date }}", "timeout": "2h"}

REGISTERING: Final = (
    "take_ready_waits",
    "rearm_tasks",
    "save_waiters",
)  # the statements by which a task begins to wait


def registering(lab: Lab, statement: str) -> Callable[[Callable[[], object]], None]:
    """What has others act just before one of `REGISTERING`; SQLite lets nobody else write meanwhile, so there before all."""
    if lab.store.dialect.has_row_locks:
        return partial(lab.just_before, "register_waits", statement=statement)
    if statement != REGISTERING[0]:
        pytest.skip("SQLite lets nobody else write meanwhile")
    return partial(lab.just_before, "register_waits")


def drive(lab: Lab, outputs: dict[str, Any] | None = None) -> None:
    """Do all that can be done without the clock moving."""
    quiet = 0
    while quiet < 3:
        services = (lab.waits, lab.children, lab.admit, lab.commands, lab.sweep, lab.turns, lab.promote)
        pauses = [service.tick() for service in services]
        rows = lab.claim()
        for row in rows:
            lab.finish(lab.final(row, output=(outputs or {}).get(lab.key(row.id))))
        quiet = 0 if rows or min(pauses) == 0 else quiet + 1


def send(lab: Lab, name: str = NAME, payload: str | None = None, **columns: str) -> int:
    values = {"name": name, "payload": payload, **columns}
    given = {key: value for key, value in values.items() if value is not None}
    texts = ", ".join(f"'{value}'" for value in given.values())
    lab.sql(f"INSERT INTO qflow.signals ({', '.join(given)}) VALUES ({texts})")
    return int(lab.sql("SELECT MAX(id) FROM qflow.signals")[0][0])


def wait_reason(lab: Lab, instance: int, task: str) -> str:
    return str(lab.sql(f"SELECT wait_reason FROM qflow.tasks WHERE instance_id = {instance} AND task = '{task}'")[0][0])


def error(lab: Lab, instance: int, task: str) -> str:
    return str(lab.sql(f"SELECT error FROM qflow.tasks WHERE instance_id = {instance} AND task = '{task}'")[0][0])


def signals(lab: Lab) -> str:
    """The table that stands for the vendor's: a stranger has no schema `qflow` attached to a SQLite file."""
    return "signals" if lab.store.dialect.name == "sqlite" else "qflow.signals"
