"""`qflowd validate`: every fault of workflow files, at once, with file, line and key."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path

import click

from qflowd.cli.exits import ERROR, OK, say
from qflowd.cli.job_check import job_faults, warnings
from qflowd.cli.known_jobs import KnownJobs, known_jobs
from qflowd.cli.printing import print_json
from qflowd.cli.session import configuration, json_option
from qflowd.config.records import Config
from qflowd.define import documents, workflow_file
from qflowd.model.errors import Fault, InvalidConfig, InvalidWorkflow


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def command(*, files: tuple[Path, ...], as_json: bool) -> int:
    """Check workflow FILES, or all files in FOLDERS; without any, the configured workflow folders.

    Jobs and their params are checked where plugin folders or a database tell which jobs there are. Warnings (tasks that
    no run can reach, pools that nobody has) are not faults.
    Exit code 1 if there is any fault.
    """
    config = _configuration()
    known = known_jobs(config)
    paths = list(workflow_paths(files or (config.workflows.dirs if config else ())))
    if not paths:
        raise click.UsageError("There are no workflow files here; name some.")
    pools = known.pools.union(config.pools) if config else None
    workflows, faults, remarks = _check(paths, known, pools)
    if as_json:
        lists = {"faults": list(map(asdict, faults)), "warnings": list(map(asdict, remarks))}
        print_json({"files": list(map(str, paths)), "workflows": workflows, "jobs_checked": known.is_known, **lists})
        return ERROR if faults else OK
    for fault in faults:
        click.echo(str(fault))
    for place, error in known.errors.items():
        say(f"{place}: {error}")
    if not known.is_known:
        say("jobs are not checked: there is no plugin folder and no database that knows any")
    for warning in remarks:
        say(f"warning: {warning}")
    summary = f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "no fault"
    click.echo(f"{len(paths)} file{'s' * (len(paths) != 1)}, {summary}", err=bool(faults))
    return ERROR if faults else OK


def _configuration() -> Config | None:
    try:
        return configuration()
    except InvalidConfig as error:
        say(f"{error}\nthe configuration is not used")
        return None


def workflow_paths(paths: Iterable[Path]) -> Iterable[Path]:
    """The files named, and the workflow files in the folders named."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                file for file in path.rglob("*") if file.suffix.lower() in documents.SUFFIXES and file.is_file()
            )
        else:
            yield path


def _check(
    paths: Iterable[Path], known: KnownJobs, pools: Collection[str] | None
) -> tuple[list[str], list[Fault], list[Fault]]:
    """Keys of the workflows, faults, and warnings; pools are judged where they are known."""
    owners: dict[str, Path] = {}
    faults: list[Fault] = []
    remarks: list[Fault] = []
    for path in paths:
        try:
            document = documents.read_file(path, InvalidWorkflow)
        except InvalidWorkflow as error:
            faults += error.faults
            continue
        if known.is_known:
            faults += job_faults(document, known.jobs)
        try:
            workflow = workflow_file.parse_document(document)
        except InvalidWorkflow as error:
            faults += error.faults
            continue
        remarks += warnings(document, workflow, known.jobs, pools)
        key = workflow.key
        first = owners.setdefault(key, path)
        if first is not path:
            message = f"workflow {key} is defined by {first} already; rename one of them"
            faults.append(Fault(str(path), document.line(("workflow",)), "workflow", message))
    return list(owners), sorted(faults, key=lambda fault: (fault.file, fault.line)), remarks
