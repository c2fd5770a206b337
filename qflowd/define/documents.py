"""One document of plain values out of YAML, TOML or JSON, with the line of every key.

Strings stay strings (`000300`, `NO`, `21:00`, `2026-01-05`) in all three; what the keys mean is not known here.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NoReturn

from qflowd.define.key_paths import KeyFault, KeyPath, Lines, UnreadableText, dotted
from qflowd.model import jsontext
from qflowd.model.errors import Fault, FaultyDocument
from qflowd.model.workflow import Json

Format = Literal["yaml", "toml", "json"]

LARGEST_FILE: Final = 1_000_000
SUFFIXES: Final[Mapping[str, Format]] = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping, the file it came from, and where its keys stand."""

    data: dict[str, Json]
    file: str = ""
    lines: Lines = field(default_factory=dict, repr=False, compare=False)

    def line(self, path: KeyPath) -> int:
        """The line, from 1, of the key at `path`, or of the nearest one above it; 0 if there are no lines."""
        for length in range(len(path), -1, -1):
            if line := self.lines.get(path[:length]):
                return line
        return 0

    def faults(self, key_faults: Iterable[KeyFault]) -> list[Fault]:
        """These faults, each with the file and the line of its key."""
        return [Fault(self.file, self.line(path), dotted(path), message) for path, message in key_faults]


def read(
    text: str | bytes,
    format: Format,
    file: str,
    error: type[FaultyDocument] = FaultyDocument,
    *,
    may_be_empty: bool = False,
) -> Document:
    """The document in `text`; `file` names it in faults. `may_be_empty`: no text at all means no keys.

    Raises: `error` if the text is not one mapping of JSON values: not UTF-8, over 1 MB, syntax, duplicate keys,
    alias bombs, more than 64 levels, numbers that are not finite or over 64 bits.
    """

    def refuse(message: str, line: int = 0, key: str = "") -> NoReturn:
        raise error([Fault(file, line, key, message)])

    if len(text) > LARGEST_FILE:
        refuse(f"is too large: {len(text):,} bytes; at most {LARGEST_FILE:,} are allowed")
    decoded = _decode(text)
    if decoded is None:
        refuse("is not UTF-8")
    try:
        data, lines = _reader(format)(decoded)
    except UnreadableText as unreadable:
        raise error([Fault(file, line, key, message) for line, key, message in unreadable.faults]) from None
    except RecursionError:
        refuse(f"is nested more than {jsontext.DEEPEST} levels deep")
    if data is None and may_be_empty:
        return Document({}, file)
    if data is None:
        refuse("is empty")
    if not isinstance(data, dict):
        refuse("must hold keys and values at its top", 1)
    if jsontext.depth(data) > jsontext.DEEPEST:
        refuse(f"is nested more than {jsontext.DEEPEST} levels deep")
    document = Document(data, file, lines)
    _check_values(document, error)
    return document


def format_of(file: str | Path, error: type[FaultyDocument] = FaultyDocument) -> Format:
    """The format that the name of `file` announces.

    Raises: `error` for other endings.
    """
    format = SUFFIXES.get(Path(file).suffix.lower())
    if format is None:
        raise error([Fault(str(file), 0, "", "must end in .yaml, .yml, .toml or .json")])
    return format


def read_file(path: Path, error: type[FaultyDocument] = FaultyDocument, *, may_be_empty: bool = False) -> Document:
    """The document in the file at `path`; `may_be_empty` as of `read`.

    Raises: `error` if it cannot be read, or as `read` does.
    """
    format = format_of(path, error)
    try:
        if path.is_fifo():  # reading it could wait for ever
            raise OSError(errno.EINVAL, "it is a named pipe")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as failure:
        raise error([Fault(str(path), 0, "", f"cannot be read: {failure.strerror}")]) from None
    return read(content, format, str(path), error, may_be_empty=may_be_empty)


def _reader(format: Format) -> Callable[[str], tuple[Json, Lines]]:
    """Imported at need: a command that reads TOML should not pay for YAML."""
    if format == "yaml":
        from qflowd.define.yaml_reader import read

        return read
    from qflowd.define import text_reader

    return text_reader.read_toml if format == "toml" else text_reader.read_json


def _check_values(document: Document, error: type[FaultyDocument]) -> None:
    if faults := document.faults(_bad_values(document.data, ())):
        raise error(faults)


def _bad_values(value: Json, path: KeyPath) -> Iterator[KeyFault]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and (fault := jsontext.fault_in_text(key)):
                yield path, f"has the key {key!r}, which {fault}"
            yield from _bad_values(item, (*path, key))
    elif isinstance(value, str):
        if fault := jsontext.fault_in_text(value):
            yield path, fault
    elif isinstance(value, int | float):
        try:
            jsontext.checked_number(value)
        except ValueError as refusal:
            yield path, str(refusal)


def _decode(text: str | bytes) -> str | None:
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
    return None if "\0" in text else text.removeprefix("\ufeff")
