"""Instruments: what the engine tells listeners, as records of named figures.

A listener is any callable that takes an event. It is called by the engine's own threads, after the transaction concerned
was committed, so it must be quick and safe to call from several threads. A transaction that was
committed while its reply was lost has no event. Nothing is counted without a listener, and no event is per row.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

log = logging.getLogger("qflowd")


class Event(msgspec.Struct, frozen=True):
    """Base of all events."""


class TransactionCommitted(Event, frozen=True):
    """A transaction that writes was committed.

    `transaction`: its name, such as finish, claim, admit_batch. `seconds`: from BEGIN to the answer to COMMIT, repetitions
    included. `tries`: 1, and one more for each repetition after a conflict.
    """

    transaction: str
    seconds: float
    tries: int


class SubmissionsAdmitted(Event, frozen=True):
    """Submissions were answered.

    `instances` were made, with `tasks` in all; `repeated` are those whose idempotency key another had; `rejected` were refused.
    """

    instances: int = 0
    tasks: int = 0
    repeated: int = 0
    rejected: int = 0


class ScheduleFired(Event, frozen=True):
    """A schedule has submitted `submissions` instances of `workflow`; `late_s`: seconds since the latest of its instants."""

    workflow: str
    submissions: int
    late_s: float


class TimersPromoted(Event, frozen=True):
    """The time of `timers` has come: retries, deferrals, `run_at`, deadlines of instances."""

    timers: int


class TasksClaimed(Event, frozen=True):
    """This daemon has taken `tasks` of one `job` in one `pool`, to give them to workers."""

    pool: str
    job: str
    tasks: int


class TasksWritten(Event, frozen=True):
    """What became of tasks was written, many in one commit.

    `started`: tasks that have been running long enough to be marked RUNNING. `ended`: how many by final state, those
    included that never ran because of others (UPSTREAM_FAILED, SKIPPED). `failed_attempts`: how many by reason, whether
    another attempt follows or not. `rearmed`: tasks that wait for a timer, after a failure or a deferral. `released`: tasks
    given back to their queue unrun. `instances`: how many have ended with these tasks.
    """

    started: int
    ended: Mapping[str, int]
    failed_attempts: Mapping[str, int]
    rearmed: int
    released: int
    instances: int


class BreakerOpened(Event, frozen=True):
    """Too many attempts that need `limit` have failed: nothing that needs it begins for a while. `reason`: in words."""

    limit: str
    reason: str


class BreakerClosed(Event, frozen=True):
    """A task that needs `limit` has tried and succeeded: everything that needs it may begin again."""

    limit: str


class InstancesTerminated(Event, frozen=True):
    """Of the instances that are being terminated, `instances` have ended."""

    instances: int


class LeaseRenewed(Event, frozen=True):
    """The heartbeat was written, `seconds` after it was begun."""

    seconds: float


class LeaseExpired(Event, frozen=True):
    """The lease could not be renewed in time: all workers are killed, and their tasks come back."""


class DaemonReregistered(Event, frozen=True):
    """Others have marked this daemon dead; it continues as `daemon_id`, with nothing in hand."""

    daemon_id: int


class DaemonReaped(Event, frozen=True):
    """The `tasks` of a dead daemon, `daemon_id`, were taken back; `why` it is held to be dead, in words."""

    daemon_id: int
    tasks: int
    why: str


class PluginsReloaded(Event, frozen=True):
    """Another set of plugins is live: `jobs` are known now, and `faults` files have errors."""

    jobs: int
    faults: int


class WorkerStarted(Event, frozen=True):
    """A worker process of `pool` was ordered; `number` counts them in this daemon, from 1."""

    pool: str
    number: int


class WorkerExited(Event, frozen=True):
    """Worker `number` of `pool` is gone. `status`: 0 if it ended in good order, else as of os.waitpid: killed, or crashed."""

    pool: str
    number: int
    status: int


Listener = Callable[[Event], object]


class Instruments:
    """Where events go. Ask `if instruments.listeners:` before counting anything for one. Safe from any thread."""

    def __init__(self) -> None:
        self.listeners: tuple[Listener, ...] = ()
        self._faulty: set[int] = set()

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with every event from now on."""
        self.listeners += (listener,)

    def emit(self, event: Event) -> None:
        """Call all listeners. One that raises is logged the first time, and the others are still called."""
        for listener in self.listeners:
            try:
                listener(event)
            except BaseException:
                if id(listener) not in self._faulty:
                    self._faulty.add(id(listener))
                    log.exception("a listener failed on %r; it is called again, and not logged again", event)
