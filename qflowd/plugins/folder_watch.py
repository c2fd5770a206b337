"""Watching folders: file events make it fast, a full look by hash now and then makes it sure.

A file counts only when two looks a moment apart found the same bytes and nobody is known to be writing it. No event says
that a folder was replaced as a whole (by a rename, or by a link that points elsewhere now): `poll()` compares inodes.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qflowd.plugins.source import Scan, SourceFile, scan

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

SETTLE_S = 0.1
LISTEN_S = 0.5
GLANCE_S = 1.0  # between looks at which folders these are
RESCAN_S = 30.0
RESCAN_WITHOUT_EVENTS_S = 3.0
WRITING_S = 10.0  # a writer that has not closed its file for so long is no longer waited for

_Identity = tuple[int, int] | None

logger = logging.getLogger(__name__)


class FolderWatch:
    """The stable content of some folders.

    `poll()` does one bounded look and returns the content when it has changed; `due_s()` says when to call again.
    `on_event` is called from a thread of watchdog when something moved: wake the loop that calls `poll()`.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        suffixes: Sequence[str],
        on_event: Callable[[], None] | None = None,
        *,
        trusted_only: bool = True,
        events: bool = True,
        settle_s: float = SETTLE_S,
        rescan_s: float = RESCAN_S,
    ) -> None:
        self._folders = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100 - keep links
        self._suffixes = tuple(suffixes)
        self._on_event = on_event
        self._trusted_only = trusted_only
        self._settle_s = settle_s
        self._rescan_s = rescan_s
        self._events = _Events(self._folders, self._suffixes, self._moved) if events else None
        self._has_moved = False
        self._due = 0.0
        self._identities: list[_Identity] = []
        self._seen: dict[str, tuple[str, float]] = {}  # path -> hash at the last look, and since when it is that
        self._stable = Scan()

    def start(self) -> Scan:
        """Read everything; returns at once unless a file was changed this very moment.

        The first `poll()`, due in a moment, reads again and listens for events from then on: watchdog is slow to import,
        and a daemon that starts need not wait for it.
        """
        self._identities = [_identity(folder) for folder in self._folders]
        found = self._look()
        if _is_fresh(found, self._settle_s):
            time.sleep(self._settle_s)
            found = self._look()
        self._stable = found
        self._due = time.monotonic() + min(LISTEN_S, self._rescan_s)
        return found

    def stop(self) -> None:
        """Stop watching; threads are gone when this returns."""
        if self._events is not None:
            self._events.stop()

    def look_again(self) -> None:
        """The next `poll()` reads everything, whatever events say."""
        self._due = 0.0

    def due_s(self) -> float:
        """Seconds until `poll()` has something to do; 0 if it has now, a second at most."""
        return 0.0 if self._has_moved else min(max(0.0, self._due - time.monotonic()), GLANCE_S)

    def poll(self) -> Scan | None:
        """The content, if it has changed since it was last returned."""
        before, self._identities = self._identities, [_identity(folder) for folder in self._folders]
        if not self._has_moved and time.monotonic() < self._due and self._identities == before:
            return None
        self._has_moved = False  # before the look: what moves from here on needs another
        if self._events is not None:
            self._events.arm(self._identities)
        changed, is_moving = self._settle(self._look(), time.monotonic())
        self._due = time.monotonic() + (self._settle_s if is_moving else self._interval_s())
        return self._stable if changed else None

    def _settle(self, found: Scan, now: float) -> tuple[bool, bool]:
        """Take over what has stood still. Returns whether that changed anything, and whether files still move."""
        files: dict[str, SourceFile] = {}
        before, seen, self._seen = self._stable, self._seen, {}
        for path in {*found.files, *before.files}:
            new, old = found.files.get(path), before.files.get(path)
            hash_now = new.hash if new else ""
            if hash_now != (old.hash if old else ""):
                hash_then, since = seen.get(path, (None, now))
                if hash_now != hash_then or now - since < self._settle_s or self._is_written(path):
                    self._seen[path] = (hash_now, since if hash_now == hash_then else now)
                    new = old
            if new is not None:
                files[path] = new
        self._stable = replace(found, files=found.sorted(files.values()))
        has_changed = _hashes(self._stable) != _hashes(before) or dict(found.errors) != dict(before.errors)
        return has_changed, bool(self._seen)

    def _look(self) -> Scan:
        return scan(self._folders, self._suffixes, trusted_only=self._trusted_only)

    def _interval_s(self) -> float:
        has_events = self._events is not None and self._events.is_complete
        return self._rescan_s if has_events else min(self._rescan_s, RESCAN_WITHOUT_EVENTS_S)

    def _is_written(self, path: str) -> bool:
        return self._events is not None and self._events.is_written(path)

    def _moved(self) -> None:
        self._has_moved = True
        if self._on_event is not None:
            self._on_event()


