"""What the daemon asks of the throw-away process, and what that answers."""

import msgspec

from qflowd.jobs.manifest import EntryPoint, Manifest
from qflowd.model.workflow import Job

GROUP = "qflowd.plugins"
ENTRY_POINT = "entry point "
IMPORT_TIMEOUT_S = 10.0  # per file
HURRY_S = 0.4  # for a file that others would wait for; then it is put off


class Request(msgspec.Struct, frozen=True):
    """Import everything in `manifest`. `discover`: look for entry points too, in place of the manifest's.

    `hurried`: names of modules that are put off if they take longer than HURRY_S.
    """

    manifest: Manifest
    discover: bool = False
    timeout_s: float = IMPORT_TIMEOUT_S
    memory_bytes: int = 2 << 30
    hurried: frozenset[str] = frozenset()


class Finding(msgspec.Struct, frozen=True):
    """What importing one module gave. `is_culprit`: it took the process down or did not end; `is_put_off`: not in time."""

    jobs: tuple[Job, ...] = ()
    error: str = ""
    is_culprit: bool = False
    is_put_off: bool = False


class Findings(msgspec.Struct, frozen=True):
    """The answer. Keys of `found` are module names, and labels of entry points."""

    found: dict[str, Finding] = {}
    entry_points: tuple[EntryPoint, ...] = ()


def label(entry: EntryPoint) -> str:
    """How an installed plugin is called in errors."""
    return f"{ENTRY_POINT}{entry.name} = {entry.value}"


def encode(value: Request | Findings) -> bytes:
    """Either message as bytes."""
    return msgspec.msgpack.encode(value)


def decode_request(data: bytes) -> Request:
    """Raises: msgspec.MsgspecError if the daemon died while it asked."""
    return msgspec.msgpack.decode(data, type=Request)


def decode_findings(data: bytes) -> Findings:
    """Raises: msgspec.MsgspecError if the process died while it answered."""
    return msgspec.msgpack.decode(data, type=Findings)
