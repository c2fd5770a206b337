"""`qflowd validate`: every fault of workflow files, at once, with file, line and key."""

from pathlib import Path

import click

from qflowd.cli.exits import ERROR, OK, say
from qflowd.cli.file_check import check_files, workflow_paths
from qflowd.cli.known_jobs import known_jobs
from qflowd.cli.known_names import known_names
from qflowd.cli.printing import echo, print_json
from qflowd.cli.session import configuration, json_option, named_tenant
from qflowd.model.errors import InvalidConfig


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def validate(*, files: tuple[Path, ...], as_json: bool) -> int:
    """Check workflow FILES, or all files in FOLDERS; without any, the configured workflow folders.

    Jobs and their params are checked where plugin folders or a database tell which jobs there are; workflows and task
    definitions that tasks name, where a database or files beside these do. What could not be checked is said. Warnings
    (tasks that no run can reach, pools that no daemon has, connections that are not configured here) are not faults.
    Exit code 1 if there is any fault.
    """
    config = None
    try:
        config = configuration()
    except InvalidConfig as error:
        if not files:  # it would say where they are
            raise
        say(f"{error}\nthe configuration is not used")
    known = known_jobs(config)
    paths = list(workflow_paths(files or (config.workflows.dirs if config else ())))
    if not paths:
        raise click.UsageError("There are no workflow files here; name some.")
    pools = known.pools.union(config.pools) if config else None
    connections = config.connections if config else None
    checked = check_files(paths, known, pools, lambda: known_names(config, paths), connections, named_tenant())
    faults, count = checked.faults, len(checked.faults)
    if as_json:
        keys = {"files": list(map(str, paths)), "workflows": checked.workflows, "definitions": checked.definitions}
        about = {"warnings": checked.warnings, "not_checked": checked.not_checked, "jobs_checked": known.is_known}
        print_json({**keys, "faults": faults, **about})
        return ERROR if faults else OK
    for fault in faults:
        echo(str(fault))
    for place, message in known.errors.items():
        say(message if place in message else f"{place}: {message}")
    if not known.is_known:
        say("jobs are not checked: there is no plugin folder and no database that knows any")
    for name in checked.not_checked:
        say(f"not checked: {name}")
    for warning in checked.warnings:
        say(f"warning: {warning}")
    summary = f"{count} fault{'s' * (count != 1)}" if faults else "no fault"
    echo(f"{len(paths)} file{'s' * (len(paths) != 1)}, {summary}", err=bool(faults))
    return ERROR if faults else OK
