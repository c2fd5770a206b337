"""Database URLs: put together from parts, made absolute, shown without their password."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

DEFAULT_URL: Final = "sqlite:///qflow.db"
KINDS: Final = ("sqlite", "postgresql", "mysql", "mariadb")

_SERVER_PARTS: Final = ("host", "port", "user", "password", "name", "options")


def compose(values: Mapping[str, Any]) -> str:
    """The URL in `values` (`url`), or the one that its parts make.

    Raises: ValueError for parts that do not fit together.
    """
    parts = {name: value for name, value in values.items() if value is not None and name != "url"}
    if values["url"]:
        if parts:
            raise ValueError(f"has url and also {', '.join(parts)}; keep either the url or its parts")
        return str(values["url"])
    if not parts:
        return DEFAULT_URL
    kind = parts.get("kind")
    if kind is None:
        raise ValueError(f"has {', '.join(parts)} without kind; say which: {', '.join(KINDS)}")
    if kind == "sqlite":
        return _sqlite_from_parts(parts)
    if "file" in parts:
        raise ValueError(f"has file, which belongs to sqlite and not to {kind}")
    return _server_from_parts(kind, parts)


def resolve(url: str, folder: Path) -> str:
    """`url` with the path of a SQLite file made absolute, beginning at `folder`.

    Raises: ValueError if no database of ours answers to `url`.
    """
    scheme = url.partition("://")[0] if "://" in url else ""
    kind = scheme.partition("+")[0]
    if kind not in (*KINDS, "postgres"):
        raise ValueError("does not begin like sqlite:///qflow.db, postgresql://host/name or mysql://host/name")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is not a number
    except ValueError:
        # Its own words could show a password.
        raise ValueError("is not a URL; percent-encode special characters in user and password") from None
    if kind != "sqlite":
        return url
    if parts.netloc or len(parts.path) < 2:
        raise ValueError("names no file; write sqlite:///qflow.db (relative) or sqlite:////var/lib/qflow.db (absolute)")
    return sqlite_url(folder / unquote(parts.path[1:]))


def sqlite_url(file: Path) -> str:
    """The URL of the SQLite file at the absolute path `file`."""
    return f"sqlite:///{quote(str(file))}"


def without_password(url: str) -> str:
    """`url` with its password hidden, and whatever options might hold one."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return url
    place = parts.netloc.rpartition("@")[2]
    user = parts.username
    return f"{parts.scheme}://{f'{user}@' if user else ''}{place}{parts.path}"


def _sqlite_from_parts(parts: Mapping[str, Any]) -> str:
    wrong = [name for name in _SERVER_PARTS if name in parts]
    if wrong:
        raise ValueError(f"has {', '.join(wrong)}, which sqlite does not need; its only part is file")
    return f"sqlite:///{quote(str(parts.get('file', 'qflow.db')))}"


def _server_from_parts(kind: str, parts: Mapping[str, Any]) -> str:
    login = quote(parts.get("user", ""), safe="")
    if password := parts.get("password"):
        login += f":{quote(password, safe='')}"
    host = parts.get("host", "localhost")
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    if port := parts.get("port"):
        place += f":{port}"
    query = urlencode(parts.get("options", {}))
    return (
        f"{kind}://{login}{'@' if login else ''}{place}/{quote(parts.get('name', ''), safe='')}{query and '?' + query}"
    )
