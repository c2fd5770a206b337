"""`qflowd workflows`, `jobs`, `plugins`, `daemons`, `pools`: one table of what each list shows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from qflowd.cli.printing import Cell, coloured, first_line, print_list
from qflowd.cli.session import json_option, open_client

if TYPE_CHECKING:
    from qflowd.client import Client


class Listing(NamedTuple):
    """What a command lists: its help, where the rows come from, its columns, and what it says without rows."""

    about: str
    rows: Callable[["Client"], list[dict[str, Any]]]
    columns: Mapping[str, Cell]
    empty: str

    def show(self, *, as_json: bool) -> None:
        """Ask the database and print."""
        with open_client() as client:
            rows = self.rows(client)
        print_list(rows, self.columns, self.empty, as_json=as_json)


def is_on(row: dict[str, Any]) -> str:
    """A schedule or workflow that is enabled, in a word."""
    return "on" if row["enabled"] else "off"


def _plugins(client: "Client") -> list[dict[str, Any]]:
    import json

    return [row | {"jobs": json.loads(row["jobs"] or "[]")} for row in client.plugins()]


def _error(row: dict[str, Any]) -> str:
    return coloured("FAILED", first_line(row["error"]))


def _params(row: dict[str, Any]) -> str:
    """Names of the params; those that may be left out in brackets."""
    schema = row["params_schema"] if isinstance(row["params_schema"], dict) else {}
    required = schema.get("required", [])
    return ", ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))


LISTINGS: Final = {
    "workflows": Listing(
        "List workflows with their active version, and files that could not be read.",
        lambda client: client.workflows(),
        {
            "WORKFLOW": "workflow",
            "VERSION>": "version",
            "": is_on,
            "TITLE": "title",
            "FROM": "source",
            "CHANGED (UTC)": "updated_at",
            "FILE OR ERROR": lambda row: _error(row) if row["error"] else row["file"],
        },
        "no workflows; a daemon stores what it finds in workflows/",
    ),
    "jobs": Listing(
        "List jobs: those that live daemons know (ACTIVE), and those that were withdrawn.",
        lambda client: client.jobs(),
        {
            "JOB": "job",
            "STATE": lambda row: coloured(row["state"]),
            "PARAMS": _params,
            "DAEMONS": "daemons",
            "ABOUT": lambda row: _error(row) if row["error"] else first_line(row["doc"]),
        },
        "no jobs; a daemon stores what it finds in plugins/",
    ),
    "plugins": Listing(
        "List plugin files as each live daemon sees them, with the error of those that could not be loaded.",
        _plugins,
        {
            "FILE": "file",
            "DAEMON": "daemon",
            "CHANGED (UTC)": "updated_at",
            "JOBS OR ERROR": lambda row: _error(row) if row["error"] else ", ".join(map(str, row["jobs"])),
        },
        "no daemon is alive, so no plugins are loaded",
    ),
    "daemons": Listing(
        "List daemons that are alive: ready, or stopping.",
        lambda client: client.daemons(),
        {
            "ID>": "id",
            "NAME": "name",
            "HOST": "host",
            "PID>": "pid",
            "VERSION": "version",
            "STATE": lambda row: coloured(row["state"]),
            "POOLS": "pools",
            "MEMORY>": lambda row: "" if row["memory_mb"] is None else f"{row['memory_mb']:.0f} MB",
            "STARTED (UTC)": "started_at",
            "SEEN (UTC)": "seen_at",
        },
        "no daemon is running; `qflowd run` starts one",
    ),
    "pools": Listing(
        "List pools of worker slots, a row per daemon, with what is busy and what waits.",
        lambda client: client.pools(),
        {
            "POOL": "pool",
            "DAEMON": "daemon",
            "PROCESSES>": "processes",
            "THREADS>": "threads",
            "BUSY>": "busy",
            "WAITING>": "ready_tasks",
        },
        "no pools: no daemon is running",
    ),
    "schedules": Listing(
        "List schedules and when they fire next; or enable, disable or look into that of one workflow.",
        lambda client: client.schedules(),
        {
            "WORKFLOW": "workflow",
            "CRON": "cron",
            "TIMEZONE": "timezone",
            "CATCH UP": "catchup",
            "": is_on,
            "SET BY": "source",
            "LAST (UTC)": "last_fire_at",
            "NEXT (UTC)": "next_fire_at",
        },
        "no schedules",
    ),
}


def _command(name: str) -> click.Command:
    listing = LISTINGS[name]

    @click.command(name, help=listing.about)
    @json_option
    def command(*, as_json: bool) -> None:
        listing.show(as_json=as_json)

    return command


workflows, jobs, plugins, daemons, pools = map(_command, ("workflows", "jobs", "plugins", "daemons", "pools"))
