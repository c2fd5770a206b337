"""Messages between the daemon and its workers, and how they are laid out on the pipe.

To a worker: parcels and answers, each a length (4 bytes, big endian) and msgpack. From a worker: one JSON array a
line, because a whole read of hundreds of lines is then one call into C, without a walk over frames.
Times are microseconds of CLOCK_BOOTTIME; JSON inside messages is text.
"""

import contextlib
import struct
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from qflowd.model.ids import instance_of
from qflowd.model.names import DEFAULT_TENANT

T = TypeVar("T")
LARGEST_OUTPUT = 16 << 20  # bytes of JSON
_BOOTTIME = time.CLOCK_BOOTTIME
_LENGTH = struct.Struct(">I")


def now_us() -> int:
    """The clock of everything here: microseconds since boot, sleep included."""
    return time.clock_gettime_ns(_BOOTTIME) // 1000


class InstanceFacts(msgspec.Struct, frozen=True, array_like=True):
    """What `context()` may tell of an instance."""

    workflow: str
    tenant: str = DEFAULT_TENANT
    business_date: str | None = None  # YYYY-MM-DD
    calendar: str = ""


class Assignment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One attempt to run.

    `params`: rendered, or the number of the chunk's text. `upstream`: number of the chunk's `upstreams`; None: it has
    no parents. `saved`: the last checkpoint. `round`: how often a person had the task start anew.
    """

    task_id: int
    fence: int
    attempt: int
    task_key: str
    params: str | int = "{}"
    upstream: int | None = None
    saved: str | None = None
    round: int = 0

    @property
    def instance_id(self) -> int:
        return instance_of(self.task_id)


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """Tasks of one job that one worker slot runs one after the other.

    `long`: not known to be short, so its memory and CPU time are measured however short it is. `solo`: nothing else may
    run in that process meanwhile. `estimate_s`: expected duration of one task; the unstarted rest is taken back when one runs far longer.
    `instances`: facts by instance id, for `context()`; may be incomplete. `database`: its id. `shared_params`, `upstreams`:
    what tasks have in common, by number. An upstream is the object of the parents' outputs by task key, or, where they
    are large, for each key a number that equal outputs share: they are sent when a task asks for them (`Asked`). The
    outputs of a map are asked for by pages: `[number]`. `calendars`: text of the tenant's calendar book.
    """

    job: str
    module: str
    tasks: list[Assignment]
    long: bool = False
    solo: bool = False
    timeout_s: float | None = None
    memory: int | None = None  # bytes of the worker and what it started
    estimate_s: float = 0.0
    instances: dict[int, InstanceFacts] = {}
    database: str = ""
    shared_params: dict[int, str] = {}
    upstreams: dict[int, str | dict[str, int | list[int]]] = {}
    calendars: str = ""

    def params_of(self, task: Assignment) -> str:
        """The parameters of one of its tasks."""
        return task.params if isinstance(task.params, str) else self.shared_params[task.params]


class Parcel(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """A chunk on its way. `seq` rises by one with every parcel to the same worker."""

    seq: int
    chunk: Chunk


class OutputAnswer(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """To the `Asked` of that ticket: the output as JSON text, or why there is none."""

    ticket: int
    text: str | None
    error: str = ""


class Done(msgspec.Struct, frozen=True, array_like=True, tag="d", gc=False):
    """The plain case: short, successful, silent."""

    task_id: int
    fence: int
    output: str | None
    started_us: int
    ended_us: int


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """Any other end that the worker could still report.

    `outcome`: success, error, skip, defer, stopped (it was asked to stop, and did). `error` is one line where possible.
    `defer_s`, `defer_until`: when it wants to run again. `is_hopeless`: another attempt would end alike.
    `cpu_s`, `peak_memory` (bytes): None where they were not measured.
    """

    task_id: int
    fence: int
    outcome: str
    output: str | None = None
    error: str | None = None
    traceback: str | None = None
    started_us: int = 0
    ended_us: int = 0
    cpu_s: float | None = None
    peak_memory: int | None = None
    defer_s: float | None = None
    defer_until: str | None = None  # ISO 8601 with an offset
    is_hopeless: bool = False
    limit: str | None = None  # that is to pause until then
    spawned: str | None = None  # of a success: tasks that it has asked for, as of `Spawns.text`


class Progressed(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """The latest `context().progress(...)` of a running task."""

    task_id: int
    fence: int
    done: float
    total: float | None
    text: str


class Checkpointed(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """The latest `context().save(...)` of a running task: JSON text."""

    task_id: int
    fence: int
    value: str


class Unstarted(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """Tasks of parcel `seq` that were not started and will not be."""

    seq: int
    task_ids: list[int]


class Asked(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """A running task waits for the output of the parent `key`; `Backend.answer` sends it. `ticket`: the backend's own.

    `key` may be `bars[2000]`: a page of the outputs of a map, from that item on.
    """

    task_id: int
    fence: int
    key: str
    ticket: int


Message = Done | Ended | Progressed | Checkpointed | Unstarted | Asked

encode_line = msgspec.json.Encoder().encode
decode_lines = msgspec.json.Decoder(Message).decode_lines
_encode_parcel = msgspec.msgpack.Encoder().encode
_decode_parcel = msgspec.msgpack.Decoder(Parcel | OutputAnswer).decode


def readable(decode_lines: Callable[[bytes], list[T]], data: bytes) -> list[T]:
    """The messages in `data`, without anything else: user code may have written here, or a full disk has cut a line.

    Each was one write, so what is foreign stands before it or on lines of its own.
    """
    try:
        return decode_lines(data)
    except msgspec.MsgspecError:
        messages: list[T] = []
        for line in data.split(b"\n"):
            with contextlib.suppress(msgspec.MsgspecError):
                messages += decode_lines(line[max(0, line.find(b'["')) :])
        return messages


def pack(parcel: Parcel | OutputAnswer) -> bytes:
    """Its bytes on the pipe."""
    body = _encode_parcel(parcel)
    return _LENGTH.pack(len(body)) + body


def split(buffer: bytearray) -> list[Parcel | OutputAnswer]:
    """Take all that is complete off the front of `buffer`."""
    parcels = []
    start = 0
    while len(buffer) - start >= _LENGTH.size:
        end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
        if end > len(buffer):
            break
        parcels.append(_decode_parcel(memoryview(buffer)[start + _LENGTH.size : end]))
        start = end
    del buffer[:start]
    return parcels