class _Events:
    """watchdog's observer on the folders. Without it (no inotify left, no such folder) there are just fewer looks."""

    def __init__(self, folders: Sequence[Path], suffixes: tuple[str, ...], moved: Callable[[], None]) -> None:
        self._folders = folders
        self._suffixes = suffixes
        self._moved = moved
        self._observer: Any = None
        self._watches: dict[Path, tuple[_Identity, Any]] = {}  # folder -> which one it was, watch
        self._writing: dict[str, float] = {}  # path -> last write by somebody who has not closed it
        self._has_complained = False

    @property
    def is_complete(self) -> bool:
        return len(self._watches) == len(self._folders)

    def is_written(self, path: str) -> bool:
        at = self._writing.get(os.path.realpath(path))
        return at is not None and time.monotonic() - at < WRITING_S

    def arm(self, identities: "Sequence[_Identity]") -> None:
        """Watch every folder that is there and was not watched, or was replaced by another."""
        for folder, identity in zip(self._folders, identities, strict=True):
            watched = self._watches.get(folder)
            if watched is not None and watched[0] == identity:
                continue
            try:
                if watched is not None:
                    del self._watches[folder]
                    self._observer.unschedule(watched[1])
                if identity is not None:
                    self._watches[folder] = (identity, self._watch(folder))
            except (OSError, KeyError, RuntimeError) as error:
                if not self._has_complained:
                    logger.warning("cannot watch %s (%s); looking every few seconds instead", folder, error)
                self._has_complained = True

    def stop(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None
        self._watches.clear()

    def dispatch(self, event: "FileSystemEvent") -> None:
        """What watchdog calls, in its own thread."""
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path or "")
        if event.event_type == "modified" and not event.is_directory:
            self._writing[source] = time.monotonic()
        elif event.event_type in ("closed", "deleted", "moved"):
            self._writing.pop(source, None)
            self._writing.pop(target, None)
        if event.is_directory or source.endswith(self._suffixes) or target.endswith(self._suffixes):
            self._moved()

    def _watch(self, folder: Path) -> Any:
        from watchdog import events
        from watchdog.observers import Observer

        if self._observer is None:
            self._observer = Observer()
            self._observer.start()
        # Not "opened": our own reading would wake us.
        wanted = [
            getattr(events, f"{kind}{what}Event")
            for kind in ("File", "Dir")
            for what in ("Created", "Modified", "Moved", "Deleted", "Attrib")
        ] + [events.FileClosedEvent]
        # The real path: watchdog would watch a link, not the folder.
        return self._observer.schedule(self, os.path.realpath(folder), recursive=True, event_filter=wanted)


def _identity(folder: Path) -> _Identity:
    """Which folder it is, whatever its name; None if there is none."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _hashes(content: Scan) -> dict[str, str]:
    return {path: file.hash for path, file in content.files.items()}


def _is_fresh(found: Scan, within_s: float) -> bool:
    """A file was written so lately that its writer may not be done."""
    for path in found.files:
        try:
            if abs(time.time() - Path(path).stat().st_mtime) < within_s:
                return True
        except OSError:
            return True
    return False
