"""Tasks that a running task asks for, in a lab: what its attempt sends, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.spawning.spawn import SpawnRequest
from qflowd.engine.spawning.spawner import Spawner
from qflowd.jobs.spawning import Spawns
from qflowd.model.ids import ORDINALS
from tests.support.lab import Lab

DAILY = {"scan": [], "report": ["scan"]}
FILES: Mapping[str, list[str]] = {"AAPL": [], "IBM": []}
MERGED: Mapping[str, list[str]] = {"AAPL": [], "IBM": [], "merge": ["AAPL", "IBM"]}


def request_of(row: Claimed, tasks: Mapping[str, list[str]], job: str = "work", **settings: Any) -> SpawnRequest:
    """What an attempt sends that has called spawn() for these: name -> names of those before it."""
    spawns, handles = Spawns(), {}
    for name, after in tasks.items():
        handles[name] = spawns.add(job, {"file": name}, [handles[one] for one in after], name, settings)
    return SpawnRequest(row.id, row.fence, spawns.text() or "[]")


def checked(lab: Lab, batch: Batch) -> Batch:
    """As the executor has it checked before it is written."""
    return Spawner(lab.store, lab.instances, lab.lanes, lab.jobs).check(batch)


def spawn(lab: Lab, row: Claimed, tasks: Mapping[str, list[str]], output: Any = None, **about: Any) -> list[int]:
    """End a row that has spawned these. Returns the instances that were closed."""
    batch = Batch(final=[lab.final(row, output=output)], spawn_requests=[request_of(row, tasks, **about)])
    return lab.finish(batch=checked(lab, batch))


def daily(lab: Lab, tasks: Mapping[str, list[str]] = FILES, report: Any = (), output: Any = None, **scan: Any) -> int:
    """An instance whose first task has spawned these."""
    lab.workflow("daily", DAILY, {"scan": scan, "report": dict(report)})
    number = lab.start("daily")
    [row] = lab.claim()
    spawn(lab, row, tasks, output)
    return number


def named(lab: Lab, rows: list[Claimed]) -> list[str]:
    return [lab.key(row.id) for row in rows]


def error_of(lab: Lab, task_id: int) -> str:
    rows = lab.store.read(
        lambda tx: tx.run(
            "show_tasks", tenant="default", instance_id=task_id // ORDINALS, after=0, last=2**62, batch=9999
        )
    )
    return str(next(row.error for row in rows if row.id == task_id))
