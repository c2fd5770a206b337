"""Broadcast: one task's large output handed to thousands of children, as a map over all symbols of a market does."""

from argparse import Namespace

from bench.builds import Build
from bench.rig import PROCESSES, MakeRig, bytes_read, nursery_and_workers
from bench.throughput import SECONDS

CHILDREN = 5_400
ABOUT = f"{CHILDREN:,} children of one output of 54 KB, which none of them reads"
PLUGIN = """from qflowd import job


@job
def universe() -> list:
    return [f"{number:06d}.SH" for number in range(4500)]


@job
def noop() -> dict:
    return {"ok": 1}
"""


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("broadcast.py", PLUGIN)
    tasks = {f"c{i}": {"job": "noop", "after": "universe", "params": {}} for i in range(CHILDREN)}
    rig.workflow("broadcast", {"universe": {"job": "universe"}} | tasks)
    rig.start()
    rig.wait_for(lambda: len(nursery_and_workers(rig.pid)[1]) == PROCESSES, "the workers")
    _, workers = nursery_and_workers(rig.pid)
    before = bytes_read(workers)
    rig.submit(1, workflow="broadcast")
    done = "SELECT COUNT(*) FROM qflow.instances WHERE state = 'SUCCESS'"
    rig.wait_for(lambda: rig.ask(done)[0][0] == 1, "the last child")
    moved = bytes_read(workers) - before
    rig.count_successes(CHILDREN + 1)
    [(seconds,)] = rig.ask(SECONDS[rig.dialect])
    return {"read by the workers, MB": moved / 1e6, "seconds": float(seconds)}
