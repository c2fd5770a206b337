"""Tasks that wait for a fact, or are about to."""

from __future__ import annotations

from qflowd.engine.waits.sql_waits import SqlWaits
from qflowd.model.states import TaskKind, TaskState
from tests.support.delivered import watcher
from tests.support.lab import Lab
from tests.support.waits.base import alive, way


@way(TaskKind.WAIT, TaskState.READY, task="is about to wait", instance="is about to wait")
def for_its_turn_to_wait(lab: Lab) -> int:
    alive(lab, "work")
    lab.define("facts", {"a": {"wait_for": {"signal": "bars.ready"}}})
    return lab.start("facts")


@way(
    TaskKind.WAIT,
    TaskState.PENDING,
    task="waits for signal bars.ready since *",
    instance="waits for signal bars.ready since *",
)
def for_a_signal(lab: Lab) -> int:
    number = for_its_turn_to_wait(lab)
    lab.waits.tick()
    return number


@way(
    TaskKind.WAIT,
    TaskState.PENDING,
    task="waits for workflow bars for 2026-11-20 since *",
    instance="waits for workflow bars for 2026-11-20 since *",
)
def for_a_workflow(lab: Lab) -> int:
    alive(lab, "work")
    lab.define("bars", {"a": {"job": "work"}})
    lab.define("facts", {"a": {"wait_for": {"workflow": "bars"}}})
    number = lab.start("facts", business_date="2026-11-20")
    lab.waits.tick()
    return number


@way(
    TaskKind.WAIT,
    TaskState.PENDING,
    task="waits for file /in/bars.csv since *; daemon d1: folder /in is not in [waits] folders of its qflowd.toml",
    instance="waits for file /in/bars.csv since *; daemon d1: folder /in is not in [waits] folders of its qflowd.toml",
)
def for_a_file(lab: Lab) -> int:
    alive(lab, "work")
    lab.define("facts", {"a": {"wait_for": {"file": "/in/bars.csv"}}})
    number = lab.start("facts")
    lab.waits.tick()
    watcher(lab, [], name="d1").tick()
    return number


ASKS = "waits for connection vendor: SELECT count(*) FROM bars since *"
NOT_HERE = "daemon d1: connection vendor is not under [connections] of its qflowd.toml"


@way(TaskKind.WAIT, TaskState.PENDING, task=f"{ASKS}; {NOT_HERE}", instance=f"{ASKS}; {NOT_HERE}")
def for_a_condition(lab: Lab) -> int:
    alive(lab, "work")
    lab.define("facts", {"a": {"wait_for": {"sql": "SELECT count(*) FROM bars", "connection": "vendor"}}})
    number = lab.start("facts")
    lab.waits.tick()
    SqlWaits(lab.store, lab.topics, {}, "d1").tick()
    return number


@way(
    TaskKind.WAIT,
    TaskState.PENDING,
    task="waits for dataset bars@2026-11-20 since *",
    instance="waits for dataset bars@2026-11-20 since *",
)
def for_a_dataset(lab: Lab) -> int:
    alive(lab, "work")
    lab.define("facts", {"a": {"wait_for": {"dataset": "bars@{{ business_date }}"}}})
    number = lab.start("facts", business_date="2026-11-20")
    lab.waits.tick()
    return number
