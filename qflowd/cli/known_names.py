"""Workflows, task types and task definitions that are known here: those of the database, and of files beside the ones looked at."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from qflowd.cli.session import open_client
from qflowd.cli.start_check import started_on
from qflowd.client import Client
from qflowd.config.records import Config
from qflowd.define import documents, stored
from qflowd.define.documents import Document
from qflowd.define.task_definitions import Definitions, TaskDefinition, by_name, definition_in, head_of
from qflowd.define.workflow_file import parse_document
from qflowd.engine.definitions.workflow_store import digest_of
from qflowd.model.errors import InvalidWorkflow, QflowdError
from qflowd.model.workflow import Workflow
from qflowd.plugins.source import visible_files

COLUMNS = ("name", "kind", "document", "archived_at", "file", "note")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What nodes may name, files first. `error`: why the database was not asked."""

    definitions: Definitions
    workflows: Mapping[str, bool]  # key -> whether it is archived
    error: QflowdError | None = None
    archived: Mapping[str, str] = field(default_factory=dict)  # definitions -> SHA-256 of the file that stays archived
    files: Mapping[str, Document] = field(default_factory=dict)  # of workflows, by key
    starts: Mapping[str, list[str]] = field(default_factory=dict)  # workflow -> those on whose success it starts

    @property
    def knows_definitions(self) -> bool:
        """Whether there was a place to look, so that a name that is missing is a fault."""
        return self.error is None or bool(self.definitions)

    @property
    def knows_workflows(self) -> bool:
        """As `knows_definitions`."""
        return self.error is None or bool(self.workflows)

    def with_definitions(self, definitions: Definitions) -> "KnownNames":
        """The same, and these of files, which win; one that a command has archived stays so until its file changes."""
        return replace(
            self,
            definitions={**self.definitions, **{name: self._as_stored(each) for name, each in definitions.items()}},
        )

    def _as_stored(self, definition: TaskDefinition) -> TaskDefinition:
        digest = self.archived.get(definition.name)
        if digest is None or digest != digest_of(Path(str(definition.file)).read_text("utf-8-sig")):
            return definition
        return definition._replace(is_archived=True, note=self.definitions[definition.name].note)

    def workflow(self, key: str) -> Workflow | None:
        """A workflow as a file beside describes it, else as it is stored; None if that cannot be told."""
        try:
            if key in self.files:
                return parse_document(self.files[key])
            with open_client() as client:
                version = client.active_version(key)
            return None if version is None else stored.read(version.document, key)
        except QflowdError:
            return None


def known_names(config: Config | None, paths: Collection[Path]) -> KnownNames:
    """What the database and the files beside `paths`, or in the configured folders, know. `paths` themselves are left out."""
    names = KnownNames({}, {})
    try:
        with open_client() as client:
            rows, definitions = client.workflows(with_archived=True), _stored(client)
            schedules = client.schedules()
        workflows = {row["workflow"]: row["archived_at"] is not None for row in rows if row["version"] is not None}
        archived = {row["name"]: row["file_hash"] for row in definitions if row["archived_at"] and row["file_hash"]}
        starts: dict[str, list[str]] = {}
        for row in schedules:
            kind, _, name = (row["start_on"] or "").partition(" ")
            if kind == "workflow":
                starts.setdefault(row["workflow"], []).append(name)
        types = _by_name(definitions)
        names = replace(names, definitions=types, workflows=workflows, archived=archived, starts=starts)
    except QflowdError as error:
        names = replace(names, error=error)
    files: dict[str, Document] = {}
    beside: dict[str, TaskDefinition] = {}
    for document in _siblings(config, paths):
        key = str(document.data.get(head_of(document.data)))
        if head_of(document.data) == "workflow":
            files[key] = document
            continue
        try:
            beside[key] = definition_in(document)._replace(file=document.file)
        except InvalidWorkflow:
            continue
    known = {**dict.fromkeys(files, False), **names.workflows}
    beside_starts = {key: list(started_on(document).values()) for key, document in files.items()}
    starts = {**names.starts, **beside_starts}
    return replace(names, workflows=known, files=files, starts=starts).with_definitions(beside)


def stored_definitions(client: Client) -> Definitions:
    """Task types and task definitions of the database, archived ones among them."""
    return _by_name(_stored(client))


def _stored(client: Client) -> list[dict[str, Any]]:
    return [row for row in client.task_definitions(with_archived=True) if row["document"] is not None]


def _by_name(rows: Collection[Mapping[str, Any]]) -> Definitions:
    return by_name([row[column] for column in COLUMNS] for row in rows)


def _siblings(config: Config | None, paths: Collection[Path]) -> Iterator[Document]:
    """Documents in the configured folders, and in those of `paths`, that name what they describe."""
    suffixes = tuple(documents.SUFFIXES)
    files = {
        Path(path) for folder in (config.workflows.dirs if config else ()) for path in visible_files(folder, suffixes)
    }
    for folder in {path.absolute().parent for path in paths}:
        files |= {path for path in folder.glob("[!.#]*") if path.suffix in suffixes and path.is_file()}
    for path in sorted(files - {path.absolute() for path in paths}):
        try:
            document = documents.read_file(path, InvalidWorkflow)
        except InvalidWorkflow:
            continue
        if isinstance(document.data.get(head_of(document.data)), str):
            yield document
