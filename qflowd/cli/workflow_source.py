"""Where a workflow that is named on the command line is described: a file, the database, or the configured folders."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qflowd.cli import exits
from qflowd.cli.known_names import known_names, stored_definitions
from qflowd.cli.printing import near
from qflowd.cli.session import configuration, open_client
from qflowd.cli.unknown_names import hint_at_workflow
from qflowd.define import documents, stored, workflow_file
from qflowd.define.task_definitions import Definitions, resolve
from qflowd.engine.definitions.workflow_store import digest_of
from qflowd.model.errors import InvalidWorkflow, NotFound
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class WorkflowSource:
    """The file that describes a workflow, or the active version in the database. `remark`: what else describes it, if anything."""

    name: str
    path: Path | None = None
    version: Any = None  # a row of `show_active_version`
    remark: str = ""

    def workflow(self) -> Workflow:
        """What it describes; nodes of a file are made of the definitions beside it and in the database, if it names any.

        Raises: InvalidWorkflow; as `open_client` where only a database could tell.
        """
        if self.path is None:
            return stored.read(self.version.document, f"the active version of {self.name}")
        workflow = workflow_file.parse_file(self.path)
        if not any(task.task for task in workflow.tasks):
            return workflow
        format = documents.format_of(self.path, InvalidWorkflow)
        return resolve(_text(self.path), format, str(self.path), self._definitions_beside(self.path))

    def as_written(self) -> tuple[Mapping[str, Any], Definitions]:
        """The document, and the definitions that its nodes may name. Raises: as `workflow`; NotFound if its text is not kept."""
        if self.path is not None:
            workflow_file.parse_file(self.path)  # for its faults
            data = documents.read_file(self.path, InvalidWorkflow).data
            has_names = any("task" in node for node in data["tasks"].values())
            return data, self._definitions_beside(self.path) if has_names else {}
        if self.version.source_text is None:
            raise NotFound(f"the text of the active version of {self.name} is not kept in the database; name its file")
        with open_client() as client:
            definitions = stored_definitions(client)
        return documents.read(
            self.version.source_text, self.version.format, self.name, InvalidWorkflow
        ).data, definitions

    def _definitions_beside(self, path: Path) -> Definitions:
        names = known_names(configuration(), [path])
        if names.error is not None and not names.knows_definitions:
            raise names.error
        return names.definitions


def find_workflow(name: str, jobs: Iterable[str]) -> WorkflowSource:
    """Of the file of that name, else of the stored workflow, else of one in the configured folders.

    `jobs`: those that are known, for who takes one for a workflow.

    Raises: NotFound; StoreUnavailable, SchemaOutdated and the like if only a database could tell.
    """
    if Path(name).is_file():
        return WorkflowSource(name, Path(name))
    names = known_names(configuration(), ())
    path = Path(names.files[name].file) if name in names.files else None
    if names.error is not None:
        if path is None:
            exits.say(f"there is no workflow {name!r} in the configured folders{did_you_mean(name, names.files)}")
            raise names.error
        return WorkflowSource(name, path, remark=f"showing {near(str(path))}; the database cannot be asked")
    with open_client() as client:
        version = client.active_version(name)
        if version is not None:
            return WorkflowSource(name, None, version, _difference(version, path))
        if path is not None:
            return WorkflowSource(name, path, remark=f"showing {near(str(path))}; the database does not have it yet")
        is_job = f"; it is a job: `qflowd submit --job {name}`" if name in jobs else ""
        hint = is_job or hint_at_workflow(client, name, names.files)
    raise NotFound(f"there is no workflow {name!r} in the database or the configured folders, and no such file{hint}")


def _difference(version: Any, path: Path | None) -> str:
    """What to say of a stored workflow if the file of its name is not what is stored."""
    if path is None or digest_of(_text(path)) == version.hash:
        return ""
    file = near(str(path))
    return f"showing version {version.version} as stored; {file} differs, see `qflowd plan {file}`"


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig")
