"""Latency: from the COMMIT of an INSERT by another process to the first line of user code."""

import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles

from bench.rig import Rig, started

SAMPLES = 200
WARM_UP = 10  # samples that are not counted
STAMP = """import time
from qflowd import job


@job
def stamp(file: str) -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    with open(file, "w") as out:
        out.write(repr(now))
"""


def main(databases: Iterable[str], args: Namespace) -> None:  # noqa: ARG001 - all benchmarks are called alike
    print(f"{SAMPLES} submissions one after the other, an idle daemon; milliseconds")
    print(f"{'database':10}{'p50':>8}{'p99':>8}")
    for database in databases:
        with started(database, "stamp.py", STAMP) as rig:
            took = [sample(rig, i) for i in range(WARM_UP + SAMPLES)][WARM_UP:]
            cuts = quantiles(took, n=100)
            print(f"{database:10}{cuts[49] * 1e3:8.1f}{cuts[98] * 1e3:8.1f}", flush=True)


def sample(rig: Rig, number: int) -> float:
    """Seconds of one submission; the daemon has come to rest before it."""
    file = Path(rig.folder) / f"stamp{number}"
    rig.submit(1, job="stamp", params=f'{{"file": "{file}"}}')
    committed = time.clock_gettime(time.CLOCK_BOOTTIME)
    rig.wait_for(lambda: file.exists() and bool(file.read_text()), "user code")
    time.sleep(0.03)
    return float(file.read_text()) - committed
