"""How a task's ends are told: outputs as JSON text, exceptions as `Ended`."""

import json
import math
import os
import re
import traceback
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from qflowd.jobs.exceptions import Cancelled, Defer, Skip
from qflowd.model.errors import QflowdError
from qflowd.model.jsontext import clean_text
from qflowd.workers.wire import LARGEST_OUTPUT, Assignment, Ended

LONGEST_ERROR = 4096  # characters
LONGEST_TRACEBACK = 32 << 10
_OURS = f"{Path(__file__).parents[1]}{os.sep}"


class Stopped(KeyboardInterrupt):
    """Raised inside a task that is told to stop, so that its `finally` blocks run.

    Drivers and libraries know what to cancel when a KeyboardInterrupt passes through them, and only then.
    """


class InvalidOutput(QflowdError):
    """What a job returned cannot be its output."""


_PLAIN = frozenset({str, int, bool, type(None)})
_SMALL = 1 << 16
# Behind an even number of backslashes; behind an odd one they are text of the job's own.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_encode_plain = msgspec.json.Encoder().encode


def _other(value: Any) -> Any:
    """Scalars and arrays of numpy and pandas, without importing either; dates, Decimals, dataclasses."""
    if not isinstance(value, bytes | bytearray | memoryview | set | frozenset):
        for name in ("tolist", "item"):
            if callable(method := getattr(value, name, None)):
                return method()
        plain = msgspec.to_builtins(value)
        if type(plain) is not type(value):
            return plain
    raise TypeError(f"a {type(value).__qualname__} is not JSON")


_encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_other).encode


def encode_output(value: Any) -> str:
    """JSON text of what a job returned.

    Dates, times, Decimals and UUIDs become text, tuples lists, dataclasses objects; numpy's scalars and arrays their
    values. Raises: InvalidOutput naming the place and the type, for NaN, bytes, sets, anything else, or above 16 MB.
    """
    if type(value) is dict and _PLAIN.issuperset(map(type, value.values())):
        data = _try_plain(value)
        if data and len(data) <= _SMALL and b"\\u0000" not in data:
            return data.decode()
    try:
        return _checked(_encode(value))
    except RecursionError:
        raise InvalidOutput("the job's output is nested too deeply, or contains itself") from None
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        if "Circular" in str(error):
            raise InvalidOutput("the job's output contains itself") from None
        raise InvalidOutput(next(_faults(value, "output"), f"the job's output is not JSON: {error}")) from None


def _try_plain(value: dict[Any, Any]) -> bytes:
    """The short way for flat objects without floats; empty if it cannot go."""
    try:
        return _encode_plain(value)
    except (TypeError, ValueError):
        return b""


def _checked(text: str) -> str:
    if len(text) > LARGEST_OUTPUT // 4 and (size := len(text.encode("utf-8", "replace"))) > LARGEST_OUTPUT:
        raise InvalidOutput(f"the job's output is {size:,} bytes of JSON; at most {LARGEST_OUTPUT:,} are kept")
    return clean_text(_NUL.sub("\\1\N{REPLACEMENT CHARACTER}", text) if "\\u0000" in text else text)


def _faults(value: Any, path: str) -> Iterator[str]:
    """What is not JSON, one sentence each, with the place."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield f"{path} is {value}, which JSON does not have; return None instead"
    elif isinstance(value, dict):
        yield from _faults_of_dict(value, path)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _faults(member, f"{path}[{index}]")
    elif value is not None and not isinstance(value, str | int):
        try:
            plain = _other(value)
        except (TypeError, ValueError, RecursionError):
            yield f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which JSON does not have"
        else:
            yield from _faults(plain, path)


def _faults_of_dict(value: dict[Any, Any], path: str) -> Iterator[str]:
    for key, member in value.items():
        if not isinstance(key, str | int | float | None):
            yield f"{path} has a key of type {type(key).__qualname__}; keys of JSON are text"
        yield from _faults(member, f"{path}[{key!r}]")


def ended_by(error: BaseException, task: Assignment, *, is_stopped: bool) -> Ended:
    """The end that an exception makes of a task, without times and measures."""
    if is_stopped or isinstance(error, Stopped | Cancelled):
        return Ended(task.task_id, task.fence, "stopped", traceback=trace_of(error))
    if isinstance(error, Skip):
        return Ended(task.task_id, task.fence, "skip", error=clean_text(error.reason)[:LONGEST_ERROR])
    if isinstance(error, Defer):
        until = error.until.astimezone(UTC).isoformat() if error.until else None
        note = clean_text(error.reason)[:LONGEST_ERROR]
        return Ended(task.task_id, task.fence, "defer", error=note or None, defer_s=error.delay_s, defer_until=until)
    return Ended(task.task_id, task.fence, "error", error=headline(error), traceback=trace_of(error))


def headline(error: BaseException) -> str:
    """The error in words: its type and message, or the message alone where it is ours."""
    if isinstance(error, SystemExit):
        return f"the job called sys.exit({error.code!r}); return, or raise an exception"[:LONGEST_ERROR]
    if isinstance(error, QflowdError):
        return clean_text(str(error))[:LONGEST_ERROR]
    text = "".join(traceback.format_exception_only(error)).strip()
    return clean_text(text)[:LONGEST_ERROR]


def trace_of(error: BaseException) -> str | None:
    """The traceback from the first frame that is the user's; None if there is none of theirs."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_OURS):
        frames = frames.tb_next
    if frames is None:
        return None
    text = clean_text("".join(traceback.format_exception(type(error), error, frames)))
    if len(text) <= LONGEST_TRACEBACK:
        return text
    return f"{text[: LONGEST_TRACEBACK // 4]}\n… cut …\n{text[-LONGEST_TRACEBACK // 4 * 3 :]}"
