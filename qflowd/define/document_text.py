"""From a document of plain values to the text of a file: YAML, TOML or JSON, which `documents.read` reads back alike."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from qflowd.define.documents import Format
from qflowd.model.errors import InvalidRequest
from qflowd.model.workflow import Json

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def write_text(document: Mapping[str, Json], format: Format) -> str:
    """The text of a document, with its keys in their order.

    Raises: InvalidRequest if TOML cannot hold it, since it has no null.
    """
    if format == "json":
        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if format == "yaml":
        from qflowd.define.yaml_writer import write

        return write(document)
    return "\n".join(_toml_lines(document, ())).lstrip("\n") + "\n"


def _toml_lines(table: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[str]:
    """Plain values first, since they would belong to the table above them otherwise; then a section for each mapping."""
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{_toml_key(key)} = {_toml(value, (*path, key))}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield ""
            yield f"[{'.'.join(map(_toml_key, (*path, key)))}]"
            yield from _toml_lines(value, (*path, key))


def _toml(value: Json, path: tuple[str, ...]) -> str:
    if value is None:
        raise InvalidRequest(f"{'.'.join(path)} is null, which TOML cannot say; ask for yaml or json")
    if isinstance(value, Mapping):
        pairs = (f"{_toml_key(key)} = {_toml(each, (*path, key))}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each, path) for each in value)}]"
    if isinstance(value, str):
        return _toml_text(value)
    return json.dumps(value)  # numbers and booleans are written alike


def _toml_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _toml_text(key)
