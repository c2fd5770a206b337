"""What commands share: the configuration, a client, and common options."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qflowd.config import load
from qflowd.config.records import Config
from qflowd.define import documents, yaml_reader
from qflowd.model import jsontext
from qflowd.model.errors import InvalidConfig, InvalidRequest
from qflowd.model.names import DEFAULT_TENANT

if TYPE_CHECKING:  # `qflowd run` has the database's code imported while plugins are being tried
    from qflowd.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def configuration() -> Config:
    """The configuration that holds here.

    Raises: InvalidConfig with every fault.
    """
    named = _option("config")
    return load(Path(named) if named else None, os.environ)


def _option(name: str) -> str | None:
    """An option of `qflowd` itself."""
    return click.get_current_context().find_root().params.get(name)


def open_client() -> "Client":
    """A client of the configured database, for the tenant that is named.

    Raises: InvalidConfig, InvalidRequest, StoreUnavailable, SchemaOutdated, SchemaTooNew.
    """
    from qflowd.client import connect

    tenant = _option("tenant")
    return connect(configuration().database.url, DEFAULT_TENANT if tenant is None else tenant)


class Params(click.ParamType[tuple[str, Any]]):
    """`k=v`: the value as a YAML file would read it unquoted, but TRUE and ~ are strings; `[…]`, `{…}`, `"…"` are JSON."""

    name = "K=V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} must be written as name=value", param, ctx)
        try:
            return key, scalar(text)
        except ValueError as problem:
            self.fail(f"{key}: {problem}", param, ctx)


def scalar(text: str) -> Any:
    """The value that a string on the command line stands for.

    Raises: ValueError.
    """
    if text[:1] in ("[", "{", '"'):
        return jsontext.parse(text)
    value = yaml_reader.scalar(text) if text else ""
    return text if isinstance(value, bool | None) and text not in ("true", "false", "null") else value


def params_options(command: F) -> F:
    """Add `-p` and `--params`; `merged` puts them together."""
    command = click.option("-p", "pairs", type=Params(), multiple=True, help="One param; may be repeated.")(command)
    return click.option("--params", "given", metavar="JSON|@FILE|-", help="All params as JSON; -p wins over it.")(
        command
    )


def merged(given: str | None, pairs: tuple[tuple[str, Any], ...]) -> dict[str, Any] | None:
    """The params of `--params` and `-p`; None where neither was given.

    Raises: InvalidRequest, InvalidConfig for a file with faults.
    """
    if given is None and not pairs:
        return None
    return (_given(given) if given is not None else {}) | dict(pairs)


def _given(text: str) -> dict[str, Any]:
    try:
        if text.startswith("@") and Path(text).suffix in documents.SUFFIXES:
            return documents.read_file(Path(text[1:]), InvalidConfig).data
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8")
        elif text == "-":
            text = sys.stdin.read()
        params = jsontext.parse(text, "--params")
    except (OSError, UnicodeDecodeError, ValueError) as problem:
        raise InvalidRequest(f"{problem}") from None
    if not isinstance(params, dict):
        raise InvalidRequest('--params must be a JSON object, such as {"symbol": "AAPL"}')
    return params
