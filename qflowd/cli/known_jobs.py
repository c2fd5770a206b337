"""Which jobs there are, as far as can be told here: plugin folders tried in a throw-away process, and the store."""

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Job

if TYPE_CHECKING:
    from qflowd.config import Config


@dataclass(frozen=True, slots=True)
class KnownJobs:
    """Jobs by name. `is_known`: there was a place to look, so that a name that is missing is a fault."""

    jobs: dict[str, Job] = field(default_factory=dict)
    is_known: bool = False
    errors: dict[str, str] = field(default_factory=dict)  # plugin file or folder -> what is wrong with it


def known_jobs(config: "Config | None") -> KnownJobs:
    """Jobs of the plugin folders and of the store; nothing that fails here is more than a remark in `errors`."""
    found = KnownJobs()
    if config is None:
        return found
    with contextlib.suppress(QflowdError):  # a store is not needed to check files
        found = _of_store(config.database.url)
    folders = [folder for folder in config.plugins.dirs if folder.is_dir()]
    if not folders:
        return found
    from qflowd.plugins.reload import Reloader
    from qflowd.plugins.watch import FolderWatch
    from qflowd.workers.environment import worker_env

    watch = FolderWatch(folders, (".py",), events=False)
    # As the daemon tries them: a plugin may look for a variable that [plugins] env lets through.
    env = worker_env(os.environ, config.plugins.env)
    reloader = Reloader(folders, config.plugins.enable, watch=watch, cwd=config.folder, env=env)
    try:
        registry = reloader.start()
    except QflowdError as error:
        return KnownJobs(found.jobs, found.is_known, {"plugins": str(error)})
    finally:
        reloader.stop()
    return KnownJobs({**found.jobs, **registry.jobs}, True, dict(registry.errors))


def _of_store(url: str) -> KnownJobs:
    from qflowd.client import connect
    from qflowd.define.documents import Document
    from qflowd.define.fields import Fields
    from qflowd.define.workflow_file import read_settings

    with connect(url) as client:
        rows = client.jobs()
    jobs = {
        row["job"]: Job(
            name=row["job"],
            module="",
            file=row["file"],
            hash=row["hash"],
            params_schema=row["params_schema"] or {},
            settings=read_settings(Fields.of(Document(row["settings"] or {}))),
        )
        for row in rows
    }
    return KnownJobs(jobs, bool(jobs))
