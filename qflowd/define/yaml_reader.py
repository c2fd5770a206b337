"""YAML with the core schema made strict: what is not plainly a JSON number, true, false or null is text.

Built on the parser's events, so that depth, aliases and duplicate keys are in our hands.
"""

import re
from typing import Any, Final

import yaml

from qflowd.define.key_paths import KeyPath, Lines, UnreadableText, dotted
from qflowd.model.jsontext import DEEPEST
from qflowd.model.workflow import Json

MOST_VALUES: Final = 100_000  # aliases counted each time they are used

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final[dict[str, Json]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
# No plus sign and no leading zero: those are telephone numbers and stock codes.
_FLOAT: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?|-?\.[0-9]+([eE][-+]?[0-9]+)?", re.ASCII)
_CODE: Final = re.compile(r"[0-9]{2,}[eE][0-9]+|[0-9][eE][0-9]{3,}", re.ASCII)  # 68243E102 is a security, 1e3 a number
_TAG: Final = "tag:yaml.org,2002:"


def read(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: UnreadableText.
    """
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The parser of PyYAML 6.0.4 has a limit of its own, for lists within one line.
        is_deep = "nesting depth" in str(error.problem)
        fault = f"is nested more than {DEEPEST} levels deep" if is_deep else f"is not valid YAML: {error.problem}"
        raise UnreadableText([(mark.line + 1 if mark else 0, "", fault)]) from None
    except yaml.YAMLError as error:
        raise UnreadableText([(0, "", f"is not valid YAML: {error}")]) from None


def scalar(text: str) -> Json:
    """What an unquoted `text` stands for; the number may be one that JSON cannot carry."""
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) <= 21 else 10**21
    return float(text) if _FLOAT.fullmatch(text) and not _CODE.fullmatch(text) else text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Builder:
    """Turns events into values. One per document."""

    def __init__(self, text: str) -> None:
        self._events = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Json, int]] = {}  # name -> value, how many values it holds
        self._lines: Lines = {(): 1}
        self._faults: list[tuple[int, str, str]] = []
        self._count = 0

    def document(self) -> tuple[Json, Lines]:
        value: Json = None
        seen = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if seen:
                    raise UnreadableText([(_line(event), "", "holds more than one document; keep one")])
                value, seen = self._value(next(self._events), ()), True
        if self._faults:
            raise UnreadableText(self._faults)
        return value, self._lines

    def _value(self, event: Any, path: KeyPath) -> Json:
        self._lines.setdefault(path, _line(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self._count
        self._add(1, event)
        if len(path) > DEEPEST:
            raise UnreadableText([(_line(event), "", f"is nested more than {DEEPEST} levels deep")])
        value: Json
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, path)
        else:
            value = self._scalar(event, path)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _mapping(self, start: Any, path: KeyPath) -> dict[str, Json]:
        self._check_tag(start, path, "map")
        entries: dict[str, Json] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, path)
            line = _line(event)
            if key in entries:
                first = self._lines[(*path, key)]
                self._fault(line, (*path, key), f"duplicate key; it is already in line {first}")
            else:
                self._lines[(*path, key)] = line
            value = self._value(next(self._events), (*path, key))
            entries.setdefault(key, value)
        return entries

    def _key(self, event: Any, path: KeyPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise UnreadableText([(_line(event), dotted(path), "a key must be a string")])
        if event.value == "<<" and event.implicit[0]:
            self._fault(_line(event), path, "merge keys (<<) are not supported; write the keys out, or use defaults:")
        return str(event.value)

    def _sequence(self, start: Any, path: KeyPath) -> list[Json]:
        self._check_tag(start, path, "seq")
        items: list[Json] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items))))
        return items

    def _scalar(self, event: Any, path: KeyPath) -> Json:
        text = str(event.value)
        if event.tag in (None, "!", _TAG + "str"):
            is_plain = event.tag is None and event.implicit[0] and event.style in (None, "")
            return scalar(text) if is_plain else text
        self._fault(_line(event), path, f"the tag {event.tag} is not supported; leave it out")
        return text

    def _alias(self, event: Any, path: KeyPath) -> Json:
        if event.anchor not in self._anchors:  # unknown, or still open: a value inside itself
            line = _line(event)
            raise UnreadableText(
                [(line, dotted(path), f"the alias *{event.anchor} names nothing that is complete here")]
            )
        value, size = self._anchors[event.anchor]
        self._add(size, event)
        return value

    def _check_tag(self, event: Any, path: KeyPath, usual: str) -> None:
        if event.tag not in (None, "!", _TAG + usual):
            self._fault(_line(event), path, f"the tag {event.tag} is not supported; leave it out")

    def _add(self, count: int, event: Any) -> None:
        self._count += count
        if self._count > MOST_VALUES:
            line = _line(event)
            raise UnreadableText([(line, "", f"holds more than {MOST_VALUES:,} values, aliases counted at each use")])

    def _fault(self, line: int, path: KeyPath, message: str) -> None:
        self._faults.append((line, dotted(path), message))
