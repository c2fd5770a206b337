"""`context()`: what a running job can learn about its attempt, and report."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from qflowd.jobs.exceptions import Cancelled
from qflowd.jobs.outputs import MapOutputs
from qflowd.jobs.spawning import SpawnedTask, Spawns
from qflowd.model.errors import QflowdError
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.plain import plain

if TYPE_CHECKING:
    from qflowd.calendars.calendar import Calendar
    from qflowd.calendars.calendar_book import CalendarBook

LARGEST_SAVE = 1 << 20  # bytes of JSON


class NoContext(QflowdError):
    """`context()` was asked outside a job."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon tells the worker about an attempt; it travels as it is.

    `upstream` (an object: task key -> output) and `saved` are JSON text, decoded when the job asks. Large outputs are
    fetched by the number that `upstream` then has for each task key; those of maps by pages, `[number]`.
    """

    task_id: int
    instance_id: int
    fence: int
    attempt: int  # the first is 1
    workflow: str
    task: str
    job: str
    params: dict[str, Any] = {}
    business_date: date | None = None
    calendar: str = ""  # of its workflow; empty: none
    calendars: str = ""  # the tenant's, as text of a CalendarBook
    tenant: str = DEFAULT_TENANT
    upstream: bytes | dict[str, int | list[int]] = b"{}"
    saved: bytes = b"null"
    database: str = ""  # its random id
    round: int = 0  # how often a person had the task start anew


class Channel(Protocol):
    """The way from an attempt to the daemon. Calls are cheap and may be coalesced; the last one counts."""

    @property
    def is_cut_off(self) -> bool:
        """Is this a process that the job has forked?"""

    def send_progress(self, facts: Facts, done: float, total: float | None, text: str) -> None: ...

    def send_save(self, facts: Facts, value: bytes) -> None:
        """`value` is JSON text in UTF-8."""

    def fetch_output(self, facts: Facts, key: str, number: int) -> bytes:
        """JSON text of the output of the parent `key`; equal outputs have one `number`. Waits for the daemon.

        `key` may be `bars[2000]`: the page of the outputs of a map that begins with that item.

        Raises: QflowdError if it cannot be had.
        """


class Context:
    """The attempt that is running. Made by the worker, handed out by `context()`."""

    _saved: bytes | None = None
    _upstream: dict[str, Any] | None = None
    _cancelled = False
    spawns: Spawns | None = None  # for the worker: what it has asked for so far

    def __init__(self, facts: Facts, channel: Channel) -> None:
        self._facts = facts
        self._channel = channel

    @property
    def task_id(self) -> int:
        return self._facts.task_id

    @property
    def instance_id(self) -> int:
        return self._facts.instance_id

    @property
    def fence(self) -> int:
        """Rises with every change of owner: write it beside your data to shut out an earlier attempt."""
        return self._facts.fence

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self._facts.attempt

    @property
    def workflow(self) -> str:
        """Key of the workflow; for a job submitted alone, what the engine calls it."""
        return self._facts.workflow

    @property
    def task(self) -> str:
        """Key of the task."""
        return self._facts.task

    @property
    def job(self) -> str:
        return self._facts.job

    @property
    def tenant(self) -> str:
        return self._facts.tenant

    @property
    def business_date(self) -> date | None:
        """The trading or data date of the instance; None where it has none."""
        return self._facts.business_date

    @property
    def calendar(self) -> "Calendar | None":
        """The calendar of the workflow, as it was when the attempt began; None where it has none."""
        return self.calendars.calendar(self._facts.calendar) if self._facts.calendar else None

    @property
    def calendars(self) -> "CalendarBook":
        """All calendars of the tenant, as they were when the attempt began: its own and its overrides are among them."""
        from qflowd.calendars.calendar_book import CalendarBook  # most jobs ask for none

        return CalendarBook.of_text(self._facts.calendars)

    @property
    def params(self) -> dict[str, Any]:
        """The rendered params as JSON values, before they were converted to the hinted types."""
        return self._facts.params

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt, until a person retries the task; no other task of any database has it."""
        return f"qflowd-{self._facts.database}-{self._facts.task_id}-{self._facts.round}"

    @property
    def logger(self) -> logging.Logger:
        """Its records become rows of `qflow.logs`, with this task and attempt."""
        return logging.getLogger(self._facts.job)

    @property
    def upstream(self) -> dict[str, Any]:
        """Outputs of the parents by task key. Large ones come from the daemon when this is first asked for.

        The output of a map is a list that comes page by page, as it is read.

        Raises: QflowdError if they cannot be had: in a process that the job has forked.
        """
        if self._upstream is None:
            given = self._facts.upstream
            if isinstance(given, bytes):
                self._upstream = msgspec.json.decode(given, type=dict[str, Any])
            else:
                self._upstream = {key: self._fetch(key, number) for key, number in given.items()}
        return self._upstream

    def _fetch(self, key: str, number: int | list[int]) -> Any:
        fetch, facts = self._channel.fetch_output, self._facts
        if isinstance(number, int):
            return msgspec.json.decode(fetch(facts, key, number))
        [of_map] = number
        return MapOutputs(lambda start: fetch(facts, f"{key}[{start}]", hash((of_map, start))))

    @property
    def saved(self) -> Any:
        """What this task last kept with `save()`, in this attempt or an earlier one; None if nothing."""
        return msgspec.json.decode(self._saved or self._facts.saved)

    def save(self, value: Any) -> None:
        """Keep `value` (converted as an output is, at most 1 MB) for the next attempt, in place of what was kept before.

        Raises: TypeError if it is not JSON, ValueError if it is too large.
        """
        try:
            text = msgspec.json.encode(plain(value))
        except ValueError as error:
            raise TypeError(f"save() takes JSON values: {error}") from None
        if len(text) > LARGEST_SAVE:
            raise ValueError(f"save() takes at most {LARGEST_SAVE} bytes of JSON, not {len(text)}")
        self._channel.send_save(self._facts, text)
        self._saved = text

    def spawn(
        self,
        job: Any,
        params: Mapping[str, Any] | None = None,
        *,
        after: SpawnedTask | Iterable[SpawnedTask] = (),
        name: str | None = None,
        **settings: Any,
    ) -> SpawnedTask:
        """Ask for another task. It is made when this attempt succeeds, together with all others that it asked for.

        What comes after this task waits for the spawned tasks too. If this one returns nothing, its output is the object
        of theirs by name; they may spawn tasks themselves.

        Args:
            job: a registered job, or its name.
            params: JSON values, converted as outputs are.
            after: what earlier calls of this attempt returned; those must succeed first, and their outputs are in
                `context().upstream` by name.
            name: what people call it, unique in this attempt; the job's name with the number of the call otherwise.
            settings: `pool`, `timeout`, `retries` … as of `@job`.

        Raises: TypeError or ValueError for what cannot be spawned; QflowdError in a process that the job has forked.
        """
        if self._channel.is_cut_off:
            raise QflowdError("spawn() cannot be called in a forked process; call it in the process of the job")
        spawns = self.spawns or vars(self).setdefault("spawns", Spawns())  # one for all threads
        return spawns.add(job, params, after, name, settings)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show how far the job is: `done` of `total` (any unit), or without a total a share from 0 to 1."""
        self._channel.send_progress(self._facts, float(done), None if total is None else float(total), str(text))

    @property
    def cancelled(self) -> bool:
        """Somebody terminated the instance, or the daemon wants to stop; a good job returns soon."""
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Raises: Cancelled if `cancelled`."""
        if self._cancelled:
            raise Cancelled(f"task {self._facts.task} was cancelled")

    def mark_cancelled(self) -> None:
        """For the worker: from now on `cancelled` holds."""
        self._cancelled = True


_current: ContextVar[Context | None] = ContextVar("qflowd_context", default=None)
_of_process: Context | None = None


def current() -> Context | None:
    """The attempt that the calling thread works for; None outside a job."""
    return _current.get() or _of_process


def context() -> Context:
    """The Context of the attempt that calls.

    In a worker process, threads that the job started see it too.
    Raises: NoContext outside a job.
    """
    attempt = current()
    if attempt is None:
        raise NoContext("context() works only while qflowd runs the job; a direct call has no attempt")
    return attempt


def make_current(attempt: Context | None, *, whole_process: bool = False) -> None:
    """For the worker: from now on it is the attempt of the calling thread; with `whole_process`, of threads that Python did not start too."""
    global _of_process  # noqa: PLW0603 - threads that C code starts bring no context variables
    _current.set(attempt)
    if whole_process:
        _of_process = attempt


@contextmanager
def running(attempt: Context) -> Iterator[Context]:
    """`attempt` is the current one inside the block."""
    token = _current.set(attempt)
    try:
        yield attempt
    finally:
        _current.reset(token)
