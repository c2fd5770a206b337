"""Files: a task waits until they are there and stand still. Who looks for them is in `file_waits.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from qflowd.define.file_patterns import fault_in_checksum, fault_in_pattern, fault_in_suffix
from qflowd.engine.waits.fact import LONGEST_SUBJECT, Fact, WaitEnd, WaitTerms, deadline, timed_out
from qflowd.engine.waits.wanted_files import wanted
from qflowd.model.durations import parse_duration
from qflowd.model.errors import ExpressionFailed
from qflowd.model.states import FactKind, TaskState, WaitState
from qflowd.model.workflow import Json, WaitFor

USUAL_STABLE: Final = WaitFor().stable


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is not a path, a suffix or a duration."""
    path, suffix = document["file"], document.get("ok", "")
    if fault := fault_in_pattern(path):
        raise ExpressionFailed(f"wait_for.file: {fault}")
    if "ok" in document and (fault := fault_in_suffix(suffix)):
        raise ExpressionFailed(f"wait_for.ok: {fault}")
    checksum = document.get("checksum", "")
    if "checksum" in document and (fault := fault_in_checksum(checksum)):
        raise ExpressionFailed(f"wait_for.checksum: {fault}")
    try:
        stable_s = parse_duration(document.get("stable", USUAL_STABLE))
    except ValueError as error:
        raise ExpressionFailed(f"wait_for.stable: {error}") from None
    files = wanted(str(path), stable_s, str(suffix), int(document.get("at_least", 1)), str(checksum))
    return WaitTerms("", f"file {path}"[:LONGEST_SUBJECT], deadline(document, "timeout", now), wanted=files)


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """The files that were found are the output."""
    if row.wait_state == WaitState.MET:
        return WaitEnd(TaskState.SUCCESS, output=row.found)
    return timed_out(wait, row)


FILE = Fact(FactKind.FILE, begin, end)
