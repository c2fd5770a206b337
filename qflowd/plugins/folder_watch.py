"""Watching folders: twice a second a look at names and times, and what has changed is read until it stands still.

File events would be sooner, but are silent on network folders, run out, and miss a folder that is replaced as a whole.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from qflowd.plugins.source import Scan, scan, visible_files

LOOK_S = 0.5
SETTLE_S = 0.3
REREAD_S = 30.0  # the times of some network folders are coarse, and a folder above may have become unsafe


class FolderWatch:
    """The stable content of some folders: `poll()` does one bounded look, `due_s()` says when to call it again.

    Args:
        settle_s: content counts once two reads so far apart were equal.
        reread_s: everything is read so often, whatever names and times say.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        suffixes: Sequence[str],
        *,
        trusted_only: bool = True,
        settle_s: float = SETTLE_S,
        reread_s: float = REREAD_S,
    ) -> None:
        self._folders, self._suffixes, self._trusted_only = list(folders), tuple(suffixes), trusted_only
        self._settle_s, self._reread_s, self._look_s = settle_s, reread_s, min(LOOK_S, reread_s)
        self._due = self._reread_at = 0.0
        self._glance: list[tuple[object, ...]] = []
        self._latest = self._stable = Scan()

    def start(self) -> Scan:
        """Read everything. The first `poll()`, due in a moment, reads again what may have been half written."""
        self._latest = self._stable = self._read()
        self._due, self._reread_at = time.monotonic() + self._settle_s, 0.0
        return self._stable

    def due_s(self) -> float:
        """Seconds until `poll()` has something to do."""
        return max(0.0, self._due - time.monotonic())

    def poll(self) -> Scan | None:
        """The content, if it has changed since it was last returned."""
        if time.monotonic() < self._due:
            return None
        glance = [_look_at(path) for folder in self._folders for path in visible_files(folder, self._suffixes)]
        if glance == self._glance and time.monotonic() < self._reread_at:
            self._due = time.monotonic() + self._look_s
            return None
        before, self._latest = self._latest, self._read()
        if self._latest != before:
            self._due, self._reread_at = time.monotonic() + self._settle_s, 0.0
            return None
        self._glance, self._reread_at = glance, time.monotonic() + self._reread_s
        self._due = time.monotonic() + self._look_s
        if self._latest == self._stable:
            return None
        self._stable = self._latest
        return self._stable

    def _read(self) -> Scan:
        return scan(self._folders, self._suffixes, trusted_only=self._trusted_only)


def _look_at(path: str) -> tuple[object, ...]:
    """Differs from the last time if the file was written to, replaced, or given another owner."""
    try:
        status = Path(path).stat()  # of what a link points to, which may change behind it
    except OSError:
        return (path,)
    return path, status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns
