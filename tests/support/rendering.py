"""Workflows as text in YAML, TOML or JSON, for tests that read them back."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import yaml

from qflowd.define.documents import Format
from qflowd.define.writing import dump
from qflowd.define.yaml_reader import scalar
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Json, Workflow

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc, valid-type]
    """Quotes what either reader would take for something else than text, and never uses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if scalar(text) == text else '"')


_Dumper.add_representer(str, _represent_text)


def render(workflow: Workflow, format: Format) -> str:
    """The text of a file that describes `workflow`.

    Raises: InvalidWorkflow if it holds null, which TOML cannot say.
    """
    document = dump(workflow)
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if format == "yaml":
        text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        return text
    return _toml(document, workflow.key)


def _toml(document: Mapping[str, Json], workflow: str) -> str:
    """Plain keys first, then a table for each mapping; one table for each task and param."""
    lines = [f"{_key(key)} = {_value(item, workflow)}" for key, item in document.items() if not isinstance(item, dict)]
    for key, item in document.items():
        if isinstance(item, dict) and key in ("tasks", "params"):
            lines += ["", f"[{key}]"]
            for inner, table in item.items():
                lines += _table(f"{key}.{_key(inner)}", table, workflow)
        elif isinstance(item, dict):
            lines += _table(_key(key), item, workflow)
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, Json], workflow: str) -> list[str]:
    return ["", f"[{name}]", *(f"{_key(key)} = {_value(item, workflow)}" for key, item in table.items())]


def _value(value: Json, workflow: str) -> str:
    if value is None:
        _refuse_null(workflow)
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(item, workflow)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item, workflow) for item in value)}]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # The escapes of JSON are TOML's too; only DEL is allowed bare in JSON alone.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _refuse_null(workflow: str) -> NoReturn:
    raise InvalidWorkflow([Fault(workflow, 0, "", "holds null, which TOML cannot say; use YAML or JSON")])
