"""What a backend tells the engine. Every task that was sent ends in exactly one Finished, Returned or Broken."""

from dataclasses import dataclass, field
from typing import Literal

from qflowd.workers.wire import Asked, Checkpointed, Done, Ended, Progressed

__all__ = (
    "Asked", "BreakReason", "Broken", "Checkpointed", "Event", "Finished", "Progressed", "Returned", "Running",
    "StopReason",
)  # fmt: skip
StopReason = Literal["timeout", "memory", "terminated"]
BreakReason = Literal["crash", "timeout", "memory", "terminated"]


@dataclass(frozen=True, slots=True)
class Finished:
    """Tasks that the worker ran to an end of their own, in bulk."""

    results: list[Done | Ended]


@dataclass(frozen=True, slots=True)
class Running:
    """Told once for a task that runs longer than 200 ms; it runs since `started_us`."""

    task_id: int
    fence: int
    started_us: int


@dataclass(frozen=True, slots=True)
class Returned:
    """The task comes back, and not through its own fault.

    Not `solo`: its user code never began. `solo`: it was running beside one that took the process down, or the
    process was killed for another reason; the attempt that began at `started_us` is lost, and the next must run alone.
    """

    task_id: int
    fence: int
    solo: bool
    started_us: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Broken:
    """The task took its worker down, or was stopped.

    `exit_signal`, `exit_code`: how the process ended; both None if it lives. `cpu_s`, `peak_memory` (bytes): None
    where not measured. `traceback`: where it was when it was stopped, if it could still say so. `is_given_up`: it
    was only asked to end, for a thread of the user's program cannot be killed; what it still reports is dropped.
    `memory`: in words, what was counted when it went over its limit.
    """

    task_id: int
    fence: int
    reason: BreakReason
    exit_signal: int | None = None
    exit_code: int | None = None
    started_us: int = 0
    cpu_s: float | None = None
    peak_memory: int | None = None
    traceback: str | None = None
    is_given_up: bool = False
    memory: str = ""


Event = Finished | Running | Returned | Broken | Progressed | Checkpointed | Asked
