"""The typed records that a configuration is read into."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from qflowd.config.database_url import without_password

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the database is. The URL may hold a password, so it is never shown whole."""

    url: str = field(repr=False)  # sqlite:////ABSOLUTE/PATH, postgresql://…, mysql://…

    @property
    def shown(self) -> str:
        """The URL without its password, for logs and people."""
        return without_password(self.url)


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """One daemon."""

    name: str
    lease: float  # seconds; beat = lease/6
    grace: float  # seconds between TERM and KILL
    timeout: float | None  # seconds a task may run where neither task, workflow nor job says
    run_dir: Path | None  # None: chosen at start


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Worker slots: `processes` times `threads`."""

    processes: int
    threads: int = 1

    @property
    def slots(self) -> int:
        """How many tasks run at once."""
        return self.processes * self.threads


@dataclass(frozen=True, slots=True)
class PluginsConfig:
    """Where jobs come from."""

    dirs: tuple[Path, ...]
    enable: tuple[str, ...]  # shipped plugins that are off unless named
    env: tuple[str, ...]  # names of environment variables that workers get beside the few safe ones


@dataclass(frozen=True, slots=True)
class WorkflowsConfig:
    """Where workflow files are."""

    dirs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class LogConfig:
    """What the daemon writes about itself."""

    format: Format
    level: Level


@dataclass(frozen=True, slots=True)
class Config:
    """All of it. `folder` is where relative paths begin, and the current folder of workers."""

    file: Path | None
    folder: Path
    database: DatabaseConfig
    daemon: DaemonConfig
    pools: Mapping[str, PoolConfig]  # always holds `default`
    plugins: PluginsConfig
    workflows: WorkflowsConfig
    log: LogConfig
