"""Files: each daemon looks for those that tasks of its pools wait for, in the folders that its configuration lists.

Whoever sees them first ends the wait; the others change nothing. Every listed folder is looked at in a thread of its own,
so a network folder that hangs holds up neither the others nor the daemon.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Final

from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.engine.service import Place, Topics
from qflowd.engine.waits.aside import Aside
from qflowd.engine.waits.checksums import Comparison, compare
from qflowd.engine.waits.file_judge import Sight, judge
from qflowd.engine.waits.folders import SETTING, Listing, Sightings, look, root_of
from qflowd.engine.waits.wanted_files import WantedFiles
from qflowd.model import jsontext
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

BATCH: Final = 500
LOOK_S: Final = 1.0
REST: Final = 10  # times as long as a round took: large folders are looked at less often
IDLE_S: Final = 5.0
PATIENCE_S: Final = 0.5
HANGS_S: Final = 10.0
Key = tuple[int, int]  # of a task, and the fence that it waits with


class FileWaits:
    """The service that looks for files. A round reads what is waited for, in batches, then looks at each folder once.

    `seconds`: a clock that nobody sets; of how long files stand still. `patience_s`: with a look; the answer of one that
    takes longer is fetched at a later round.
    """

    name: ClassVar[str] = "file_waits"
    topics: ClassVar[tuple[str, ...]] = ("file",)

    def __init__(
        self,
        store: Store,
        topics: Topics,
        folders: Sequence[Path],
        pools: Collection[str],
        daemon: str,
        seconds: Callable[[], float] = boottime,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._store, self._topics, self._pools, self._daemon = store, topics, pools, daemon
        self._seconds, self._patience_s = seconds, patience_s
        self._folders = [Path(os.path.normpath(folder)) for folder in folders]
        self._comparing = {root: Aside[dict[Comparison, str]](f"qflowd-compare-{root}") for root in self._folders}
        self._verdicts: dict[Comparison, str] = {}
        self._asides = {root: Aside[dict[str, Listing]](f"qflowd-look-{root}") for root in self._folders}
        self._place = Place(0)
        self._began_s = self._rests_until_s = 0.0
        self._wanted: dict[Key, WantedFiles] = {}
        self._unheard: set[Key] = set()  # of which no daemon has said anything yet
        self._sightings: dict[str, Sightings] = {}
        self._noted: dict[Key, str] = {}  # what this daemon has said last

    def tick(self) -> float:
        now_s = self._seconds()
        if now_s < self._rests_until_s:
            return self._rests_until_s - now_s
        if not self._place.after:
            self._began_s, self._wanted, self._unheard = now_s, {}, set()
        if self._read():
            return 0
        self._write(self._look())
        folders = {files.folder for files in self._wanted.values()}
        self._sightings = {folder: seen for folder, seen in self._sightings.items() if folder in folders}
        self._verdicts = {each: said for each, said in self._verdicts.items() if self._is_as_compared(each)}
        self._noted = {key: said for key, said in self._noted.items() if key in self._wanted}
        rest_s = min(IDLE_S, REST * (self._seconds() - self._began_s))
        self._rests_until_s = self._seconds() + rest_s
        return max(LOOK_S, rest_s) if self._wanted else IDLE_S

    def _read(self) -> bool:
        """Read some of what is waited for, and close what is over. Returns: may there be more?"""
        after = self._place.after
        rows = self._store.read(lambda tx: tx.run("list_open_files", batch=BATCH, after=after))
        for row in rows:
            if row.is_current and (not row.pool or row.pool in self._pools):
                self._wanted[row.task_id, row.fence] = WantedFiles(*json.loads(row.wanted))
                if row.remark is None:
                    self._unheard.add((row.task_id, row.fence))
        if over := [(row.task_id, row.fence) for row in rows if not row.is_current]:
            self._store.transact(lambda tx: tx.run("close_file_waits", rows=over), name="close_file_waits")
        return self._place.move(rows, BATCH, lambda row: int(row.task_id))

    def _look(self) -> dict[Key, Sight]:
        """What has been seen of what is waited for; without what lies in folders that have not answered yet."""
        by_root: dict[Path, set[WantedFiles]] = defaultdict(set)
        for files in self._wanted.values():
            if root := root_of(files.folder, self._folders):
                by_root[root].add(files)
        sights: dict[WantedFiles, Sight] = {}
        for root, wanted in by_root.items():
            listings = self._listings(root, wanted)
            for files in wanted:
                if (listing := listings.get(files.folder)) and listing.patterns.issuperset(files.patterns):
                    sights[files] = judge(files, listing, self._sightings[files.folder], self._verdicts)
                elif self._asides[root].late_s > HANGS_S:
                    sights[files] = Sight(None, f"folder {files.folder} does not answer")
            self._compare(root, {each for files in wanted & sights.keys() for each in sights[files].compare})
        return {key: sights[files] for key, files in self._wanted.items() if files in sights}

    def _listings(self, root: Path, wanted: Iterable[WantedFiles]) -> dict[str, Listing]:
        """What is in folders under a listed one; {} if they do not answer in time, and perhaps those of an earlier round."""
        patterns: dict[str, set[str]] = defaultdict(set)
        for files in wanted:
            patterns[files.folder].update(files.patterns)
        roots = self._roots(root)

        def look_at_all() -> dict[str, Listing]:
            return {folder: look(folder, names, roots, self._seconds) for folder, names in patterns.items()}

        listings = self._asides[root].ask(look_at_all, self._patience_s) or {}
        for folder, listing in listings.items():
            self._sightings.setdefault(folder, Sightings()).see(listing)
        return listings

    def _compare(self, root: Path, wanted: Collection[Comparison]) -> None:
        """Have files under a listed folder compared with their checksums; the next look judges by what has come of it."""
        if wanted:
            roots, files = self._roots(root), sorted(wanted)
            compared = self._comparing[root].ask(lambda: compare(files, roots), self._patience_s)
            self._verdicts.update(compared or {})

    def _is_as_compared(self, each: Comparison) -> bool:
        seen = self._sightings.get(each.folder)
        return bool(seen and seen.shows(each.name, each.mark) and seen.shows(each.name + each.suffix, each.said))

    def _roots(self, root: Path) -> list[Path]:
        return [root, *(each for each in self._folders if each != root)]

    def _write(self, sights: dict[Key, Sight]) -> None:
        """End the waits for what has come, and say of the others what is still missing, where that is news."""
        found = [(*key, sight.found) for key, sight in sorted(sights.items()) if sight.found is not None]
        for part in _parts(found):
            self._store.transact(partial(_meet, rows=part), name="meet_file_waits")
        if found:
            self._topics.publish("fact")
        said = {key: (sight.remark, 1) for key, sight in sights.items() if sight.found is None}
        for key in self._unheard:
            folder = self._wanted[key].folder
            if root_of(folder, self._folders) is None:
                said[key] = f"folder {folder} is not in {SETTING}", 0
        lines = {
            key: (f"daemon {self._daemon}: {jsontext.clean_text(remark)}"[:LONGEST_ERROR], can_look)
            for key, (remark, can_look) in sorted(said.items())
        }
        for part in _parts([(*key, *line) for key, line in lines.items() if self._noted.get(key) != line[0]]):
            self._store.transact(partial(_note, rows=part), name="note_file_waits")
        self._noted.update((key, remark) for key, (remark, _) in lines.items())


def _meet(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.run("meet_file_waiters", rows=[(task, fence) for task, fence, _ in rows])
    tx.run("save_found_files", rows=rows)


def _note(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.run("note_file_waits", rows=rows)


def _parts(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[tuple[Any, ...]]]:
    """A transaction each."""
    rest = iter(rows)
    return iter(lambda: list(islice(rest, BATCH)), [])
