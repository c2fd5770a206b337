"""Names of hosts, files and databases: callers of the system are told them, others are not."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from qflowd.api.call import Call
from qflowd.model.quotas import OF_TENANTS

AWAY: Final = "the database cannot be reached; try again in a moment"
A_FILE: Final = "a file"
UNTOLD: Final = "its file cannot be loaded; a system caller sees why"


def sees_names(call: Call) -> bool:
    """Whether the caller is told them."""
    return call.is_system


def file_named(call: Call, file: str) -> str:
    """A file, as a message to the caller may call it."""
    return file if sees_names(call) else A_FILE


def hide_file(call: Call, row: Any) -> Any:
    """A row with the columns `file` and maybe `error`, as the caller may see it."""
    if sees_names(call) or row is None or row.file is None:
        return row
    error = getattr(row, "error", None)
    return row._replace(file=None, **({} if error is None else {"error": error.replace(row.file, A_FILE)}))


def hide_files(call: Call, rows: Sequence[Any]) -> list[Any]:
    """As `hide_file`, of many, which have their name first; a row that goes by the path of its file is left out."""
    if sees_names(call):
        return list(rows)
    return [hide_file(call, row) for row in rows if row.file is None or row.file != row[0]]


def hide_daemons(call: Call, rows: Sequence[Any]) -> list[Any]:
    """Daemons by their ids: the name of one is often that of its host."""
    if sees_names(call):
        return list(rows)
    return [row._replace(name=_alias(row), host=None, pid=None) for row in rows]


def hide_daemon(call: Call, row: Any) -> Any:
    """A row of a task, an attempt or whatever names the daemon that has run it, which is often that of a host."""
    return row if sees_names(call) or "daemon" not in row._fields else row._replace(daemon=None)


def hide_pools(call: Call, rows: Sequence[Any]) -> list[Any]:
    """Pools whose `daemon` is named as `hide_daemons` does."""
    if sees_names(call):
        return list(rows)
    aliases = {row.name: _alias(row) for row in call.read("list_daemon_loads")}
    return [row._replace(daemon=aliases.get(row.daemon, "")) for row in rows]


def hide_jobs(call: Call, rows: Sequence[Any]) -> list[Any]:
    """Jobs that the caller may run; without the file and the daemons of each for those who are not told them."""
    listed = [row for row in rows if call.may_run(job=row.job)]
    if sees_names(call):
        return listed
    return [row._replace(file=None, daemons=None, error=row.error and UNTOLD) for row in listed]


def hide_plugins(call: Call, rows: Sequence[Any]) -> list[Any]:
    """Plugin files with the jobs in them that the caller may run; for those who see no files, where there are any."""
    listed = [row._replace(jobs=[job for job in row.jobs or [] if call.may_run(job=job)]) for row in rows]
    if sees_names(call):
        return listed
    shown = hide_pools(call, [row for row in listed if row.jobs])
    return [row._replace(file=None, error=row.error and UNTOLD) for row in shown]


def hide_limits(call: Call, rows: Sequence[Any]) -> list[Any]:
    """Limits that are everybody's, or made by a quota of the caller's tenant; the system sees all."""
    if call.is_system:
        return list(rows)
    own = f"{OF_TENANTS}{call.tenant}"
    return [row for row in rows if row.name == own or not row.name.startswith(OF_TENANTS)]


def _alias(daemon: Any) -> str:
    return f"daemon-{daemon.id}"


# Of the Python client's reads: rows that not all may see as they are; those of tenants are not among them.
HIDDEN: Final[Mapping[str, Callable[[Call, Sequence[Any]], list[Any]]]] = MappingProxyType(
    {
        "list_daemons": hide_daemons,
        "list_jobs": hide_jobs,
        "list_plugins": hide_plugins,
        "list_pools": hide_pools,
        "list_task_definitions": hide_files,
        "list_versions": hide_files,
        "list_workflows": hide_files,
        "show_limits": hide_limits,
    }
)
