"""JSON with the line of every key. The grammar is Python's."""

import json

from qflowd.define.reading import Lines, UnreadableText, dotted
from qflowd.define.tracker import Tracker
from qflowd.model.workflow import Json


def read(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: UnreadableText.
    """
    if not text.strip():
        return None, {}
    try:
        value = json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise UnreadableText([(error.lineno, "", f"is not valid JSON: {error.msg}, column {error.colno}")]) from None
    tracker = Tracker(text, json.loads)
    tracker.value(())
    repeated = [
        (line, dotted(path), f"duplicate key; it stands in line {tracker.lines[path]} already")
        for path, line in tracker.repeated
    ]
    return tracker.checked(value, repeated), tracker.lines


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= 21 else 10**21
