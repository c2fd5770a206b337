"""Reload: from a plugin file's rename into place to the moment its new content is live and registered."""

import hashlib
import time
from argparse import Namespace
from statistics import median

from bench.builds import Build
from bench.rig import NOOP, MakeRig, Rig

CHANGES = 10
ABOUT = f"from a plugin file's rename until it is live; {CHANGES} changes, a running daemon"


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("noop.py", NOOP)
    rig.start()
    took = [_change(rig, number) for number in range(CHANGES)]
    return {"median, s": median(took), "worst, s": max(took)}


def _change(rig: Rig, number: int) -> float:
    """Seconds until the daemon has told the database of the new content."""
    before = _hash(rig)
    began = time.monotonic()
    rig.plugin("noop.py", f"{NOOP}# {number} {hashlib.sha256(str(began).encode()).hexdigest()}\n")
    rig.wait_for(lambda: _hash(rig) != before, "the reload")
    return time.monotonic() - began


def _hash(rig: Rig) -> str:
    return str(rig.ask("SELECT hash FROM qflow.job WHERE name = 'noop'")[0][0])
