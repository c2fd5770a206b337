"""Workflow files: what lies in the folders is in the database a moment later, and faults are shown beside it.

Folders are read with all below them; hidden files are left out. A broken or half-written file changes nothing but its
fault. A file that goes away disables its workflow, and enables it again when it comes back. Hosts that share a database
should have the same files at the same paths: the last change that any of them sees wins.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from qflowd.define.documents import SUFFIXES
from qflowd.engine.service import Topics
from qflowd.engine.workflow_reading import Reading, assign, read
from qflowd.engine.workflow_store import PoolOf, store_workflow
from qflowd.model import jsontext
from qflowd.model.names import DEFAULT_TENANT
from qflowd.plugins.folder_watch import FolderWatch
from qflowd.plugins.source import Scan, SourceFile
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
GONE: Final = "its file is gone"
LONGEST_FILE: Final = 600  # characters of a path that the table of faults can hold


@dataclass(frozen=True, slots=True)
class _FaultRow:
    """A row of `workflow_fault` without its file."""

    workflow: str | None
    error: str


class WorkflowFiles:
    """The service that keeps definitions in step with `[workflows] dirs`."""

    name: ClassVar[str] = "workflow-files"
    topics: ClassVar[tuple[str, ...]] = ("workflow_files",)

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
        self._store = store
        self._topics = topics
        self._pool_of = pool_of
        self._watch = watch or FolderWatch(
            folders, tuple(SUFFIXES), lambda: topics.publish(*self.topics), trusted_only=False
        )
        self._scan = Scan()
        self._is_stale = False  # what was scanned is not in the database yet
        self._readings: dict[str, Reading] = {}
        self._owners: dict[str, str] = {}  # key -> file that defines it
        self._stored: dict[str, tuple[str, str]] = {}  # key -> (file, hash of the text), where nothing is left to do
        self._faults: dict[str, _FaultRow] = {}  # path as shown -> row in the database
        self._logged: dict[str, str] = {}  # path -> error

    def read_all(self) -> None:
        """Read the folders for the first time and store what they hold; then `tick` follows their changes.

        Raises: StoreUnavailable; then it may be called again.
        """
        self._scan = self._watch.start()
        self._is_stale = True
        self._store.read(self._recall)
        self._take_over()

    def tick(self) -> float:
        found = self._watch.poll()
        if found is not None:
            self._scan, self._is_stale = found, True
        if self._is_stale:
            self._take_over()
        return self._watch.due_s()

    def stop(self) -> None:
        """Stop watching the folders."""
        self._watch.stop()

    def _recall(self, tx: Tx) -> None:
        """Learn what has been stored from files, and which faults are shown of files in our folders."""
        rows = tx.run("list_definitions_of_files", tenant=DEFAULT_TENANT)
        self._stored = {row.workflow: (row.file, row.hash) for row in rows if row.error is None}
        rows = tx.run("list_workflow_faults")
        self._faults = {row.file: _FaultRow(row.workflow, row.error) for row in rows if self._is_ours(row.file)}

    def _take_over(self) -> None:
        """Bring the database in step with what was scanned. It begins anew after an outage."""
        # Asked for each time: the first file to define a key may have been seen by another daemon.
        self._owners = self._store.read(_list_owners)
        self._read_files()
        chosen, errors = assign(self._readings.values(), self._owners)
        has_changed = False
        for key, reading in chosen.items():
            if self._stored.get(key) != (reading.path, reading.hash):
                has_changed = True
                if (error := self._save(key, reading)) is not None:
                    errors[reading.path] = error
        for key, path in list(self._owners.items()):
            if key not in chosen and (error := self._why_gone(path)) is not None:
                has_changed = True
                self._disable(key, path, error)
        self._show(errors)
        self._is_stale = False
        if has_changed:
            self._topics.publish("schedule")

    def _read_files(self) -> None:
        """Bring `_readings` in step with the scan; only what has changed is parsed."""
        before, stored = self._readings, {found: key for key, found in self._stored.items()}
        self._readings = {}
        for path, file in self._files().items():
            known = before.get(path)
            if known is not None and known.hash == file.hash:
                self._readings[path] = known
            elif (key := stored.get((path, file.hash))) is not None:
                self._readings[path] = Reading(path, file.hash, key)
            else:
                self._readings[path] = read(file)
        for path, error in self._scan.errors.items():
            if path not in self._scan.roots:
                text = error if path in error else f"{path}: {error}"
                self._readings[path] = Reading(path, "", None, error=text)

    def _files(self) -> dict[str, SourceFile]:
        """The scanned files; names that are not UTF-8 are written as well as a database can hold them."""
        files = (replace(file, path=jsontext.clean_text(file.path)) for file in self._scan.files.values())
        return {file.path: file for file in files}

    def _save(self, key: str, reading: Reading) -> str | None:
        """Store what a file defines. Returns why it could not be done."""
        if reading.workflow is None:
            reading = read(self._files()[reading.path])
        workflow, path = reading.workflow, reading.path
        if workflow is None:
            return reading.error

        def store_file(tx: Tx) -> int | None:
            return store_workflow(
                tx,
                workflow,
                source=reading.text,
                format=reading.format,
                document=reading.document,
                file=path,
                pool_of=self._pool_of,
            )

        try:
            version = self._store.transact(store_file)
        except DataRefused as problem:
            return f"{path}: the database refused it: {problem}"
        self._owners[key] = path
        self._stored[key] = (path, reading.hash)
        self._readings[path] = replace(reading, workflow=None, document="", text="")
        if version is not None:
            log.info("workflow %s: version %d from %s", key, version, path)
        return None

    def _why_gone(self, path: str) -> str | None:
        """Why the file at `path` no longer defines what it did; None if that is not known, or not our affair."""
        reading = self._readings.get(path)
        if reading is not None:
            return None if reading.error is not None else f"its file defines {reading.key!r} now"
        return None if not self._is_ours(path) or self._scan.is_faulty(path) else GONE

    def _is_ours(self, path: str) -> bool:
        return any(Path(path).is_relative_to(root) for root in self._scan.roots)

    def _disable(self, key: str, path: str, error: str) -> None:
        def disable_workflow(tx: Tx) -> None:
            tx.run("disable_definition", tenant=DEFAULT_TENANT, workflow=key, file=path, error=error, now=tx.now)

        self._store.transact(disable_workflow)
        del self._owners[key]
        self._stored.pop(key, None)
        log.warning("workflow %s is disabled: %s (%s)", key, error, path)

    def _show(self, errors: Mapping[str, str]) -> None:
        """Make the table of faults hold these errors of our files, and log what is new."""
        rows = self._fault_rows(errors)
        repaired = self._faults.keys() - rows.keys()
        fresh = {file: row for file, row in rows.items() if self._faults.get(file) != row}

        def show_faults(tx: Tx) -> None:
            for file in sorted(repaired):
                tx.run("delete_workflow_fault", file=file)
            for file, row in sorted(fresh.items()):
                tx.run("save_workflow_fault", file=file, workflow=row.workflow, error=row.error, now=tx.now)

        if repaired or fresh:
            self._store.transact(show_faults)
        self._faults = rows
        folders = {root: f"{root}: {self._scan.errors[root]}" for root in self._scan.roots if root in self._scan.errors}
        self._log({**folders, **errors})

    def _fault_rows(self, errors: Mapping[str, str]) -> dict[str, _FaultRow]:
        """An error stands beside a workflow only if it is that of its own file, and one at most does."""
        owned = {path: key for key, path in self._owners.items()}
        taken, rows = set(self._owners), {}
        for path, error in errors.items():
            key, guess = owned.get(path), self._readings[path].key
            if key is None and guess not in taken:
                key = guess
            if key is not None:
                taken.add(key)
            shown = path if len(path) <= LONGEST_FILE else f"…{path[1 - LONGEST_FILE :]}"
            rows[shown] = _FaultRow(key, jsontext.clean_text(error))
        return rows

    def _log(self, errors: Mapping[str, str]) -> None:
        for path, error in errors.items():
            if self._logged.get(path) != error:
                log.error("a workflow file is refused, what was stored before stays:\n%s", error)
        for path in self._logged.keys() - errors.keys():
            log.info("no more faults in %s", path)
        self._logged = dict(errors)


def _list_owners(tx: Tx) -> dict[str, str]:
    """Key -> file that defines it, but for files that are known to be gone."""
    rows = tx.run("list_definitions_of_files", tenant=DEFAULT_TENANT)
    return {row.workflow: row.file for row in rows if row.enabled or row.error is None}
