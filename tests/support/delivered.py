"""Files that are delivered, and a daemon's looks for them, driven by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from qflowd.engine.waits.file_waits import FileWaits
from tests.support.clock import SetClock
from tests.support.lab import Lab
from tests.support.signals_sent import DAY, drive

AT = 1_795_000_000  # seconds: when files were written


def deliver(box: Path, name: str, text: str = "x", at: int = AT) -> None:
    (box / name).write_text(text)
    os.utime(box / name, (at, at))


def watcher(
    lab: Lab,
    listed: Sequence[Path],
    pools: Sequence[str] = ("default",),
    name: str = "a1",
    patience_s: float = 60,
    clock: SetClock | None = None,
) -> FileWaits:
    """What a daemon looks with. `clock`: tells how long files stand still; that of the lab if not given."""
    return FileWaits(
        lab.store, lab.topics, listed, pools, name, lambda: (clock or lab.clock).now().timestamp(), patience_s
    )


def begin(lab: Lab, box: Path, **wait: object) -> int:
    """An instance whose task waits for files of its business date."""
    path = f"{box}/positions_{{{{ format(business_date, '%Y%m%d') }}}}_*.csv"
    lab.define("positions", {"come": {"wait_for": {"file": path, **wait}}})
    number = lab.start("positions", business_date=DAY)
    drive(lab)
    return number


def settle(lab: Lab, files: FileWaits, seconds: float = 5) -> None:
    """Look, and look again so many seconds later."""
    files.tick()
    lab.clock.advance(seconds)
    files.tick()
    drive(lab)
