"""Which jobs there are, as far as can be told here: plugin folders tried in a throw-away process, and the store."""

import contextlib
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from qflowd.client import connect
from qflowd.config.records import Config
from qflowd.daemon.plugins import reloader_for
from qflowd.define.stored import registered_job
from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Job
from qflowd.plugins.folder_watch import FolderWatch


@dataclass(frozen=True, slots=True)
class KnownJobs:
    """Jobs by name. `is_known`: there was a place to look, so that a name that is missing is a fault."""

    jobs: dict[str, Job] = field(default_factory=dict)
    is_known: bool = False
    errors: dict[str, str] = field(default_factory=dict)  # plugin file or folder -> what is wrong with it
    pools: frozenset[str] = frozenset()  # of live daemons


def known_jobs(config: Config | None) -> KnownJobs:
    """Jobs of the plugin folders and of the store; nothing that fails here is more than a remark in `errors`.

    A job that no live daemon has, and that is no longer in the file here that defined it, is not known.
    """
    found, withdrawn = KnownJobs(), set[str]()
    if config is None:
        return found
    with contextlib.suppress(QflowdError):  # a store is not needed to check files
        found, withdrawn = _of_store(config.database.url)
    folders = [folder for folder in config.plugins.dirs if folder.is_dir()]
    if not folders:
        return found
    logging.getLogger("qflowd").addHandler(logging.NullHandler())  # what it would log is in `errors`
    reloader = reloader_for(config, FolderWatch(folders, (".py",), events=False))
    try:
        registry = reloader.start()
    except QflowdError as error:
        return replace(found, errors={"plugins": str(error)})
    finally:
        reloader.stop()
    gone = {
        name
        for name in withdrawn - registry.jobs.keys()
        if (file := found.jobs[name].file) not in registry.errors and any(map(Path(file).is_relative_to, folders))
    }
    kept = {name: job for name, job in found.jobs.items() if name not in gone}
    return KnownJobs({**kept, **registry.jobs}, True, dict(registry.errors), found.pools)


def _of_store(url: str) -> tuple[KnownJobs, set[str]]:
    """The jobs of the store, and the names of those that no live daemon has."""
    with connect(url) as client:
        rows, pools = client.jobs(), frozenset(row["pool"] for row in client.pools())
    jobs = {
        row["job"]: registered_job(
            row["job"], row["file"], row["hash"], row["params_schema"] or {}, row["settings"] or {}
        )
        for row in rows
    }
    return KnownJobs(jobs, bool(jobs), pools=pools), {row["job"] for row in rows if row["state"] != "ACTIVE"}
