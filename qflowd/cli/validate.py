"""`qflowd validate`: every fault of workflow files, at once, with file, line and key."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import click

from qflowd.cli import job_check
from qflowd.cli.exits import ERROR, OK, say
from qflowd.cli.known_jobs import KnownJobs, known_jobs
from qflowd.cli.printing import print_json
from qflowd.cli.session import configuration, json_option
from qflowd.define import documents, workflow_file
from qflowd.define.documents import Document
from qflowd.define.key_paths import KeyPath, dotted
from qflowd.model.dag import cycle_from
from qflowd.model.errors import Fault, InvalidConfig, InvalidWorkflow
from qflowd.model.workflow import Workflow
from qflowd.plugins.source import visible_files


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def validate(*, files: tuple[Path, ...], as_json: bool) -> int:
    """Check workflow FILES, or all files in FOLDERS; without any, the configured workflow folders.

    Jobs and their params are checked where plugin folders or a database tell which jobs there are. Warnings (tasks that
    no run can reach, pools that no daemon has) are not faults.
    Exit code 1 if there is any fault.
    """
    config = None
    try:
        config = configuration()
    except InvalidConfig as error:
        say(f"{error}\nthe configuration is not used")
    known = known_jobs(config)
    paths = list(workflow_paths(files or (config.workflows.dirs if config else ())))
    if not paths:
        raise click.UsageError("There are no workflow files here; name some.")
    workflows, faults, warnings = check_files(paths, known, known.pools.union(config.pools) if config else None)
    if as_json:
        found = {"faults": faults, "warnings": warnings, "jobs_checked": known.is_known}
        print_json({"files": list(map(str, paths)), "workflows": workflows, **found})
        return ERROR if faults else OK
    for fault in faults:
        click.echo(str(fault))
    for place, problem in known.errors.items():
        say(f"{place}: {problem}")
    if not known.is_known:
        say("jobs are not checked: there is no plugin folder and no database that knows any")
    for warning in warnings:
        say(f"warning: {warning}")
    summary = f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "no fault"
    click.echo(f"{len(paths)} file{'s' * (len(paths) != 1)}, {summary}", err=bool(faults))
    return ERROR if faults else OK


def workflow_paths(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named that a daemon would read."""
    for path in paths:
        if path.is_dir():
            yield from sorted(map(Path, visible_files(path, tuple(documents.SUFFIXES))))
        else:
            yield path


def check_files(
    paths: Iterable[Path], known: KnownJobs, pools: Collection[str] | None
) -> tuple[list[str], list[Fault], list[Fault]]:
    """Keys of the workflows, faults, and warnings; jobs and pools are judged where they are known."""
    owners: dict[str, Path] = {}
    starting: dict[str, tuple[Document, Workflow]] = {}
    faults: list[Fault] = []
    warnings: list[Fault] = []
    for path in paths:
        try:
            document = documents.read_file(path, InvalidWorkflow)
            if known.is_known:
                faults += _faults(document, job_check.problems(document.data, known.jobs))
            workflow = workflow_file.parse_document(document)
        except InvalidWorkflow as error:
            faults += error.faults
            continue
        warnings += _faults(document, job_check.remarks(workflow, known.jobs, pools))
        starting[workflow.key] = document, workflow
        first = owners.setdefault(workflow.key, path)
        if first is not path:
            message = f"workflow {workflow.key} is defined by {first} already; rename one of them"
            faults += _faults(document, [(("workflow",), message)])
    faults += _cycles(starting)
    return list(owners), sorted(faults, key=lambda fault: (fault.file, fault.line)), warnings


def _cycles(workflows: Mapping[str, tuple[Document, Workflow]]) -> Iterator[Fault]:
    """Workflows that start each other for ever; what these files do not define is left to the submission."""

    def below(key: str) -> list[str]:
        return [task.workflow for task in workflows[key][1].tasks if task.workflow] if key in workflows else []

    for key, (document, workflow) in workflows.items():
        cycle = cycle_from(key, below)
        if cycle and cycle[0] == key:
            task = next(task.key for task in workflow.tasks if task.workflow == cycle[1])
            message = f"this workflow would start itself for ever: {' -> '.join(cycle)}"
            yield from _faults(document, [(("tasks", task, "workflow"), message)])


def _faults(document: Document, problems: Iterable[tuple[KeyPath, str]]) -> list[Fault]:
    return [Fault(document.file, document.line(path), dotted(path), message) for path, message in problems]
