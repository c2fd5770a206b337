"""Latency: from the COMMIT of an INSERT by another process to the first line of user code."""

import time
from argparse import Namespace
from pathlib import Path
from statistics import quantiles

from bench.builds import Build
from bench.rig import MakeRig, Rig

SAMPLES = 200
WARM_UP = 10  # samples that are not counted
ABOUT = f"from INSERT to the first line of user code; {SAMPLES} submissions one after the other, an idle daemon"
STAMP = """import time
from qflowd import job


@job
def stamp(file: str) -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    with open(file, "w") as out:
        out.write(repr(now))
"""


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("stamp.py", STAMP)
    rig.start()
    took = [_sample(rig, i) for i in range(WARM_UP + SAMPLES)][WARM_UP:]
    cuts = quantiles(took, n=100)
    return {"p50, ms": cuts[49] * 1e3, "p99, ms": cuts[98] * 1e3}


def _sample(rig: Rig, number: int) -> float:
    """Seconds of one submission; the daemon has come to rest before it."""
    file = Path(rig.folder) / f"stamp{number}"
    rig.submit(1, job="stamp", params=f'{{"file": "{file}"}}')
    committed = time.clock_gettime(time.CLOCK_BOOTTIME)
    rig.wait_for(lambda: file.exists() and bool(file.read_text()), "user code")
    time.sleep(0.03)
    return float(file.read_text()) - committed
