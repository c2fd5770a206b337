"""What is there to run work: daemons, pools, plugin files, jobs. They are the host's, not a tenant's.

Only a system caller sees names of hosts and of files; others see the jobs that they may run.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from qflowd.api.access.hidden import hide_jobs, hide_plugins, hide_pools
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of, items_of
from qflowd.api.today.daemons import DaemonItem, live_daemons
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no
from qflowd.model.roles import Role


class PoolItem(Item):
    """A pool of a daemon. `ready_tasks`: those that wait for it, of all daemons together."""

    pool: str
    daemon: str
    processes: int
    threads: int
    busy: int
    ready_tasks: int


class JobItem(Item):
    """A job that was ever registered; WITHDRAWN: no live daemon knows it any more."""

    job: str
    title: str
    doc: str
    params_schema: Any
    settings: Any
    file: str | None
    hash: str
    state: str
    daemons: Sequence[str]
    error: str | None


class PluginFile(Item):
    """A plugin file as one daemon sees it. With an `error` the last good version of it is used.

    `file` is null for those who do not see files, and its error is not told them.
    """

    file: str | None
    daemon: str
    jobs: Sequence[str]
    hash: str
    error: str | None
    updated_at: datetime


@route("GET", "/daemons", Role.READ)
def list_daemons(call: Call) -> list[DaemonItem]:
    """The daemons that live, with what they have to do."""
    return live_daemons(call)


@route("GET", "/pools", Role.READ)
def list_pools(call: Call) -> list[PoolItem]:
    """The pools of all daemons that live."""
    return items_of(hide_pools(call, call.read("list_pools")), PoolItem)


@route("GET", "/jobs", Role.READ)
def list_jobs(call: Call) -> list[JobItem]:
    """The jobs that the caller may run."""
    rows = hide_jobs(call, call.read("list_jobs_with_titles"))
    return [
        JobItem(**fields_of(row, JobItem) | {"daemons": row.daemons.split(", ") if row.daemons else []}) for row in rows
    ]


@route("GET", "/jobs/{name}", Role.READ)
def show_job(call: Call, name: str) -> JobItem:
    """One job, with the schema of its params."""
    jobs = {job.job: job for job in list_jobs(call)}
    if name not in jobs:
        raise NotFound(there_is_no("job", name, jobs, "jobs"))
    return jobs[name]


@route("GET", "/plugins", Role.READ)
def list_plugins(call: Call) -> list[PluginFile]:
    """The plugin files of live daemons, with the jobs in each."""
    return items_of(hide_plugins(call, call.read("list_plugins")), PluginFile)


@route("GET", "/plugins/{name}", Role.READ)
def show_plugin(call: Call, name: str) -> list[PluginFile]:
    """One plugin, as each live daemon sees it: by its file, the file's name without `.py`, or a job in it."""
    found = [plugin for plugin in list_plugins(call) if name in (plugin.file, _stem(plugin.file), *plugin.jobs)]
    if not found:
        raise NotFound(f"no live daemon has a plugin {name!r}; GET /api/v1/plugins lists those there are")
    return found


def _stem(file: str | None) -> str | None:
    return None if file is None else file.rpartition("/")[2].removesuffix(".py")
