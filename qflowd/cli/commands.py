"""All commands with their one-line help, in the order of `qflowd --help`, and the group that imports them when called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is, and what it does in a line."""

    module: str
    help: str
    attribute: str = "command"


HELP: Final = """An INSERT into a database table runs a DAG.

\b
Exit codes:
  0    done; of `submit --wait`: SUCCESS
  1    an error, or a negative finding; of `submit --wait`: FAILED
  2    wrong usage or configuration
  3    of `submit --wait`: REJECTED
  4    of `submit --wait`: TERMINATED
  5    the database cannot be reached, or its schema is not this qflowd's
  130  interrupted
"""

GROUPS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Start": {
        "init": Entry("init", "Make a folder with configuration, a first job and workflow, and a database."),
        "run": Entry("run", "Run the daemon."),
        "validate": Entry("validate", "Check workflow files; report every fault."),
        "plan": Entry("plan", "Show what a workflow would do: order, params, next fires."),
    },
    "Run": {
        "submit": Entry("submit", "Submit a workflow or a single job; print the id."),
        "ps": Entry("lists", "List instances, open ones first.", "ps"),
        "show": Entry("show", "Show one instance: tasks, what they wait for or returned, errors."),
        "logs": Entry("logs", "Show what tasks wrote; -f follows."),
        "terminate": Entry("control", "Stop instances: kill what runs, cancel what has not started.", "terminate"),
        "retry": Entry("control", "Run failed tasks of instances again, and what depends on them.", "retry"),
        "resume": Entry("control", "Start instances that were submitted with --hold.", "resume"),
    },
    "Look": {
        "workflows": Entry("lists", "List workflows, and files that could not be read.", "workflows"),
        "schedules": Entry("schedules", "List schedules; enable, disable or look into one."),
        "jobs": Entry("lists", "List jobs that live daemons know (ACTIVE) or knew (WITHDRAWN).", "jobs"),
        "plugins": Entry("lists", "List plugin files as each live daemon sees them, with errors.", "plugins"),
        "daemons": Entry("lists", "List daemons that are running: ready, or stopping.", "daemons"),
        "pools": Entry("lists", "List pools of worker slots: what is busy, and what waits.", "pools"),
    },
    "Maintain": {
        "doctor": Entry("doctor", "Check this host, the configuration and the database."),
        "migrate": Entry("migrate", "Make the schema, or bring it up to date."),
    },
}
ENTRIES: Final = {name: entry for entries in GROUPS.values() for name, entry in entries.items()}


class LazyGroup(click.Group):
    """A group that knows its commands by the table, and imports the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(commands={name: click.Command(name) for name in ENTRIES}, **options)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = ENTRIES.get(cmd_name)
        return entry and getattr(import_module(f"qflowd.cli.{entry.module}"), entry.attribute)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in entries.items()])
