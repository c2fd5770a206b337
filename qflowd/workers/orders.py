"""What the daemon asks of the nursery, and what the nursery reports. One message per packet."""

import msgspec


class Spawn(msgspec.Struct, frozen=True, array_like=True, tag="spawn"):
    """Fork a worker. Seven file descriptors ride along: tasks, results, page, stdout, stderr, records, manifest."""

    number: int
    slots: int
    cwd: str


class Signal(msgspec.Struct, frozen=True, array_like=True, tag="signal"):
    """SIGTERM goes to the worker alone (it passes it on if the right task runs), SIGKILL to its whole group."""

    number: int
    signum: int


class Deadline(msgspec.Struct, frozen=True, array_like=True, tag="deadline"):
    """Unless a later deadline comes first, all workers are killed when CLOCK_BOOTTIME reaches `at_us`."""

    at_us: int


class Spawned(msgspec.Struct, frozen=True, array_like=True, tag="spawned"):
    """A worker lives."""

    number: int
    pid: int


class Exited(msgspec.Struct, frozen=True, array_like=True, tag="exited"):
    """A worker is dead, and so is what it had started.

    `status` as of wait(2); -1: it could not be forked, or was lost with the nursery. `is_fenced`: the nursery killed
    it because the deadline had passed.
    """

    number: int
    status: int
    peak_memory: int = 0  # bytes
    cpu_s: float = 0.0
    is_fenced: bool = False


Order = Spawn | Signal | Deadline
Report = Spawned | Exited

encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
LARGEST = 1 << 16
FDS = ("tasks", "results", "page", "stdout", "stderr", "records", "manifest")
