"""Jobs that take slots of limits: they are claimed, and end, without workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qflowd.config.records import LimitConfig
from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming.claim import Claim, Claimed, Claimer
from qflowd.engine.claiming.limited import LimitedClaimer
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.model.workflow import Job, Settings
from tests.support.lab import Lab


def set_limits(lab: Lab, **slots: int) -> None:
    save_configured(lab.store, {name: LimitConfig(slots=count) for name, count in slots.items()})


def have_job(lab: Lab, limits: Mapping[str, int], name: str = "work") -> None:
    settings = Settings(limits=tuple(sorted(limits.items())))
    job = Job(name=name, module="", file="work.py", hash="h", settings=settings)
    lab.jobs.own = {**lab.jobs.own, name: job}


def claim(lab: Lab, room: int = 100, owner: int = 0) -> list[Claimed]:
    return [row for each in claims(lab, room, owner) for row in each.rows]


def claims(lab: Lab, room: int = 100, owner: int = 0) -> list[Claim]:
    claimer = Claimer(LaneIds(lab.store), ["default"])
    claimer.set_jobs(lab.jobs.own)
    claimer.look(lab.store)
    pools = {"default": room}
    taken = lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), owner or lab.owner), name="claim")
    limited = LimitedClaimer(claimer, lambda pool: False)
    for group in limited.groups():
        taken += lab.store.transact(
            lambda tx, group=group: limited.claim(tx, group, room, owner or lab.owner),  # type: ignore[misc]
            name="claim",
        )
    return taken


def used(lab: Lab) -> dict[str, int]:
    return dict(lab.sql("SELECT name, used FROM qflow.limits"))


def end(lab: Lab, rows: list[Claimed], limits: str = "vendor=1", **batch: Any) -> None:
    slots = [Freed(row.id, limits) for row in rows]
    lab.finish(batch=Batch(**{"final": [lab.final(row) for row in rows], **batch}, slots=slots))
