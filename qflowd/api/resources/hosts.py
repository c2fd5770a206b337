"""What is there to run work: daemons, pools, plugin files, jobs. They are the host's, not a tenant's.

Only a system caller sees names of hosts and of files; others see the jobs that they may run.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of, items_of
from qflowd.define.fields import there_is_no
from qflowd.model.errors import NotFound
from qflowd.model.roles import Role

UNTOLD: Final = "its file cannot be loaded; a system caller sees why"


class DaemonItem(Item):
    """A daemon whose lease has not run out. `busy` of its `slots` are taken; `memory_mb`: of itself and its workers."""

    id: int
    name: str
    host: str | None
    pid: int | None
    version: str
    state: str
    started_at: datetime
    seen_at: datetime
    memory_mb: float | None
    slots: int
    busy: int
    jobs: int
    faulty_files: int


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


class FaultyFile(Item):
    """A file of plugins or workflows that cannot be used, and why."""

    file: str
    error: str


@route("GET", "/daemons", Role.READ, does="R daemons")
def list_daemons(call: Call) -> list[DaemonItem]:
    """The daemons that live, with what they have to do."""
    return daemons_of(call)


@route("GET", "/pools", Role.READ, does="R pools")
def list_pools(call: Call) -> list[PoolItem]:
    """The pools of all daemons that live."""
    aliases = {row.name: _shown_name(call, row) for row in call.read("list_daemon_loads")}
    rows = call.read("list_pools")
    return [PoolItem(**fields_of(row, PoolItem) | {"daemon": aliases.get(row.daemon, "")}) for row in rows]


@route("GET", "/jobs", Role.READ, does="R jobs")
def list_jobs(call: Call) -> list[JobItem]:
    """The jobs that the caller may run."""
    rows = call.read("list_jobs_with_titles")
    return [_job(call, row) for row in rows if call.may_run(job=row.job)]


@route("GET", "/jobs/{name}", Role.READ, does="R jobs")
def show_job(call: Call, name: str) -> JobItem:
    """One job, with the schema of its params."""
    rows = [row for row in call.read("list_jobs_with_titles") if call.may_run(job=row.job)]
    found = next((row for row in rows if row.job == name), None)
    if found is None:
        raise NotFound(there_is_no("job", name, [row.job for row in rows], "jobs"))
    return _job(call, found)


@route("GET", "/plugins", Role.READ, does="R plugins of live daemons")
def list_plugins(call: Call) -> list[PluginFile]:
    """The plugin files of live daemons, with the jobs in each."""
    return _plugins(call)


@route("GET", "/plugins/{name}", Role.READ, does="R plugins of live daemons")
def show_plugin(call: Call, name: str) -> list[PluginFile]:
    """One plugin, as each live daemon sees it: by its file, the file's name without `.py`, or a job in it."""
    found = [plugin for plugin in _plugins(call) if name in (plugin.file, _stem(plugin.file), *plugin.jobs)]
    if not found:
        raise NotFound(f"no live daemon has a plugin {name!r}; GET /api/v1/plugins lists those there are")
    return found


def daemons_of(call: Call) -> list[DaemonItem]:
    """The daemons, as the caller may see them."""
    is_system = call.caller.role >= Role.SYSTEM
    found = []
    for row in call.read("list_daemon_loads"):
        hidden = {} if is_system else {"host": None, "pid": None}
        about = {"name": _shown_name(call, row), "slots": int(row.slots), "jobs": row.jobs_known}
        found.append(DaemonItem(**fields_of(row, DaemonItem) | about | hidden))
    return found


def hide_hosts(call: Call, name: str, rows: list[Any]) -> list[Any]:
    """Rows of a read by its name, as a caller who is not of the system may see them; rows of tenants stay as they are."""
    if name == "list_jobs":
        hidden = {"file": None, "daemons": None}
        return [row._replace(**hidden, error=row.error and UNTOLD) for row in rows if call.may_run(job=row.job)]
    if name == "list_daemons":
        return [row._replace(name=_shown_name(call, row), host=None, pid=None) for row in rows]
    if name not in ("list_pools", "list_plugins"):
        return rows
    aliases = {row.name: _shown_name(call, row) for row in call.read("list_daemon_loads")}
    rows = [row._replace(daemon=aliases.get(row.daemon, "")) for row in rows]
    if name == "list_pools":
        return rows
    listed = [row._replace(jobs=[job for job in row.jobs or [] if call.may_run(job=job)]) for row in rows]
    return [row._replace(file=None, error=row.error and UNTOLD) for row in listed if row.jobs]


def faulty_files_of(call: Call) -> list[FaultyFile]:
    """The files that cannot be used; none for those who do not see files."""
    if call.caller.role < Role.SYSTEM:
        return []
    return items_of(call.read("list_faulty_files"), FaultyFile)


def _plugins(call: Call) -> list[PluginFile]:
    is_system = call.caller.role >= Role.SYSTEM
    aliases = {row.name: _shown_name(call, row) for row in call.read("list_daemon_loads")}
    found = []
    for row in call.read("list_plugins"):
        jobs = [job for job in row.jobs or [] if call.may_run(job=job)]
        about: dict[str, Any] = {"jobs": jobs, "daemon": aliases.get(row.daemon, "")}
        if not is_system:
            about |= {"file": None, "error": row.error and UNTOLD}
        if jobs or is_system:
            found.append(PluginFile(**fields_of(row, PluginFile) | about))
    return found


def _stem(file: str | None) -> str | None:
    return None if file is None else file.rpartition("/")[2].removesuffix(".py")


def _shown_name(call: Call, row: Any) -> str:
    """The name of a daemon is often that of its host."""
    return str(row.name) if call.caller.role >= Role.SYSTEM else f"daemon-{row.id}"


def _job(call: Call, row: Any) -> JobItem:
    names = row.daemons.split(", ") if row.daemons else []
    is_system = call.caller.role >= Role.SYSTEM
    about: dict[str, Any] = {"daemons": names, "file": row.file, "error": row.error}
    if not is_system:
        about = {"daemons": [], "file": None, "error": row.error and UNTOLD}
    return JobItem(**fields_of(row, JobItem) | about)
