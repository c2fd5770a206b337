"""The daemons that live, and the files that cannot be used."""

from datetime import datetime

from qflowd.api.access.hidden import hide_daemons, sees_names
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.row_fields import fields_of, items_of


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


class FaultyFile(Item):
    """A file of plugins or workflows that cannot be used, and why."""

    file: str
    error: str


def live_daemons(call: Call) -> list[DaemonItem]:
    """The daemons whose leases have not run out, as the caller may see them."""
    rows = hide_daemons(call, call.read("list_daemon_loads"))
    return [
        DaemonItem(**fields_of(row, DaemonItem) | {"slots": int(row.slots), "jobs": row.jobs_known}) for row in rows
    ]


def faulty_files_of(call: Call) -> list[FaultyFile]:
    """The files that cannot be used; none for those who do not see files."""
    if not sees_names(call):
        return []
    return items_of(call.read("list_faulty_files"), FaultyFile)
