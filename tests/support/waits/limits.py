"""Tasks that wait for a limit: its slots, its rate, its pause, its breaker."""

from __future__ import annotations

from qflowd.config.records import LimitConfig
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.limits.breakers import AttemptEnd
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.model.breaker import Breaker
from qflowd.model.states import Reason, TaskKind, TaskState
from qflowd.model.workflow import Job, Settings
from tests.support.lab import FAILED, Lab
from tests.support.waits.base import AT, LATER, alive, single, way


def limited(lab: Lab, weight: int = 1) -> int:
    """Its only task needs slots of a limit, of which there are just enough."""
    alive(lab, "work")
    save_configured(lab.store, {"vendor": LimitConfig(slots=weight)})
    job = Job(name="work", module="", file="work.py", hash="h", settings=Settings(limits=(("vendor", weight),)))
    lab.jobs.own = {"work": job}
    return single(lab)


@way(
    TaskKind.TASK,
    TaskState.READY,
    task="needs 2 slots of limit vendor, which has 1",
    instance="needs 2 slots of limit vendor, which has 1",
)
def for_more_slots_than_there_are(lab: Lab) -> int:
    number = limited(lab, weight=2)
    save_configured(lab.store, {"vendor": LimitConfig(slots=1)})
    return number


HOLDER = (
    "waits for limit vendor: 1 of 1 slots in use, the oldest by task {holder} (a of instance {before} of workflow one)"
)


@way(TaskKind.TASK, TaskState.READY, task=HOLDER, instance=HOLDER)
def for_a_slot_of_a_limit(lab: Lab) -> int:
    limited(lab)
    lab.claim()
    lab.sql("UPDATE qflow.limit_key SET used = 1")  # the lab's claims take no slots
    return lab.start("one")


@way(
    TaskKind.TASK,
    TaskState.READY,
    task=f"limit vendor is paused until {AT}: 429",
    instance=f"limit vendor is paused until {AT}: 429",
)
def for_a_limit_that_is_paused(lab: Lab) -> int:
    number = limited(lab)
    lab.store.transact(lambda tx: tx.run("pause_limits", rows=[("vendor", LATER, "429")]))
    return number


RATE = f"waits for limit vendor until {AT}: its rate is used up"


@way(TaskKind.TASK, TaskState.READY, task=RATE, instance=RATE)
def for_the_rate_of_a_limit(lab: Lab) -> int:
    number = limited(lab)
    lab.store.transact(lambda tx: tx.run("save_spent", rows=[("vendor", None, LATER)]))
    return number


def tripped(lab: Lab, open_s: float) -> int:
    """The breaker of its limit has opened when the task before it failed."""
    breaker = Breaker("1/10s", open_s, ("ConnectionError",))
    limited(lab)
    save_configured(lab.store, {"vendor": LimitConfig(slots=1, breaker=breaker)})
    [row] = lab.claim()
    ended = AttemptEnd(row.id, row.fence, "vendor=1", Reason.ERROR, "ConnectionError: refused")
    lab.finish(batch=Batch(final=[lab.final(row, FAILED)], attempt_ends=[ended]))
    return lab.start("one")


OPEN = "the breaker of limit vendor is open since * until *: *ConnectionError: refused"


@way(TaskKind.TASK, TaskState.READY, task=OPEN, instance=OPEN)
def for_a_breaker_that_is_open(lab: Lab) -> int:
    return tripped(lab, open_s=1e8)


NEXT = "the breaker of limit vendor is half-open, and one task tries next: *"


@way(TaskKind.TASK, TaskState.READY, task=NEXT, instance=NEXT)
def for_a_breaker_that_is_half_open(lab: Lab) -> int:
    return tripped(lab, open_s=30)


TRIES = "the breaker of limit vendor is half-open, and task {holder} (a of instance {before} of workflow one) tries: *"


@way(TaskKind.TASK, TaskState.READY, task=TRIES, instance=TRIES)
def for_the_task_that_tries_a_breaker(lab: Lab) -> int:
    tripped(lab, open_s=30)
    [row] = lab.claim()
    lab.sql(f"UPDATE qflow.limit_key SET probe = {row.id}, probe_fence = {row.fence}")  # the lab's claims set no probe
    return lab.start("one")
