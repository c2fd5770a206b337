"""Faults and warnings of the files in workflow folders: each by itself, and as far as it names what others define."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from qflowd.cli import job_check, limit_check, start_check, wait_check
from qflowd.cli.known_jobs import KnownJobs
from qflowd.cli.known_names import KnownNames
from qflowd.config.records import ConnectionConfig
from qflowd.define import documents, workflow_file
from qflowd.define.documents import Document
from qflowd.define.key_paths import KeyPath
from qflowd.define.param_faults import param_faults
from qflowd.define.schema import workflow_schema
from qflowd.define.task_definitions import TaskDefinition, definition_in, filled, head_of, why_archived
from qflowd.model.dag import cycle_from
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Workflow
from qflowd.plugins.source import visible_files

Names = Callable[[], KnownNames]


@dataclass(slots=True)
class Checked:
    """What the files define, and what is wrong. `not_checked`: what nothing here could tell of, and where it stands."""

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
    paths: Iterable[Path],
    known: KnownJobs,
    pools: Collection[str] | None,
    names: Names | None = None,
    connections: Mapping[str, ConnectionConfig] | None = None,
    tenant: str = DEFAULT_TENANT,
) -> Checked:
    """Check files; jobs, limits and pools are judged where they are known.

    Args:
        names: asked at the first workflow or task definition that is named; None leaves such names alone.
        connections: that the configuration here has; None where there is none.
        tenant: whose the workflows are.
    """
    check = _Check(known, pools, names, connections, tenant)
    for path in paths:
        try:
            check.add(documents.read_file(path, InvalidWorkflow))
        except InvalidWorkflow as error:
            check.faults += error.faults
    return check.run()


class _Check:
    """One run over all files. Names are looked up whatever else is wrong with a file, so that all faults are told at once."""

    def __init__(
        self,
        known: KnownJobs,
        pools: Collection[str] | None,
        names: Names | None,
        connections: Mapping[str, ConnectionConfig] | None,
        tenant: str,
    ) -> None:
        self._known, self._pools, self._names, self._connections = known, pools, names, connections
        self._tenant = tenant
        self.faults: list[Fault] = []
        self._warnings: list[Fault] = []
        self._not_checked: list[Fault] = []
        self._owners: dict[tuple[str, str], str] = {}  # what kind of thing, and its name -> the file that defines it
        self._described: list[Document] = []  # of task types and definitions
        self._definitions: dict[str, TaskDefinition] = {}
        self._documents: dict[str, Document] = {}  # of workflows, by file
        self._workflows: dict[str, Workflow] = {}

    def add(self, document: Document) -> None:
        """Raises: InvalidWorkflow for a faulty task type or definition."""
        head = head_of(document.data)
        if head == "workflow":
            self._documents[document.file] = document
            return
        self._described.append(document)
        definition = definition_in(document)._replace(file=document.file)
        if self._owns(document, "task definition", definition.name, head):
            self._definitions[definition.name] = definition

    def run(self) -> Checked:
        """Check what was added."""
        for document in self._described:
            self._check_definition(document)
        for document in self._documents.values():
            try:
                self._check_workflow(document)
            except InvalidWorkflow as error:
                self.faults += error.faults
        for document in self._documents.values():
            self._check_names(document)
        self._check_starts()
        self.faults += _cycles(self._documents.values())
        faults = sorted(self.faults, key=lambda fault: (fault.file, fault.line))
        return Checked(list(self._workflows), list(self._definitions), faults, self._warnings, self._not_checked)

    @cached_property
    def _all(self) -> KnownNames | None:
        """What may be named, from these files and from elsewhere."""
        return None if self._names is None else self._names().with_definitions(self._definitions)

    def _owns(self, document: Document, what: str, name: str, head: str) -> bool:
        """Whether this file is the first that defines it; if not, that is a fault."""
        first = self._owners.setdefault((what, name), document.file)
        if first == document.file:
            return True
        self._fault(document, (head,), f"{what} {name} is already defined by {first}; rename one of them")
        return False

    def _check_definition(self, document: Document) -> None:
        if self._known.is_known:
            self.faults += document.faults(job_check.unknown_jobs(document.data, (), self._known.jobs))
        if (names := self._all) is None:
            return
        head = head_of(document.data)
        itself = names.definitions.get(str(document.data.get(head)))
        if itself is not None and itself.is_archived:
            self._warnings += document.faults([((head,), why_archived(itself))])
        if not isinstance(name := document.data.get("type"), str):
            return
        type_ = names.definitions.get(name)
        if type_ is not None and type_.kind == "type":
            if type_.is_archived:
                self._fault(document, ("type",), why_archived(type_))
            return
        types = [each.name for each in names.definitions.values() if each.kind == "type" and not each.is_archived]
        message = f"there is no task type {name!r}{did_you_mean(name, types)}"
        self._unknown(document, ("type",), message, names, is_known=names.knows_definitions)

    def _check_workflow(self, document: Document) -> None:
        """Raises: InvalidWorkflow with what is wrong with it by itself."""
        made, faulty = self._made(document)
        if self._known.is_known:
            for path, message in job_check.faults(made.data, self._known.jobs):
                node = document.data["tasks"][path[1]]
                is_name = path[2:] in (("job",), ("compensate",))
                # A name that the node does not say itself is a fault of its definition.
                if path[2] in node if is_name else path[1] not in faulty:
                    self._fault(made, path, message)
        workflow = workflow_file.parse_document(made)
        remarks = job_check.remarks(workflow, self._known.jobs, self._pools, self._known.domains)
        self._warnings += made.faults(remarks)
        self._warnings += made.faults(wait_check.remarks(workflow, self._connections))
        self.faults += made.faults(wait_check.faults(workflow, self._tenant, self._connections))
        if workflow.key in self._known.archived:
            back = f"`qflowd workflows unarchive {workflow.key}` brings it back"
            self._warnings += made.faults([(("workflow",), f"is archived: its submissions are rejected; {back}")])
        self.faults += made.faults(limit_check.faults(workflow, self._known.jobs, self._known.limits))
        self._not_checked += made.faults(limit_check.doubts(workflow, self._known.jobs, self._known.limits))
        self._workflows[workflow.key] = workflow
        self._owns(document, "workflow", workflow.key, "workflow")

    def _made(self, document: Document) -> tuple[Document, set[str]]:
        """With what its nodes leave to definitions, as far as these are there; and the nodes that do not fit theirs."""
        nodes = _named(document, "task")
        if not nodes or (names := self._all) is None:
            return document, set()
        if not names.knows_definitions:
            for key, name in nodes.items():
                message = f"there is no task definition {name!r}"
                self._unknown(document, ("tasks", key, "task"), message, names, is_known=False)
            return document, set()
        made, key_faults = filled(document, names.definitions)
        self.faults += document.faults(key_faults)
        return made, {str(path[1]) for path, _ in key_faults}

    def _check_names(self, document: Document) -> None:
        """The workflows that its tasks start or wait for, or that it starts on, exist, and take the params they are given."""
        here = {str(each.data.get("workflow")): each for each in self._documents.values()}
        for key, child in _named(document, "workflow").items():
            if (names := self._all) is None:
                return
            if self._is_there(document, ("tasks", key, "workflow"), child, here.keys(), names):
                workflow = self._workflows.get(child) if child in here else names.workflow(child)
                if workflow is not None:
                    self._check_params(document, key, workflow)
        for path, name in (_awaited(document) | start_check.started_on(document)).items():
            if (names := self._all) is None:
                return
            self._is_there(document, path, name, here.keys(), names)

    def _check_starts(self) -> None:
        """None of the workflows starts on itself, also by way of others."""
        documents = self._documents.values()
        if any(map(start_check.started_on, documents)):
            names = self._all
            self.faults += start_check.cycles(documents, names.starts if names else {})

    def _is_there(
        self, document: Document, path: KeyPath, name: str, here: AbstractSet[str], names: KnownNames
    ) -> bool:
        """Is there a workflow of this name, in the files (`here`) or the database? If not, note that."""
        if names.workflows.get(name):
            back = f"`qflowd workflows unarchive {name}` brings it back"
            self._fault(document, path, f"workflow {name!r} is archived; {back}")
            return False
        if name in here or name in names.workflows:
            return True
        there = {each for each, is_archived in names.workflows.items() if not is_archived}
        near = did_you_mean(name, (there | here) - {document.data.get("workflow")})
        is_known = names.knows_workflows or len(here) > 1
        self._unknown(document, path, f"there is no workflow {name!r}{near}", names, is_known=is_known)
        return False

    def _check_params(self, document: Document, key: str, child: Workflow) -> None:
        given, declared = document.data["tasks"][key].get("params"), document.data.get("params")
        for path, message in param_faults(f"workflow {child.key}", workflow_schema(child.params), given, declared):
            self._fault(document, ("tasks", key, *path), message)

    def _fault(self, document: Document, path: KeyPath, message: str) -> None:
        self.faults += document.faults([(path, message)])

    def _unknown(self, document: Document, path: KeyPath, message: str, names: KnownNames, *, is_known: bool) -> None:
        """Note a name that nothing here defines: a fault, unless only a database could tell, and there is none."""
        if is_known:
            self._fault(document, path, message)
        else:
            why = f"{message} beside it, and the database cannot be asked: {names.error}"
            self._not_checked += document.faults([(path, why)])


def _named(document: Document, kind: str) -> dict[str, str]:
    """By task, the definition (`task`) or the workflow that it names, however faulty the rest is."""
    tasks: Any = document.data.get("tasks")
    nodes = tasks.items() if isinstance(tasks, dict) else ()
    return {key: node[kind] for key, node in nodes if isinstance(node, dict) and isinstance(node.get(kind), str)}


def _cycles(files: Iterable[Document]) -> Iterator[Fault]:
    """Workflows that start each other for ever; what these files do not define is left to the submission."""
    started: Mapping[str, tuple[Document, dict[str, str]]] = {
        str(document.data.get("workflow")): (document, _named(document, "workflow")) for document in files
    }

    def below(key: str) -> list[str]:
        return list(started[key][1].values()) if key in started else []

    for key, (document, children) in started.items():
        cycle = cycle_from(key, below)
        if cycle and cycle[0] == key and cycle[1] != key:  # one that starts itself is told with its other faults
            task = next(task for task, child in children.items() if child == cycle[1])
            message = f"this workflow would start itself for ever: {' -> '.join(cycle)}"
            yield from document.faults([(("tasks", task, "workflow"), message)])


def _awaited(document: Document) -> dict[KeyPath, str]:
    """Where a task names a workflow that it waits for, unless by an expression."""
    tasks: Any = document.data.get("tasks")
    nodes = tasks.items() if isinstance(tasks, dict) else ()
    waits = {key: node.get("wait_for") for key, node in nodes if isinstance(node, dict)}
    names = {key: wait.get("workflow") for key, wait in waits.items() if isinstance(wait, dict)}
    return {
        ("tasks", key, "wait_for", "workflow"): name
        for key, name in names.items()
        if isinstance(name, str) and "{{" not in name
    }
