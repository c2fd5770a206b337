"""The records that a configuration is read into. A field that `key` declares is a key of the section of that name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from socket import gethostname
from typing import Any, Literal, TypeVar, get_args

from qflowd.config import readers
from qflowd.config.bind import Bind, Network
from qflowd.config.database_url import KINDS, without_password
from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, flag, one_of, whole
from qflowd.model.breaker import Breaker
from qflowd.model.durations import parse_duration, parse_period
from qflowd.model.limits import MOST_SLOTS
from qflowd.model.roles import Role

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]
ROLE_WORDS = tuple(role.word for role in Role if role is not Role.NONE)
R = TypeVar("R")


def key(read: Reader[Any], default: Any = None) -> Any:
    """A field that `read` takes out of a document."""
    return field(default=default, metadata={"read": read})


def read_over(base: R, section: Fields) -> R:
    """`base` with the values in `section`; faults are noted there."""
    values = {f.name: section.take(f.name, f.metadata["read"], getattr(base, f.name)) for f in fields(base)}  # type: ignore[arg-type]
    section.close()
    return replace(base, **values)  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class DatabaseKeys:
    """Where the database is, as it is written: a URL, or its parts."""

    url: str | None = key(readers.secret)
    kind: str | None = key(one_of(*KINDS))
    file: str | None = key(readers.quoted)
    host: str | None = key(readers.quoted)
    port: int | None = key(whole(1, 65535))
    user: str | None = key(readers.quoted)
    password: str | None = key(readers.secret)
    name: str | None = key(readers.quoted)
    options: Mapping[str, str] | None = key(readers.options)


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the database is. The URL may hold a password, so it is never shown whole."""

    url: str = field(repr=False)  # sqlite:////ABSOLUTE/PATH, postgresql://…, mysql://…

    @property
    def shown(self) -> str:
        """The URL without its password, for logs and people."""
        return without_password(self.url)


@dataclass(frozen=True, slots=True)
class ConnectionKeys(DatabaseKeys):
    """A database of others, as it is written."""

    tenants: tuple[str, ...] | None = key(readers.tenants)


@dataclass(frozen=True, slots=True)
class ConnectionConfig(DatabaseConfig):
    """A database of others. `tenants`: whose workflows may ask it; None: those of all."""

    tenants: tuple[str, ...] | None = None

    def is_for(self, tenant: str) -> bool:
        """Whether workflows of a tenant may ask it."""
        return self.tenants is None or tenant in self.tenants


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """One daemon."""

    name: str = key(readers.name("name"), gethostname())
    lease: float = key(readers.lease, 30.0)  # seconds; beat = lease/6
    grace: float = key(parse_duration, 10.0)  # seconds between TERM and KILL
    timeout: float | None = key(parse_duration)  # seconds a task may run where neither task, workflow nor job says
    run_dir: Path | None = key(readers.path)  # None: chosen at start


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Worker slots: `processes` times `threads`."""

    processes: int = key(whole(1, 1024), 1)
    threads: int = key(whole(1, 1024), 1)

    @property
    def slots(self) -> int:
        """How many tasks run at once."""
        return self.processes * self.threads


@dataclass(frozen=True, slots=True)
class LimitConfig:
    """What tasks of all daemons share."""

    slots: int | None = key(readers.slots)
    rate: tuple[str, ...] = key(readers.rates, ())
    breaker: Breaker | None = key(readers.breaker)

    @property
    def capacity(self) -> int:
        """Its slots; without any given, one, and as good as no bound where there is a rate."""
        return self.slots or (MOST_SLOTS if self.rate else 1)

    @property
    def rates(self) -> str | None:
        """Its rates as they are stored."""
        return json.dumps(self.rate) if self.rate else None


@dataclass(frozen=True, slots=True)
class PluginsConfig:
    """Where jobs come from."""

    dirs: tuple[Path, ...] = key(readers.paths, (Path("plugins"),))
    enable: tuple[str, ...] = key(readers.names, ())  # shipped plugins that are off unless named
    env: tuple[str, ...] = key(readers.variables, ())  # that workers get beside the few safe ones; `NAME?` if it is set


@dataclass(frozen=True, slots=True)
class WorkflowsConfig:
    """Where workflow files are."""

    dirs: tuple[Path, ...] = key(readers.paths, (Path("workflows"),))


@dataclass(frozen=True, slots=True)
class WaitsConfig:
    """What tasks may wait for on this host."""

    folders: tuple[Path, ...] = key(readers.paths, ())  # where files may be waited for, at any depth


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What the daemon writes about itself."""

    format: Format = key(one_of(*get_args(Format)), "auto")
    level: Level = key(one_of(*get_args(Level)), "info")


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """How long is kept what is over."""

    audit: float = key(parse_period, 400 * 86_400.0)  # seconds


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The HTTP server. It listens on loopback unless told otherwise."""

    enabled: bool = key(flag, False)  # `qflowd run` starts it too
    bind: Bind = key(readers.bind, Bind("127.0.0.1", 8080))
    tls_cert: Path | None = key(readers.path)
    tls_key: Path | None = key(readers.path)
    plaintext: bool = key(flag, False)  # without TLS although not on loopback: a proxy stands in front
    base_path: str = key(readers.base_path, "")
    hosts: tuple[str, ...] = key(readers.names, ())  # besides that of `bind`
    trusted_proxies: tuple[Network, ...] = key(readers.networks, ())
    trusted_header: str | None = key(readers.header)
    trusted_role: str | None = key(one_of(*ROLE_WORDS))
    threads: int = key(whole(1, 256), 8)
    query_timeout: float = key(parse_duration, 5.0)
    wait: float = key(parse_duration, 2.0)
    rate: str = key(readers.request_rate, "20/s")
    burst: int = key(whole(1, 100_000), 100)
    read_only: bool = key(flag, False)

    def fault(self) -> str:
        """What is wrong with the keys taken together; empty if nothing is."""
        if (self.tls_cert is None) != (self.tls_key is None):
            return "tls_cert and tls_key belong together; give both, or none"
        if not self.bind.is_local and self.tls_cert is None and not self.plaintext:
            return (
                f"{self.bind} can be reached from other hosts: give tls_cert and tls_key, or plaintext = true where a"
                " proxy in front speaks TLS"
            )
        if self.trusted_role is not None and self.trusted_header is None:
            return "trusted_role is of those that trusted_header names; give trusted_header too"
        if self.trusted_header is not None and not self.trusted_proxies and self.bind.socket is None:
            return "trusted_header would believe anybody: name the proxy in trusted_proxies"
        return ""


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. `folder` is where relative paths begin, and the current folder of workers."""

    file: Path | None
    folder: Path
    database: DatabaseConfig
    daemon: DaemonConfig
    pools: Mapping[str, PoolConfig]  # always holds `default`
    domains: Mapping[str, str]  # domain of workflows -> pool of their tasks that name none
    limits: Mapping[str, LimitConfig]
    plugins: PluginsConfig
    workflows: WorkflowsConfig
    waits: WaitsConfig
    connections: Mapping[str, ConnectionConfig]  # databases of others, by the names that workflows use
    log: LogConfig
    retention: RetentionConfig
    api: ApiConfig
