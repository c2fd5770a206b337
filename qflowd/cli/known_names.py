"""Workflows, task types and task definitions that are known here: those of the database, and of files beside the ones looked at."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from qflowd.cli.session import open_client
from qflowd.client import Client
from qflowd.config.records import Config
from qflowd.define import documents
from qflowd.define.documents import Document
from qflowd.define.task_definitions import Definitions, TaskDefinition, by_name, definition_in, head_of
from qflowd.model.errors import InvalidWorkflow, QflowdError
from qflowd.plugins.source import visible_files

COLUMNS = ("name", "kind", "document", "archived_at", "file", "note")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What nodes may name, files first. `problem`: why the database was not asked."""

    definitions: Definitions
    workflows: Mapping[str, bool]  # key -> whether it is archived
    problem: QflowdError | None = None

    @property
    def knows_definitions(self) -> bool:
        """Whether there was a place to look, so that a name that is missing is a fault."""
        return self.problem is None or bool(self.definitions)

    @property
    def knows_workflows(self) -> bool:
        """As `knows_definitions`."""
        return self.problem is None or bool(self.workflows)

    def with_definitions(self, definitions: Definitions) -> "KnownNames":
        """The same, and these, which win."""
        return replace(self, definitions={**self.definitions, **definitions})


def known_names(config: Config | None, paths: Collection[Path]) -> KnownNames:
    """What the database and the files beside `paths`, or in the configured folders, know. `paths` themselves are left out."""
    definitions: dict[str, TaskDefinition] = {}
    workflows: dict[str, bool] = {}
    problem = None
    try:
        with open_client() as client:
            rows = client.workflows(with_archived=True)
            workflows = {row["workflow"]: row["archived_at"] is not None for row in rows if row["version"] is not None}
            definitions = stored_definitions(client)
    except QflowdError as error:
        problem = error
    for document in _siblings(config, paths):
        key = document.data.get(head_of(document.data))
        if head_of(document.data) == "workflow":
            workflows.setdefault(str(key), False)
            continue
        try:
            definition = definition_in(document)
        except InvalidWorkflow:
            continue
        definitions[definition.name] = definition._replace(file=document.file)
    return KnownNames(definitions, workflows, problem)


def stored_definitions(client: Client) -> dict[str, TaskDefinition]:
    """Task types and task definitions of the database, archived ones among them."""
    rows = [row for row in client.task_definitions(with_archived=True) if row["document"] is not None]
    return dict(by_name([row[column] for column in COLUMNS] for row in rows))


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
