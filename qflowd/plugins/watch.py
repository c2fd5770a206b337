"""Watching folders: file events make it fast, a full look by hash now and then makes it sure.

A file counts only when two looks a moment apart found the same bytes and nobody is known to be writing it.
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
RESCAN_S = 30.0
RESCAN_WITHOUT_EVENTS_S = 3.0
WRITING_S = 10.0  # a writer that has not closed its file for so long is no longer waited for

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
        self._seen: dict[str, str] = {}  # path -> hash at the last look
        self._stable = Scan()

    def start(self) -> Scan:
        """Read everything; returns at once unless a file was changed this very moment.

        The first `poll()`, due in a moment, reads again and listens for events from then on: watchdog is slow to import,
        and a daemon that starts need not wait for it.
        """
        found = self._look()
        if _is_fresh(found, self._settle_s):
            time.sleep(self._settle_s)
            found = self._look()
        self._seen = {path: file.hash for path, file in found.files.items()}
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
        """Seconds until `poll()` has something to do; 0 if it has now."""
        return max(0.0, self._due - time.monotonic())

    def poll(self) -> Scan | None:
        """The content, if it has changed since it was last returned."""
        now = time.monotonic()
        if self._has_moved:
            self._has_moved = False
            self._due = min(self._due, now)
        if now < self._due:
            return None
        if self._events is not None:
            self._events.arm()
        changed, is_moving = self._settle(self._look())
        self._due = time.monotonic() + (self._settle_s if is_moving else self._interval_s())
        return self._stable if changed else None

    def _settle(self, found: Scan) -> tuple[bool, bool]:
        """Take over what two looks agree on. Returns whether that changed anything, and whether files still move."""
        seen, self._seen = self._seen, {path: file.hash for path, file in found.files.items()}
        files: dict[str, SourceFile] = {}
        is_moving = False
        for path in sorted({*found.files, *self._stable.files}):
            new, old = found.files.get(path), self._stable.files.get(path)
            hash_now = new.hash if new else None
            if hash_now != (old.hash if old else None) and (hash_now != seen.get(path) or self._is_written(path)):
                is_moving = True
                new = old
            if new is not None:
                files[path] = new
        ordered = found.sorted(files.values())
        before = self._stable
        self._stable = replace(found, files=ordered)
        changed = {p: f.hash for p, f in ordered.items()} != {p: f.hash for p, f in before.files.items()}
        return changed or dict(found.errors) != dict(before.errors), is_moving

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
        self._watches: dict[Path, tuple[int, Any]] = {}  # folder -> inode it had, watch
        self._writing: dict[str, float] = {}  # path -> last write by somebody who has not closed it
        self._has_complained = False

    @property
    def is_complete(self) -> bool:
        return len(self._watches) == len(self._folders)

    def is_written(self, path: str) -> bool:
        at = self._writing.get(path)
        return at is not None and time.monotonic() - at < WRITING_S

    def arm(self) -> None:
        """Watch every folder that is there and was not watched, or was replaced by another."""
        for folder in self._folders:
            inode = _inode(folder)
            known = self._watches.get(folder)
            if known is not None and known[0] == inode:
                continue
            try:
                if known is not None:
                    del self._watches[folder]
                    self._observer.unschedule(known[1])
                if inode is not None:
                    self._watches[folder] = (inode, self._watch(folder))
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
        return self._observer.schedule(self, str(folder), recursive=True, event_filter=wanted)


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None


def _is_fresh(found: Scan, within_s: float) -> bool:
    """A file was written so lately that its writer may not be done."""
    for path in found.files:
        try:
            if abs(time.time() - Path(path).stat().st_mtime) < within_s:
                return True
        except OSError:
            return True
    return False
