"""The jobs known on this host: of plugin folders, tried in a throw-away process, and of the store."""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qflowd.calendars.calendar_book import BUNDLED, CalendarBook
from qflowd.cli.limit_check import KnownLimits, known_limits
from qflowd.cli.session import open_client
from qflowd.config.records import Config
from qflowd.daemon.plugins import reloader_for
from qflowd.define.stored import registered_job
from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Job
from qflowd.plugins.registry import Registry


@dataclass(frozen=True, slots=True)
class KnownJobs:
    """Jobs by name. `is_known`: there was a place to look, so that a name that is missing is a fault."""

    jobs: dict[str, Job] = field(default_factory=dict)
    is_known: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)  # plugin file or folder -> what is wrong with it
    pools: frozenset[str] = frozenset()  # of live daemons
    limits: KnownLimits = KnownLimits()  # noqa: RUF009 - frozen
    archived: frozenset[str] = frozenset()  # workflows
    domains: Mapping[str, str | None] = field(default_factory=dict)  # domain -> pool of tasks that name none
    calendars: CalendarBook = BUNDLED


def known_jobs(config: Config | None) -> KnownJobs:
    """Jobs of the plugin folders and of the store; nothing that fails here is more than a remark in `errors`.

    A job that no live daemon has, and that is no longer in the file here that defined it, is not known.
    """
    if config is None:
        return KnownJobs()
    rows, pools, archived = list[dict[str, Any]](), frozenset[str](), frozenset[str]()
    limits: list[dict[str, Any]] | None = None
    domains: dict[str, str | None] = dict(config.domains)
    calendars = BUNDLED
    with contextlib.suppress(QflowdError), open_client() as client:  # files can be checked without it
        rows, pools = client.jobs(), frozenset(row["pool"] for row in client.pools())
        calendars = client.calendars()
        limits, workflows = client.limits(), client.workflows(with_archived=True)
        archived = frozenset(row["workflow"] for row in workflows if row["archived_at"])
        domains |= {row["domain"]: row["default_pool"] for row in workflows if row["domain"] and not row["archived_at"]}
    folders = tuple(folder for folder in config.plugins.dirs if folder.is_dir())
    registry = _try(config, folders) if folders else Registry()

    def is_gone(row: dict[str, Any]) -> bool:
        file = row["file"] or ""  # an API may hide it
        is_read = any(map(Path(file).is_relative_to, folders)) and file not in registry.errors
        return row["state"] != "ACTIVE" and is_read and bool(registry.jobs)

    jobs = {
        row["job"]: registered_job(
            row["job"], row["file"] or "", row["hash"], row["params_schema"] or {}, row["settings"] or {}
        )
        for row in rows
        if not is_gone(row)
    }
    about: dict[str, Any] = {
        "calendars": calendars,
        "pools": pools,
        "domains": domains,
        "limits": known_limits(config, limits),
    }
    is_known = bool(rows or registry.jobs)
    return KnownJobs({**jobs, **registry.jobs}, is_known, registry.errors, archived=archived, **about)


def _try(config: Config, folders: tuple[Path, ...]) -> Registry:
    logging.getLogger("qflowd").addHandler(logging.NullHandler())  # what it would log is in `errors`
    reloader = reloader_for(replace(config, plugins=replace(config.plugins, dirs=folders)))
    try:
        return reloader.start()
    except QflowdError as error:
        return Registry(errors={"plugins": str(error)})
    finally:
        reloader.stop()
