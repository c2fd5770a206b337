"""JSON with the line of every key. The grammar is Python's; a second, simple pass finds the lines."""

import json
import re
from typing import Final, NoReturn

from qflowd.define.reading import KeyPath, Lines, Unreadable, dotted, number_fault
from qflowd.model.jsontext import DEEPEST
from qflowd.model.workflow import Json

_PIECE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def read(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: Unreadable.
    """
    if not text.strip():
        return None, {}
    try:
        value = json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise Unreadable([(error.lineno, "", f"is not valid JSON: {error.msg}, column {error.colno}")]) from None
    tracker = _Tracker(text)
    tracker.walk()
    if tracker.faults:
        raise Unreadable(tracker.faults)
    return value, tracker.lines


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= 21 else 10**21


class _Tracker:
    """Follows the tokens of a valid JSON text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.lines: Lines = {(): 1}
        self.faults: list[tuple[int, str, str]] = []

    def walk(self) -> None:
        path: list[str | int] = []  # ends with the key or index that the next value belongs to
        awaits_key = False
        line, position = 1, 0
        for match in _PIECE.finditer(self._text):
            line += self._text.count("\n", position, match.start())
            position = match.start()
            piece = match[0]
            if piece in "{[":
                self._open(path, piece, line)
                awaits_key = piece == "{"
            elif piece in "}]":
                path.pop()
                awaits_key = False
            elif piece == ",":
                awaits_key = isinstance(path[-1], str)
                self._next_item(path)
            elif piece == ":":
                awaits_key = False
            elif awaits_key:
                path[-1] = json.loads(piece, strict=False)
                self._note_key(tuple(path), line)
            else:
                self._check_scalar(piece, tuple(path), line)

    def _open(self, path: list[str | int], piece: str, line: int) -> None:
        self.lines.setdefault(tuple(path), line)
        path.append("" if piece == "{" else 0)
        if len(path) > DEEPEST:
            self._refuse(line, f"is nested more than {DEEPEST} levels deep")

    def _next_item(self, path: list[str | int]) -> None:
        if isinstance(path[-1], int):
            path[-1] += 1

    def _note_key(self, path: KeyPath, line: int) -> None:
        if path in self.lines:
            self.faults.append((line, dotted(path), f"duplicate key; it stands in line {self.lines[path]} already"))
        self.lines.setdefault(path, line)

    def _check_scalar(self, piece: str, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)
        if piece[0] == '"' or piece in ("true", "false", "null"):
            return
        value = _whole(piece) if piece.lstrip("-").isdigit() else float(piece)
        if fault := number_fault(value):
            self.faults.append((line, dotted(path), fault))

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise Unreadable([(line, "", message)])
