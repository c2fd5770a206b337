"""What commands share: the configuration, a client, and common options."""

import os
import shlex
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qflowd.config import load
from qflowd.config.records import Config
from qflowd.define import documents
from qflowd.model import jsontext
from qflowd.model.errors import InvalidConfig, InvalidRequest
from qflowd.model.names import DEFAULT_TENANT

if TYPE_CHECKING:  # `qflowd run` has the database's code imported while plugins are being tried
    from qflowd.client import Client

LARGEST_TOKEN_FILE = 16 << 10  # bytes
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


def is_tenant_given() -> bool:
    """Whether the command names a tenant, rather than taking the usual one."""
    return _option("tenant") is not None


def named_tenant() -> str:
    """The tenant that the command names, else the usual one."""
    return _option("tenant") or DEFAULT_TENANT


def open_client() -> "Client":
    """A client of the API that `--url` names, else of the configured database; for the tenant that is named.

    Raises: InvalidConfig, InvalidRequest, AccessDenied, StoreUnavailable, SchemaOutdated, SchemaTooNew.
    """
    from qflowd.client import connect
    from qflowd.client.opening import OVER_HTTP

    url, tenant = _option("url"), _option("tenant")
    if not url:
        return connect(configuration().database.url, tenant)
    if not url.startswith(OVER_HTTP):
        raise InvalidRequest(
            f"--url names an HTTP API, https://HOST, not {url.partition(':')[0]}:…; a database is named by "
            "QFLOWD_DATABASE_URL, or [database] url in the configuration"
        )
    return connect(url, tenant, token=_token())


def _token() -> str | None:
    """The token of `--token-file`; None: that of the environment. There is no option for it: `ps` shows those to everybody.

    Raises: InvalidRequest.
    """
    file = _option("token_file")
    if file is None:
        return None
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(LARGEST_TOKEN_FILE + 1)
            is_shown = _is_shown(opened.fileno())
        if len(text) > LARGEST_TOKEN_FILE:
            raise InvalidRequest(f"--token-file {file} holds more than {LARGEST_TOKEN_FILE:,} bytes; a token is a line")
        token = text.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--token-file {file} cannot be read: {error}") from None
    if is_shown:
        from qflowd.cli.printing import echo

        echo(f"warning: others can read --token-file {file}; chmod 600 {shlex.quote(file)} keeps it to you", err=True)
    return token


def _is_shown(descriptor: int) -> bool:
    """Whether others can read a file that is the caller's to protect: not another user's, nor a secret mounted read-only."""
    found = os.fstat(descriptor)
    is_readable = stat.S_ISREG(found.st_mode) and bool(found.st_mode & (stat.S_IRGRP | stat.S_IROTH))
    return is_readable and found.st_uid == os.geteuid() and not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY


def params_options(command: F) -> F:
    """Add `-p` and `--params`; `merged` puts them together."""
    repeated, all_of = "One param; may be repeated.", "All params as JSON; -p wins over it."
    command = click.option("-p", "pairs", metavar="K=V", callback=_pairs, multiple=True, help=repeated)(command)
    return click.option("--params", "given", metavar="JSON|@FILE|-", callback=_given, help=all_of)(command)


def set_option(command: F) -> F:
    """Add `--set`, which is read as `-p` is."""
    about = "A param of the task to change; may be repeated."
    return click.option("--set", "pairs", metavar="K=V", callback=_pairs, multiple=True, help=about)(command)


def merged(given: dict[str, Any] | None, pairs: dict[str, Any]) -> dict[str, Any] | None:
    """The params of `--params` and `-p`; None where neither was given."""
    return None if given is None and not pairs else (given or {}) | pairs


def _pairs(_context: click.Context, _option: click.Parameter, texts: Sequence[str]) -> dict[str, Any]:
    """Values as a YAML file would read them unquoted, but TRUE and ~ are strings; `[…]`, `{…}`, `"…"` are JSON."""
    from qflowd.define.yaml_reader import scalar

    pairs: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} must be written as name=value")
        if name in pairs:
            raise click.BadParameter(f"{name} is there twice; a list is written {name}='[1, 2]'")
        try:
            if value[:1] in ("[", "{", '"'):
                pairs[name] = jsontext.parse(value, is_sent=True)
            else:
                read = scalar(value) if value else ""
                jsontext.checked_number(read)
                is_word = isinstance(read, bool | None) and value not in ("true", "false", "null")
                pairs[name] = value if is_word else read
        except ValueError as error:
            raise click.BadParameter(f"{name}: {error}") from None
    return pairs


def _given(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, Any] | None:
    """Raises: InvalidRequest; InvalidConfig for a file with faults."""
    if text is None:
        return None
    try:
        if text.startswith("@") and Path(text).suffix in documents.SUFFIXES:
            return documents.read_file(Path(text[1:]), InvalidConfig).data
        if text == "-" or text.startswith("@"):
            text = sys.stdin.read() if text == "-" else Path(text[1:]).read_text("utf-8")
        params = jsontext.parse(text, "--params", is_sent=True)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest(f"{error}") from None
    if not isinstance(params, dict):
        raise InvalidRequest('--params must be a JSON object, such as {"symbol": "AAPL"}')
    return params
