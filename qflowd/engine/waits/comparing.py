"""Files that are being compared with their checksums: beside the looks, a few at a time."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from qflowd.engine.waits.aside import Aside
from qflowd.engine.waits.checksums import Compared, Comparison, compare

MOST: Final = 4  # at once: a large file holds up neither the others nor, beyond that, the disk
MOST_HUNG: Final = 16  # that hang beside them
HANGS_S: Final = 10.0  # without a part of the file: it takes the place of no other one


class _Reading:
    """A comparison that has begun."""

    def __init__(self, each: Comparison) -> None:
        self.aside = Aside[tuple[Compared | None]](f"qflowd-compare-{each.name}")
        self.is_wanted = True
        self._moved_s = monotonic()

    def moves(self) -> bool:
        """Asked before each part of the file. Returns: is the next one wanted?"""
        self._moved_s = monotonic()
        return self.is_wanted

    @property
    def hangs(self) -> bool:
        return monotonic() - self._moved_s > HANGS_S


class Comparing:
    """Those under one listed folder, the smallest first. `roots`: all listed folders, this one first."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._begun: dict[Comparison, _Reading] = {}
        self._verdicts: dict[Comparison, Compared] = {}

    @property
    def verdicts(self) -> Mapping[Comparison, Compared]:
        """What has come of those that have ended, and still are as they were."""
        return self._verdicts

    @property
    def begun(self) -> Collection[Comparison]:
        """Those that have not ended."""
        return self._begun.keys()

    def ask(self, wanted: Collection[Comparison], within_s: float) -> None:
        """Begin what may begin, and learn what has ended; it waits no longer than `within_s`."""
        ends_s = monotonic() + within_s
        new = sorted(set(wanted).difference(self._begun), key=lambda each: each.mark.size)
        hung = sum(reading.hangs for reading in self._begun.values())
        for each in new[: max(0, MOST + min(hung, MOST_HUNG) - len(self._begun))]:
            self._begun[each] = _Reading(each)
        for each, reading in list(self._begun.items()):
            work = partial(self._compare, each, reading)
            if answer := reading.aside.ask(work, max(0.0, ends_s - monotonic())):
                del self._begun[each]
                self._learn(each, *answer)

    def keep(self, current: Collection[Comparison]) -> None:
        """Forget the verdicts on all others."""
        self._verdicts = {each: self._verdicts[each] for each in current}

    def want(self, wanted: Collection[Comparison]) -> None:
        """Leave all others that have begun: each ends before the next part of its file."""
        for each, reading in self._begun.items():
            reading.is_wanted = each in wanted

    def _learn(self, each: Comparison, verdict: Compared | None) -> None:
        self._verdicts.pop(each, None)
        if verdict:
            self._verdicts[each] = verdict

    def _compare(self, each: Comparison, reading: _Reading) -> tuple[Compared | None]:
        return (compare(each, self._roots, reading.moves),)
