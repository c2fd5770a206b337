"""The one table of configuration keys: reading, defaults and the reference in the documentation come from it."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from qflowd.config.database_url import DEFAULT_URL, KINDS
from qflowd.config.records import Format, Level
from qflowd.define.readers import Reader, mapping, one_of, shown, strings, text, whole
from qflowd.model.durations import parse_duration
from qflowd.model.names import fault_in_key

SHORTEST_LEASE_S: Final = 3.0
LONGEST_LEASE_S: Final = 3600.0

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Key(NamedTuple):
    """One key of a section: how it is read, what holds without it, and how it is explained."""

    name: str
    type: str
    read: Reader[Any]
    default: Any
    shown_default: str
    meaning: str


class ReferenceRow(NamedTuple):
    """A line of the configuration reference."""

    key: str
    type: str
    default: str
    meaning: str


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _lease(value: Any) -> float:
    seconds = parse_duration(value)
    if not SHORTEST_LEASE_S <= seconds <= LONGEST_LEASE_S:
        raise ValueError(f"must be from 3s to 1h, not {value!r}")
    return seconds


def _name(value: Any) -> str:
    if fault := fault_in_key(value, "name"):
        raise ValueError(fault)
    return str(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a path in quotes, not {shown(value)}")
    return Path(value).expanduser()


def _paths(value: Any) -> tuple[Path, ...]:
    return tuple(map(_path, value if isinstance(value, list) else [value]))


def _variables(value: Any) -> tuple[str, ...]:
    names = strings(value)
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name[:30]!r} is not the name of an environment variable; give names, not values")
        if name.startswith("QFLOWD_"):
            raise ValueError(f"{name} stays with the daemon: workers must not reach its database")
    return names


def _options(value: Any) -> dict[str, str]:
    return {key: text(item) for key, item in mapping(value).items()}


def _secret(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string in quotes")  # the value is not repeated  # noqa: TRY004  read as a fault
    return value


SECTIONS: Final[Mapping[str, tuple[Key, ...]]] = {
    "database": (
        Key("url", "string", _secret, None, DEFAULT_URL, "`sqlite:///FILE`, `postgresql://…` or `mysql://…`"),
        Key("kind", "string", one_of(*KINDS), None, "", "Instead of `url`, its parts: which database"),
        Key("file", "path", text, None, "qflow.db", "Part: the file of SQLite"),
        Key("host", "string", text, None, "localhost", "Part: host name, or the folder of a PostgreSQL socket"),
        Key("port", "number", whole(1, 65535), None, "the server's usual one", "Part: port"),
        Key("user", "string", text, None, "", "Part: user"),
        Key("password", "string", _secret, None, "", "Part: password; better in `QFLOWD_DATABASE_URL`"),
        Key("name", "string", text, None, "", "Part: name of the database"),
        Key("options", "table", _options, None, "", "Part: options of the driver, such as `sslmode`"),
    ),
    "daemon": (
        Key("name", "string", _name, socket.gethostname(), "host name", "Name of this daemon in `qflow.daemons`"),
        Key("lease", "duration", _lease, 30.0, "30s", "How long other hosts wait before they take over; 3s to 1h"),
        Key("grace", "duration", parse_duration, 10.0, "10s", "Time between asking work to stop and killing it"),
        Key(
            "timeout", "duration", parse_duration, None, "none", "Longest run of a task whose settings name no timeout"
        ),
        Key("run_dir", "path", _path, None, "beside the SQLite file, or a run folder", "Where the lock file lies"),
    ),
    "plugins": (
        Key("dirs", "list of paths", _paths, (Path("plugins"),), "plugins", "Folders of drop-in jobs"),
        Key(
            "enable", "list of strings", strings, (), "none", "Shipped plugins that are off by default, such as `shell`"
        ),
        Key("env", "list of strings", _variables, (), "none", "Names of environment variables that workers may see"),
    ),
    "workflows": (
        Key("dirs", "list of paths", _paths, (Path("workflows"),), "workflows", "Folders of workflow files"),
    ),
    "log": (
        Key(
            "format",
            "string",
            one_of(*get_args(Format)),
            "auto",
            "auto",
            "`auto`: `console` on a terminal, else `json`",
        ),
        Key("level", "string", one_of(*get_args(Level)), "info", "info", "`debug`, `info`, `warning` or `error`"),
    ),
}

POOL_KEYS: Final = (
    Key(
        "processes", "number", whole(1, 1024), None, "`default` pool: cores, at least 2; others: 1", "Worker processes"
    ),
    Key("threads", "number", whole(1, 1024), 1, "1", "Threads in each process, for jobs that wait more than they work"),
)


def reference() -> list[ReferenceRow]:
    """Every key with its type, default and meaning, in the order of the documentation."""
    sections = {**SECTIONS, "pools.NAME": POOL_KEYS}
    return [
        ReferenceRow(f"{section}.{key.name}", key.type, key.shown_default, key.meaning)
        for section, keys in sections.items()
        for key in keys
    ]
