"""Reload: from a plugin file's rename into place to the moment its new content is live and registered."""

import hashlib
import time
from argparse import Namespace
from collections.abc import Iterable
from statistics import median

from bench.rig import NOOP, Rig, started

CHANGES = 10


def main(databases: Iterable[str], args: Namespace) -> None:  # noqa: ARG001 - all benchmarks are called alike
    print(f"{CHANGES} changes of a plugin file, a running daemon; seconds")
    print(f"{'database':10}{'median':>8}{'worst':>8}")
    for database in databases:
        with started(database, "noop.py", NOOP) as rig:
            took = [change(rig, number) for number in range(CHANGES)]
            print(f"{database:10}{median(took):8.2f}{max(took):8.2f}", flush=True)


def change(rig: Rig, number: int) -> float:
    """Seconds until the daemon has told the database of the new content."""
    text = f"{NOOP}# {number}\n"
    wanted = hashlib.sha256(text.encode()).hexdigest()
    began = time.monotonic()
    rig.plugin("noop.py", text)
    rig.wait_for(lambda: rig.ask("SELECT hash FROM qflow.job WHERE name = 'noop'") == [(wanted,)], "the reload")
    return time.monotonic() - began
