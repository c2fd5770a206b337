"""The result of a task as it is reported: outputs as JSON text, exceptions as `Ended`."""

import json
import os
import re
import traceback
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from qflowd.jobs.exceptions import Cancelled, Defer, Fail, RetryAfter, RetryLater, Skip
from qflowd.model.errors import InvalidParams, QflowdError
from qflowd.model.jsontext import clean_text, clipped
from qflowd.model.plain import plain
from qflowd.workers.wire import LARGEST_OUTPUT, Assignment, Ended

LONGEST_ERROR = 4096  # characters
LONGEST_TRACEBACK = 32 << 10
OURS = f"{Path(__file__).parents[1]}{os.sep}"


class Stopped(KeyboardInterrupt):
    """Raised inside a task that was asked to stop, so that its `finally` blocks run.

    Drivers and libraries know what to cancel when a KeyboardInterrupt passes through them, and only then.
    """


class InvalidOutput(QflowdError):
    """What a job returned cannot be its output."""


HOPELESS = (Fail, InvalidOutput, InvalidParams)  # another attempt would end alike

_FLAT = frozenset({str, int, bool, type(None)})
_KEYS = frozenset({str})
_SMALL = 1 << 16
# Behind an even number of backslashes; behind an odd one they are text of the job's own.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_is_suspect = re.compile(rb"\\u0000|\d{19}").search  # it may hold NUL, or a whole number of more than 64 bits
_encode = msgspec.json.Encoder().encode
_encode_surrogates = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encode_output(value: Any) -> str:
    """JSON text of what a job returned, by the rules of `plain`.

    Raises: InvalidOutput naming the place of what JSON does not have, or above 16 MB.
    """
    if type(value) is dict and _FLAT.issuperset(map(type, value.values())) and _KEYS.issuperset(map(type, value)):
        data = _try(value)
        if data and len(data) <= _SMALL and not _is_suspect(data):
            return data.decode()
    try:
        value = plain(value, "output")
    except ValueError as error:
        raise InvalidOutput(str(error)) from None
    return _checked(_try(value).decode() or _encode_surrogates(value))


def _try(value: Any) -> bytes:
    """The JSON of plain values; empty if they hold lone surrogates."""
    try:
        return _encode(value)
    except ValueError:
        return b""


def _checked(text: str) -> str:
    if len(text) > LARGEST_OUTPUT // 4 and (size := len(text.encode("utf-8", "replace"))) > LARGEST_OUTPUT:
        raise InvalidOutput(f"the job's output is {size:,} bytes of JSON; at most {LARGEST_OUTPUT:,} are kept")
    return clean_text(_NUL.sub("\\1\N{REPLACEMENT CHARACTER}", text) if "\\u0000" in text else text)


def ended_by(error: BaseException, task: Assignment, *, is_stopped: bool) -> Ended:
    """The end that an exception makes of a task, without times and measures."""
    if is_stopped or isinstance(error, Stopped | Cancelled):
        return Ended(task.task_id, task.fence, "stopped", traceback=trace_of(error))
    if isinstance(error, Skip):
        return Ended(task.task_id, task.fence, "skip", error=clean_text(error.reason)[:LONGEST_ERROR])
    if isinstance(error, Defer):
        note = clean_text(error.reason)[:LONGEST_ERROR]
        limit = error.limit if isinstance(error, RetryLater) else None
        return Ended(task.task_id, task.fence, "defer", error=note or None, limit=limit, **_later(error))
    more = _later(error) if isinstance(error, RetryAfter) else {"is_hopeless": isinstance(error, HOPELESS)}
    return Ended(task.task_id, task.fence, "error", error=headline(error), traceback=trace_of(error), **more)


def _later(error: Defer | RetryAfter) -> dict[str, Any]:
    return {"defer_s": error.delay_s, "defer_until": error.until.astimezone(UTC).isoformat() if error.until else None}


def headline(error: BaseException) -> str:
    """The error in words, in one line: its type and message, or the message alone where it is ours."""
    if isinstance(error, SystemExit):
        text = f"the job called sys.exit({error.code!r}); return, or raise an exception"
    elif isinstance(error, QflowdError) or type(error) in (Fail, RetryAfter):
        text = str(error)
    else:
        text = "".join(traceback.format_exception_only(error))
    return clean_text(" ".join(line.strip() for line in text.splitlines()).strip())[:LONGEST_ERROR]


def trace_of(error: BaseException) -> str | None:
    """The traceback from the first frame that is the user's; None if there is none of theirs."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(OURS):
        frames = frames.tb_next
    if frames is None:
        return None
    return clipped(clean_text("".join(traceback.format_exception(type(error), error, frames))), LONGEST_TRACEBACK)
