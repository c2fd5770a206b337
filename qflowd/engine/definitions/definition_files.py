"""Files of task types and task definitions, which lie among workflow files; a part of the service that follows these.

As of workflows, the last change wins, be it of the file or by a command. A file that goes away archives what it defines, and
brings it back when it comes back.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from qflowd.define import documents
from qflowd.define.task_definitions import TaskDefinition
from qflowd.engine.definitions.definition_store import Source, WorkflowText, store_definitions
from qflowd.engine.definitions.workflow_reading import Reading, assign
from qflowd.engine.definitions.workflow_store import PoolOf
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.names import DEFAULT_TENANT
from qflowd.plugins.source import SourceFile
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")


class TakenOver(NamedTuple):
    """`errors`: by path. `is_unfinished`: what could not be stored may fit later, when something else has changed."""

    errors: dict[str, str]
    has_changed: bool
    is_unfinished: bool


class DefinitionFiles:
    """Keeps task types and task definitions in step with their files."""

    def __init__(self, store: Store, pool_of: PoolOf) -> None:
        self._store, self._pool_of = store, pool_of
        self.owners: dict[str, str] = {}  # name -> file that defines it
        self._stored: dict[str, tuple[str, str]] = {}  # name -> (file, hash of the text), where nothing is left to do

    def recall(self, tx: Tx) -> None:
        """Learn what has been stored from files."""
        rows = tx.run("list_task_definitions_of_files", tenant=DEFAULT_TENANT)
        self._stored = {row.name: (row.file, row.file_hash) for row in rows}

    def take_over(
        self,
        readings: Mapping[str, Reading],
        files: Mapping[str, SourceFile],
        edited: Callable[[], Mapping[str, WorkflowText]],
        why_gone: Callable[[str], str | None],
    ) -> TakenOver:
        """Bring the database in step with these files.

        Args:
            readings: by path, broken ones of any kind among them.
            edited: of workflow files that have changed as well.
            why_gone: why the file at a path no longer defines what it did; None if that is not known.

        Raises: StoreUnavailable; then it may be called again.
        """
        self.owners = self._store.read(_list_owners)
        chosen, errors = assign(readings, self.owners)
        changed = {name: reading for name, reading in chosen.items() if not self._is_stored(name, reading)}
        sources = list(_sources(changed.values(), files))
        unfit = self._save(sources, edited()) if sources else {}
        for name, reading in changed.items():
            if reading.path not in unfit:
                self.owners[name], self._stored[name] = reading.path, (reading.path, reading.hash)
        gone = {name: why_gone(path) for name, path in self.owners.items() if name not in chosen}
        for name, why in gone.items():
            if why is not None:
                self._archive(name, self.owners.pop(name), why)
        has_changed = len(unfit) < len(sources) or any(gone.values())
        return TakenOver(errors | unfit, has_changed, bool(unfit))

    def _is_stored(self, name: str, reading: Reading) -> bool:
        return self._stored.get(name) == (reading.path, reading.hash)

    def _save(self, sources: Sequence[Source], edited: Mapping[str, WorkflowText]) -> dict[str, str]:
        """Store all at once, for they may only fit each other; where that fails, each by itself. Returns errors by path."""
        try:
            workflows = self._store.transact(
                lambda tx: store_definitions(tx, sources, pool_of=self._pool_of, edited=edited),
                name="store_definitions",
            )
        except (InvalidWorkflow, DataRefused) as error:
            if len(sources) > 1:
                return {path: error for one in sources for path, error in self._save([one], edited).items()}
            path = str(sources[0].file)
            refused = isinstance(error, DataRefused)
            return {path: f"{path}: the database refused it: {error}" if refused else str(error)}
        for source in sources:
            log.info("task %s %s from %s", source.definition.kind, source.definition.name, source.file)
        for workflow, version in workflows.items():
            log.info("workflow %s: version %d, as what its tasks are made of has changed", workflow, version)
        return {}

    def _archive(self, name: str, path: str, why: str) -> None:
        def archive(tx: Tx) -> None:
            note = f"{why} ({path})"
            tx.run(
                "archive_task_definition_of_file", tenant=DEFAULT_TENANT, name=name, file=path, note=note, now=tx.now
            )

        self._store.transact(archive)
        self._stored.pop(name, None)
        log.warning("task definition %s is archived: %s (%s)", name, why, path)


def _sources(readings: Iterable[Reading], files: Mapping[str, SourceFile]) -> Iterator[Source]:
    """Types first: definitions are made of them."""
    for reading in sorted(readings, key=lambda reading: reading.head != "task_type"):
        if isinstance(reading.content, TaskDefinition):
            text = files[reading.path].data.decode("utf-8-sig")
            yield Source(reading.content, text, documents.format_of(reading.path), reading.path)


def _list_owners(tx: Tx) -> dict[str, str]:
    return {row.name: row.file for row in tx.run("list_task_definitions_of_files", tenant=DEFAULT_TENANT)}
