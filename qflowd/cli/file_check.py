"""Faults and warnings of the files in workflow folders: each by itself, and as far as it names what others define."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from qflowd.cli import job_check
from qflowd.cli.known_jobs import KnownJobs
from qflowd.cli.known_names import KnownNames
from qflowd.define import documents, workflow_file
from qflowd.define.documents import Document
from qflowd.define.fields import did_you_mean
from qflowd.define.key_paths import KeyPath, dotted
from qflowd.define.task_definitions import TaskDefinition, definition_in, head_of, made_document
from qflowd.model.dag import cycle_from
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Workflow
from qflowd.plugins.source import visible_files

Names = Callable[[], KnownNames]


@dataclass(slots=True)
class Checked:
    """What the files define, and what is wrong. `not_checked`: names that nothing here could tell of, and where they stand."""

    workflows: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)
    not_checked: list[Fault] = field(default_factory=list)


def workflow_paths(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named that a daemon would read."""
    for path in paths:
        if path.is_dir():
            yield from sorted(map(Path, visible_files(path, tuple(documents.SUFFIXES))))
        else:
            yield path


def check_files(
    paths: Iterable[Path], known: KnownJobs, pools: Collection[str] | None, names: Names | None = None
) -> Checked:
    """Check files; jobs and pools are judged where they are known.

    Args:
        names: asked at the first workflow or task definition that a task names; None leaves such names alone.
    """
    check = _Check(known, pools, names)
    for path in paths:
        try:
            check.add(documents.read_file(path, InvalidWorkflow))
        except InvalidWorkflow as error:
            check.faults += error.faults
    return check.run()


class _Check:
    """One run over all files. Definitions are known before workflows are made of them."""

    def __init__(self, known: KnownJobs, pools: Collection[str] | None, names: Names | None) -> None:
        self._known, self._pools, self._names = known, pools, names
        self.faults: list[Fault] = []
        self._warnings: list[Fault] = []
        self._not_checked: list[Fault] = []
        self._owners: dict[tuple[str, str], str] = {}  # what kind of thing, and its name -> the file that defines it
        self._definitions: dict[str, tuple[Document, TaskDefinition]] = {}
        self._documents: list[Document] = []  # of workflows
        self._workflows: dict[str, tuple[Document, Workflow]] = {}

    def add(self, document: Document) -> None:
        """Raises: InvalidWorkflow for a faulty task type or definition."""
        head = head_of(document.data)
        if head == "workflow":
            self._documents.append(document)
            return
        definition = definition_in(document)._replace(file=document.file)
        if self._owns(document, "task definition", definition.name, head):
            self._definitions[definition.name] = document, definition

    def run(self) -> Checked:
        """Check what was added."""
        for document, definition in self._definitions.values():
            self._check_definition(document, definition)
        for document in self._documents:
            try:
                self._check_workflow(document)
            except InvalidWorkflow as error:
                self.faults += error.faults
        for document, workflow in self._workflows.values():
            self._check_children(document, workflow)
        self.faults += _cycles(self._workflows)
        faults = sorted(self.faults, key=lambda fault: (fault.file, fault.line))
        return Checked(list(self._workflows), list(self._definitions), faults, self._warnings, self._not_checked)

    @cached_property
    def _all(self) -> KnownNames | None:
        """What may be named, from these files and from elsewhere."""
        if self._names is None:
            return None
        return self._names().with_definitions({name: each for name, (_, each) in self._definitions.items()})

    def _owns(self, document: Document, what: str, name: str, head: str) -> bool:
        """Whether this file is the first that defines it; if not, that is a fault."""
        first = self._owners.setdefault((what, name), document.file)
        if first == document.file:
            return True
        self.faults += _faults(
            document, [((head,), f"{what} {name} is defined by {first} already; rename one of them")]
        )
        return False

    def _check_definition(self, document: Document, definition: TaskDefinition) -> None:
        if self._known.is_known:
            self.faults += _faults(document, job_check.unknown_jobs(document.data, (), self._known.jobs))
        name = definition.body.get("type")
        if name is None or (names := self._all) is None:
            return
        types = [each.name for each in names.definitions.values() if each.kind == "type" and not each.is_archived]
        if name not in types:
            problem = f"there is no task type {name!r}{did_you_mean(name, types)}"
            self._unknown(document, ("type",), problem, names, is_known=names.knows_definitions)

    def _check_workflow(self, document: Document) -> None:
        if self._known.is_known:
            self.faults += _faults(document, job_check.problems(document.data, self._known.jobs))
        workflow = workflow_file.parse_document(document)
        if any(task.task for task in workflow.tasks) and (names := self._all) is not None:
            document, workflow = self._made(document, workflow, names)
        remarks = job_check.remarks(workflow, self._known.jobs, self._pools, self._known.domains)
        self._warnings += _faults(document, remarks)
        self._workflows[workflow.key] = document, workflow
        self._owns(document, "workflow", workflow.key, "workflow")

    def _made(self, document: Document, workflow: Workflow, names: KnownNames) -> tuple[Document, Workflow]:
        """The workflow with what its nodes leave to definitions, and the document that says so."""
        nodes = {task.key: task.task for task in workflow.tasks if task.task}
        if not names.knows_definitions:
            for key, name in nodes.items():
                problem = f"there is no task definition {name!r}"
                self._unknown(document, ("tasks", key, "task"), problem, names, is_known=False)
            return document, workflow
        made = made_document(document, names.definitions)
        workflow = workflow_file.parse_document(made)
        if self._known.is_known:
            of_nodes = {**made.data, "tasks": {key: made.data["tasks"][key] for key in nodes}}
            problems = job_check.problems(of_nodes, self._known.jobs)
            # An unknown job is a fault of the definition, not of each node.
            self.faults += _faults(
                made, [(path, why) for path, why in problems if path[-1] not in ("job", "compensate")]
            )
        return made, workflow

    def _check_children(self, document: Document, workflow: Workflow) -> None:
        """The workflows that its tasks start exist."""
        here = {str(other.data.get("workflow")) for other in self._documents}
        for task in workflow.tasks:
            if not task.workflow or task.workflow in here or (names := self._all) is None:
                continue
            is_archived = names.workflows.get(task.workflow)
            if is_archived is False:
                continue
            near = did_you_mean(
                task.workflow,
                {key for key, archived in names.workflows.items() if not archived} | (here - {workflow.key}),
            )
            problem = (
                f"workflow {task.workflow!r} is archived"
                if is_archived
                else f"there is no workflow {task.workflow!r}{near}"
            )
            is_known = names.knows_workflows or len(here) > 1
            self._unknown(document, ("tasks", task.key, "workflow"), problem, names, is_known=is_known)

    def _unknown(self, document: Document, path: KeyPath, problem: str, names: KnownNames, *, is_known: bool) -> None:
        """Note a name that nothing here defines: a fault, unless only a database could tell, and there is none."""
        if is_known:
            self.faults += _faults(document, [(path, problem)])
        else:
            why = f"{problem} beside it, and the database cannot be asked: {names.problem}"
            self._not_checked += _faults(document, [(path, why)])


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
