"""Workflow files: the folders' content is in the database a moment later, with the faults of each file.

Folders are read with all below them; hidden files are left out. Task types and task definitions lie there too, and are
stored first, since workflows are made of them. A broken or half-written file changes nothing but its fault. A file that goes
away disables its workflow, and enables it again when it comes back. Hosts that share a database should have the same files
at the same paths: the last change that any of them sees wins.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from qflowd.calendars.calendar_book import CalendarBook
from qflowd.define import documents
from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.definitions.definition_files import DefinitionFiles
from qflowd.engine.definitions.definition_store import WorkflowText
from qflowd.engine.definitions.workflow_quota import NoRoom
from qflowd.engine.definitions.workflow_reading import WORKFLOW, Reading, assign, read
from qflowd.engine.definitions.workflow_store import PoolOf, store_workflow
from qflowd.engine.service import Topics
from qflowd.model import jsontext
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import Workflow
from qflowd.plugins.folder_watch import FolderWatch
from qflowd.plugins.source import Scan, SourceFile
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
LONGEST_FILE: Final = 600  # characters of a path that the table of faults can hold


class FileFault(NamedTuple):
    """What is wrong with a file, and the workflow, task type or task definition that it concerns, if that is known."""

    workflow: str | None = None
    definition: str | None = None
    error: str = ""


class WorkflowFiles:
    """The service that keeps definitions in step with `[workflows] dirs`."""

    name: ClassVar[str] = "workflow-files"
    topics: ClassVar[tuple[str, ...]] = ("calendar",)

    def __init__(
        self,
        store: Store,
        topics: Topics,
        folders: Sequence[Path],
        pool_of: PoolOf,
        *,
        watch: FolderWatch | None = None,
    ) -> None:
        """`watch`: of these folders, if it is to be another than the usual one."""
        self._store, self._topics, self._pool_of = store, topics, pool_of
        self._watch = watch or FolderWatch(folders, tuple(documents.SUFFIXES), trusted_only=False)
        self._scan = Scan()
        self._is_stale = False  # what was scanned is not in the database yet
        self._is_unfinished = False  # a file waits for a task definition
        self._revision = 0  # of the calendars that were read last
        self._waits_for_calendar: int | None = None  # that revision, if a file names a calendar that nobody had
        self._definitions = DefinitionFiles(store, pool_of)
        self._readings: dict[str, Reading] = {}  # by path
        self._owners: dict[str, str] = {}  # key -> file that defines it
        self._stored: dict[str, tuple[str, str]] = {}  # key -> (file, hash of the text), where nothing is left to do
        self._faults: dict[str, FileFault] = {}  # by path as shown
        self._warnings: dict[tuple[str, str], str] = {}  # tenant, workflow -> what was logged
        self._has_news = True  # something was stored since the last warnings

    def read_all(self) -> None:
        """Read the folders for the first time and store what they hold; then `tick` follows their changes.

        Raises: StoreUnavailable; then it may be called again.
        """
        self._scan, self._is_stale = self._watch.start(), True
        self._store.read(self._recall)
        self._take_over()

    def tick(self) -> float:
        scan = self._watch.poll()
        if scan is not None:
            self._scan, self._is_stale = scan, True
        if self._waits_for_calendar is not None:
            self._read_again()
        if self._is_stale:
            self._take_over()
        if scan is None and self._has_news:  # a look later: the plugin that was saved with a workflow is live by then
            self._warn()
        return self._watch.due_s()

    def _warn(self) -> None:
        """Log which workflows name a job or workflow that nobody has, as far as that is new."""
        rows = self._store.read(lambda tx: tx.run("list_workflow_warnings"))
        warnings = {(row.tenant, row.workflow): row.warning for row in rows}
        for place, warning in warnings.items():
            if self._warnings.get(place) != warning:
                log.warning("workflow %s is stored, but would wait or fail: %s", place[1], warning)
        self._warnings, self._has_news = warnings, False

    def _recall(self, tx: Tx) -> None:
        """Learn what has been stored from files, and which of ours are shown as faulty; what is wrong is found anew."""
        rows = tx.run("list_definitions_of_files", tenant=DEFAULT_TENANT)
        self._stored = {row.workflow: (row.file, row.hash) for row in rows if row.error is None}
        self._faults = {row.file: FileFault() for row in tx.run("list_workflow_faults") if self._is_ours(row.file)}
        self._definitions.recall(tx)

    def _take_over(self) -> None:
        """Bring the database in step with what was scanned. It begins anew after an outage."""
        calendars = TenantToo(self._learn_calendars)
        with knowing(calendars):
            self._take_over_files()
        if calendars.has_missed:
            self._waits_for_calendar = self._revision

    def _learn_calendars(self) -> CalendarBook:
        book = self._store.read(lambda tx: load_book(tx, DEFAULT_TENANT))
        self._revision = book.revision
        return book

    def _read_again(self) -> None:
        """Files that name a calendar that nobody had may be right when calendars have changed."""
        if self._learn_calendars().revision != self._waits_for_calendar:
            self._readings = {path: reading for path, reading in self._readings.items() if reading.error is None}
            self._is_stale, self._waits_for_calendar = True, None

    def _take_over_files(self) -> None:
        # Asked for each time: the first file to define a key may have been seen by another daemon.
        self._owners, self._is_unfinished = self._store.read(_list_owners), False
        # Names that are not UTF-8 are written as well as a database can hold them.
        files = {jsontext.clean_text(file.path): file for file in self._scan.files.values()}
        self._readings = self._read(files)
        chosen, errors = assign(self._about(is_workflow=True), self._owners)
        changed = {
            key: reading for key, reading in chosen.items() if self._stored.get(key) != (reading.path, reading.hash)
        }
        made = self._definitions.take_over(
            self._about(is_workflow=False), files, lambda: self._edited(changed, files), self._why_gone
        )
        errors |= made.errors
        has_changed = made.has_changed
        for key, reading in changed.items():
            if (error := self._save(key, reading, files[reading.path])) is not None:
                errors[reading.path] = error
            else:
                has_changed = True
        for key, path in list(self._owners.items()):
            if key not in chosen and (error := self._why_gone(path)) is not None:
                has_changed = True
                self._disable(key, path, error)
        self._show(errors)
        self._is_stale = self._is_unfinished or made.is_unfinished
        if has_changed:
            self._has_news = True
            self._topics.publish("schedule")

    def _read(self, files: Mapping[str, SourceFile]) -> dict[str, Reading]:
        """The readings of all files now; only files that have changed, and differ from what is stored, are parsed."""
        keys = {stored: key for key, stored in self._stored.items()}
        readings = {}
        for path, file in files.items():
            before = self._readings.get(path)
            if before is not None and before.hash == file.hash:
                readings[path] = before
            elif (key := keys.get((path, file.hash))) is not None:
                readings[path] = Reading(path, file.hash, key)
            else:
                readings[path] = read(replace(file, path=path))
        for path, error in self._scan.errors.items():
            if path not in self._scan.roots:
                readings[path] = Reading(path, error=error if path in error else f"{path}: {error}")
        return readings

    def _about(self, *, is_workflow: bool) -> dict[str, Reading]:
        """The readings of files that describe workflows, or what their tasks are made of; of both, those that are broken."""
        return {
            path: reading
            for path, reading in self._readings.items()
            if reading.error is not None or (reading.head == WORKFLOW) == is_workflow
        }

    def _edited(self, readings: Mapping[str, Reading], files: Mapping[str, SourceFile]) -> dict[str, WorkflowText]:
        """By key, what these files hold that define workflows."""
        edited = {key: self._text(reading, files[reading.path]) for key, reading in readings.items()}
        return {key: text for key, text in edited.items() if isinstance(text, WorkflowText)}

    def _text(self, reading: Reading, file: SourceFile) -> WorkflowText | str | None:
        """What a file holds, or its error."""
        if reading.content is None:
            reading = read(replace(file, path=reading.path))
        if not isinstance(reading.content, Workflow):
            return reading.error
        return WorkflowText(
            reading.content, file.data.decode("utf-8-sig"), documents.format_of(reading.path), reading.path
        )

    def _save(self, key: str, reading: Reading, file: SourceFile) -> str | None:
        """Store what a file defines. Returns why it could not be done."""
        path, text = reading.path, self._text(reading, file)
        if not isinstance(text, WorkflowText):
            return text
        workflow = text.workflow

        def store_file(tx: Tx) -> int | None:
            about: dict[str, Any] = {"source": text.text, "format": text.format, "file": path, "pool_of": self._pool_of}
            return store_workflow(tx, workflow, **about)

        try:
            version = self._store.transact(store_file)
        except InvalidWorkflow as error:
            # A definition that is missing may come, or room be made for it, and neither shows here.
            if isinstance(error, NoRoom) or any(task.task for task in workflow.tasks):
                self._is_unfinished = True
                return str(error)
            return f"{path}: {error}"
        except DataRefused as error:
            return f"{path}: the database refused it: {error}"
        self._owners[key] = path
        self._stored[key] = (path, reading.hash)
        self._readings[path] = replace(reading, content=None)
        if version is not None:
            log.info("workflow %s: version %d from %s", key, version, path)
        return None

    def _why_gone(self, path: str) -> str | None:
        """Why the file at `path` no longer defines what it did; None if that is not known, or not our affair."""
        reading = self._readings.get(path)
        if reading is not None:
            return None if reading.error is not None else f"its file defines {reading.key!r} now"
        return None if not self._is_ours(path) or self._scan.is_faulty(path) else "its file is gone"

    def _is_ours(self, path: str) -> bool:
        return any(map(Path(path).is_relative_to, self._scan.roots))

    def _disable(self, key: str, path: str, error: str) -> None:
        def disable_workflow(tx: Tx) -> None:
            tx.run("disable_definition", tenant=DEFAULT_TENANT, workflow=key, file=path, error=error, now=tx.now)

        self._store.transact(disable_workflow)
        del self._owners[key]
        self._stored.pop(key, None)
        log.warning("workflow %s is disabled: %s (%s)", key, error, path)

    def _show(self, errors: Mapping[str, str]) -> None:
        """Make the table of faults hold these errors of our files; log them, and folders', as far as they are new."""
        faults = self._faults_of(errors)
        folders = {root: f"{root}: {self._scan.errors[root]}" for root in self._scan.roots if root in self._scan.errors}
        repaired = self._faults.keys() - faults.keys() - folders.keys()
        new = {file: fault for file, fault in faults.items() if self._faults.get(file) != fault}

        def show_faults(tx: Tx) -> None:
            for file in sorted(repaired):
                tx.run("delete_workflow_fault", file=file)
            for file, fault in sorted(new.items()):
                tx.run("save_workflow_fault", file=file, **fault._asdict(), now=tx.now)

        if repaired or new:
            self._store.transact(show_faults)
        faults |= {root: FileFault(error=error) for root, error in folders.items()}
        for file, (_, _, error) in faults.items():
            if self._faults.get(file, FileFault()).error != error:
                log.error("a workflow file is refused, what was stored before stays:\n%s", error)
        for file in repaired:
            log.info("no more faults in %s", file)
        self._faults = faults

    def _faults_of(self, errors: Mapping[str, str]) -> dict[str, FileFault]:
        """An error stands beside a workflow only if it is that of its own file, and one at most does."""
        owned = {path: key for key, path in self._owners.items()}
        defined = {path: name for name, path in self._definitions.owners.items()}
        taken, faults = set(self._owners), {}
        for path, error in errors.items():
            reading = self._readings[path]
            key, name = owned.get(path), defined.get(path)
            if key is None and name is None:
                if reading.head != WORKFLOW:
                    name = reading.key
                elif reading.key not in taken:
                    key = reading.key
            if key is not None:
                taken.add(key)
            shown = path if len(path) <= LONGEST_FILE else f"…{path[1 - LONGEST_FILE :]}"
            faults[shown] = FileFault(key, name, jsontext.clean_text(error))
        return faults


def _list_owners(tx: Tx) -> dict[str, str]:
    """Key -> file that defines it, except files that are known to be gone."""
    rows = tx.run("list_definitions_of_files", tenant=DEFAULT_TENANT)
    return {row.workflow: row.file for row in rows if row.enabled or row.error is None}
