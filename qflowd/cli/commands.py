"""All commands with their one-line help, in the order of `qflowd --help`, and the group that imports them when called."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

HELP: Final = """An INSERT into a database table runs a DAG.

\b
Exit codes:
  0    done; of `submit --wait`: SUCCESS
  1    an error, or a negative finding; of `submit --wait`: FAILED
  2    wrong usage or configuration
  3    of `submit --wait`: REJECTED
  4    of `submit --wait`: TERMINATED
  5    the database (with --url: the API) cannot be reached, or its schema is not this qflowd's
  130  interrupted
"""

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Start": {
        "init": "Create a folder with configuration, a first job and workflow, and a database.",
        "run": "Run the daemon.",
        "api": "Serve the HTTP API and the dashboard.",
        "validate": "Check workflow files; report every fault.",
        "plan": "Show what a workflow would do: order, params, next fires.",
    },
    "Run": {
        "submit": "Submit a workflow or a single job; print the id.",
        "backfill": "Run a workflow for each date of a range, a few at a time.",
        "ps": "List instances, open ones first.",
        "show": "Show one instance: tasks, what they wait for or returned, errors.",
        "why": "Say why an instance or a task does not continue.",
        "logs": "Show what tasks wrote; -f follows.",
        "terminate": "Stop instances: kill what runs, cancel what has not started; or stop one task that runs.",
        "stop": "Stop all open instances of workflows.",
        "retry": "Run failed tasks of instances again, and what depends on them.",
        "compensate": "Undo what instances that have ended did, by the compensations of their tasks.",
        "rerun": "Run one task of instances again, and all that depends on it, however they ended.",
        "trigger": "Run one task now, although it waits for a time or is paused; of a workflow, run it alone.",
        "skip": "Let instances continue without one of their tasks; what comes after it runs.",
        "pause": "Begin nothing more of instances, or of a workflow; running tasks end.",
        "resume": "Continue paused instances, or a workflow; start those that were submitted with --hold.",
        "start": "Start instances that were submitted with --hold.",
        "signal": "Send a signal: tasks that wait for it continue.",
        "approve": "Let a task of an instance continue that waits for an approval.",
        "reject": "Let a task of an instance fail that waits for an approval.",
        "handle": "Mark failures as handled: they leave the list of failures.",
        "mute": "Leave a group of failures out of what waits for a person, for a while.",
    },
    "Look": {
        "top": "Watch instances, failures, daemons and next fires, until q.",
        "failures": "List failed tasks that nobody has handled; or, with --handled, that somebody has.",
        "approvals": "List tasks that wait for a person to approve or reject.",
        "datasets": "List what tasks have produced: the latest version of each, or all.",
        "signals": "List signals that were sent, newest first; or those of one name.",
        "workflows": "List workflows, and files that could not be read; archive one.",
        "versions": "List versions of a workflow; compare, draft, try, activate, roll back.",
        "definitions": "List task types and task definitions; define, archive or unarchive one.",
        "schedules": "List schedules and what became of them; switch, fire or set one.",
        "backfills": "List backfills; show, pause, resume or stop one.",
        "late": "List business dates that had no good run by when one was expected.",
        "events": "List what has happened: dates that became late, horizons of calendars; or follow it.",
        "gaps": "List sessions of a workflow's calendar that have no good run.",
        "calendars": "List calendars; show the year of one, its next sessions, whether it is open.",
        "jobs": "List jobs that live daemons know (ACTIVE) or knew (WITHDRAWN).",
        "plugins": "List plugin files as each live daemon sees them, with errors.",
        "daemons": "List daemons that are running: ready, or stopping.",
        "pools": "List pools of worker slots: what is busy, and what waits.",
        "limits": "List limits that all daemons share: what is used, waits, is paused; set or pause one.",
    },
    "Maintain": {
        "doctor": "Check this host, the configuration and the database.",
        "migrate": "Create the schema, or bring it up to date.",
        "token": "Make, list or revoke tokens of the HTTP API.",
        "login-link": "Print a link that signs somebody in to the dashboard once.",
        "tenants": "List tenants; set what each may have, and show what it used.",
    },
}
COMMANDS: Final = {name: about for commands in GROUPS.values() for name, about in commands.items()}
# Those that no API can stand in for.
NEED_DATABASE: Final = frozenset({"init", "run", "api", "doctor", "migrate", "token", "login-link", "tenants"})
# Where those are that have no module of their name.
MODULES: Final = {
    "top": "top.command",
    **dict.fromkeys(("approve", "reject"), "approvals"),
    **dict.fromkeys(("ps", "workflows", "jobs", "plugins", "daemons", "pools"), "lists"),
    **dict.fromkeys(
        ("terminate", "stop", "retry", "rerun", "skip", "compensate", "pause", "resume", "start", "handle"), "instances"
    ),
}


class LazyGroup(click.Group):
    """A group that knows its commands by the table, and imports the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(commands={name: click.Command(name) for name in COMMANDS}, **options)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"qflowd.cli.{MODULES.get(name, name)}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))
