"""TOML with the line of every key; dates and times become the text that was written. The grammar is tomli's."""

from contextlib import suppress

import tomli

from qflowd.define.reading import Lines, UnreadableText
from qflowd.define.tracker import Lost, Tracker
from qflowd.model.workflow import Json


def read(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: UnreadableText.
    """
    if not text.strip():
        return None, {}
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message = f"is not valid TOML: {error.msg}, column {error.colno}"
        raise UnreadableText([(error.lineno, "", message)]) from None
    except ValueError:  # a number with too many digits for Python
        raise UnreadableText([(0, "", "contains a whole number of more than 64 bits; write it as text")]) from None
    tracker = Tracker(text.replace("\r\n", "\n"), _read_key)
    with suppress(Lost):
        tracker.statements()
    return tracker.checked(data), tracker.lines


def _read_key(quoted: str) -> str:
    return str(tomli.loads(f"key = {quoted}")["key"])
