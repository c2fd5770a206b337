"""Files: each daemon looks for those that tasks of its pools wait for, in the folders that its configuration lists.

Every listed folder is looked at in a thread of its own, so a network folder that hangs holds up neither the others nor the
daemon.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from qflowd.engine.service import Topics
from qflowd.engine.waits.aside import Aside
from qflowd.engine.waits.checksums import Comparison
from qflowd.engine.waits.comparing import Comparing
from qflowd.engine.waits.file_judge import judge
from qflowd.engine.waits.folders import SETTING, Listing, Sightings, look, names_of, root_of
from qflowd.engine.waits.open_looks import OpenLooks, Seen, Sight
from qflowd.engine.waits.wanted_files import WantedFiles
from qflowd.model.states import FactKind
from qflowd.store.clock import boottime
from qflowd.store.tx import Store

PATIENCE_S: Final = 0.5
HANGS_S: Final = 10.0


class FileWaits:
    """The service that looks for files; a round looks at each folder once.

    `seconds`: a clock that nobody sets; of how long files stand still. `patience_s`: with a look; the answer of one that
    takes longer is fetched at a later round.
    """

    name: ClassVar[str] = "file_waits"
    topics: ClassVar[tuple[str, ...]] = ("look",)

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
        self._seconds, self._patience_s = seconds, patience_s
        self._folders = [Path(os.path.normpath(folder)) for folder in folders]
        self._comparing = {root: Comparing(self._roots(root)) for root in self._folders}
        self._asides = {root: Aside[dict[str, Listing]](f"qflowd-look-{root}") for root in self._folders}
        self._sightings: dict[str, Sightings] = {}
        self._open = OpenLooks(store, topics, FactKind.FILE, _read, daemon, seconds, pools)

    def tick(self) -> float:
        return self._open.tick(self._look)

    def _look(self, wanted: set[WantedFiles]) -> Seen[WantedFiles]:
        """What has been seen of what is waited for; without what lies in folders that have not answered yet."""
        by_root: dict[Path, set[WantedFiles]] = defaultdict(set)
        unable: dict[WantedFiles, str] = {}
        for files in wanted:
            if root := root_of(files.folder, self._folders):
                by_root[root].add(files)
            else:
                unable[files] = f"folder {files.folder} is not in {SETTING}"
        sights: dict[WantedFiles, Sight] = {}
        for root, under in by_root.items():
            listings, comparing = self._listings(root, under), self._comparing[root]
            compare: set[Comparison] = set()
            for files in under:
                if (listing := listings.get(files.folder)) and listing.patterns.issuperset(files.patterns):
                    sights[files], open_ones = judge(files, listing, self._sightings[files.folder], comparing.verdicts)
                    compare.update(open_ones)
                elif self._asides[root].late_s > HANGS_S:
                    sights[files] = Sight(None, f"folder {files.folder} does not answer")
            comparing.ask(compare, self._patience_s)
        folders = {files.folder for files in wanted}
        self._sightings = {folder: seen for folder, seen in self._sightings.items() if folder in folders}
        for root, comparing in self._comparing.items():
            comparing.keep([each for each in comparing.verdicts if self._is_as_compared(each)])
            comparing.want([each for each in comparing.begun if self._is_wanted(each, by_root[root])])
        return Seen(sights, unable)

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

    def _is_wanted(self, each: Comparison, wanted: Iterable[WantedFiles]) -> bool:
        """Whether what is compared is waited for, and is as it was; whatever else is there that has not stood still yet."""
        return self._is_as_compared(each) and any(
            (files.folder, files.checksum) == (each.folder, each.suffix) and names_of(files.pattern, [each.name])
            for files in wanted
        )

    def _is_as_compared(self, each: Comparison) -> bool:
        seen = self._sightings.get(each.folder)
        return bool(
            seen and seen.shows(each.name, each.mark) and seen.shows(each.name + each.suffix, each.checksum_mark)
        )

    def _roots(self, root: Path) -> list[Path]:
        return [root, *(each for each in self._folders if each != root)]


def _read(row: Any) -> WantedFiles:
    return WantedFiles(*json.loads(row.wanted))
