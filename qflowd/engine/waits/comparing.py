"""Files that are being compared with their checksums: beside the looks, a few at a time."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from qflowd.engine.waits.aside import Aside
from qflowd.engine.waits.checksums import Compared, Comparison, compare

MOST: Final = 4  # at once: a large file holds up neither the others nor, beyond that, the disk


class Comparing:
    """Those under one listed folder, the smallest first. `roots`: all listed folders, this one first."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = roots
        self._begun: dict[Comparison, Aside[tuple[Compared | None]]] = {}
        self._verdicts: dict[Comparison, Compared] = {}

    @property
    def verdicts(self) -> Mapping[Comparison, Compared]:
        """What has come of those that have ended, and still are as they were."""
        return self._verdicts

    def ask(self, wanted: Collection[Comparison], within_s: float) -> None:
        """Begin what may begin, and learn what has ended; it waits no longer than `within_s`."""
        ends_s = monotonic() + within_s
        new = sorted(set(wanted).difference(self._begun), key=lambda each: each.mark.size)
        for each in new[: MOST - len(self._begun)]:
            self._begun[each] = Aside(f"qflowd-compare-{each.name}")
        for each, aside in list(self._begun.items()):
            if answer := aside.ask(partial(self._compare, each), max(0.0, ends_s - monotonic())):
                del self._begun[each]
                self._learn(each, *answer)

    def keep(self, current: Collection[Comparison]) -> None:
        """Forget all others."""
        self._verdicts = {each: self._verdicts[each] for each in current}

    def _learn(self, each: Comparison, verdict: Compared | None) -> None:
        self._verdicts.pop(each, None)
        if verdict:
            self._verdicts[each] = verdict

    def _compare(self, each: Comparison) -> tuple[Compared | None]:
        return (compare(each, self._roots),)
