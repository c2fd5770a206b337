"""Limits: how much of its slots a narrow limit reaches, and what a wide one costs."""

from argparse import Namespace

from bench.builds import Build
from bench.rig import MakeRig
from bench.throughput import SECONDS

SLOTS, NAP_S, NAPS = 4, 0.01, 1_600
WIDE = 8_000  # slots: twice the largest commit
SIZE = 5_000  # tasks of an instance
ITEMS, BANKS = 5_400, (1, 50, 1_000)  # of a map, and how many limits they name
ABOUT = f"{NAP_S * 1000:.0f} ms jobs with {SLOTS} slots, as a share of slots / duration; no-op jobs with {WIDE:,} slots; no-op maps"
JOB = """
import time

from qflowd import job


@job
def noop(seconds: float) -> dict:
    if seconds:
        time.sleep(seconds)
    return {'ok': 1}
"""


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    ideal = SLOTS / NAP_S
    none, wide = _run(make, build, 2, 0, args.tasks), _run(make, build, 2, WIDE, args.tasks)
    return {
        f"{SLOTS} slots, 8 processes: reached": _run(make, build, 8, SLOTS, NAPS, NAP_S) / ideal,
        f"no limit, {SLOTS} processes: reached": _run(make, build, SLOTS, 0, NAPS, NAP_S) / ideal,
        "no-op, no limit, tasks/s": none,
        f"no-op, {WIDE:,} slots, tasks/s": wide,
        f"no-op, {WIDE:,} slots, of no limit": wide / none,
        **_run_maps(make, build),
    }


def _run(make: MakeRig, build: Build, processes: int, slots: int, tasks: int, seconds: float = 0.0) -> float:
    """Tasks a second, from the first start to the last acceptance. `slots`: of the limit; 0: there is none."""
    rig = make(build)
    rig.configure(processes, f"[limits]\nvendor = {slots}\n" if slots else "")
    size = min(tasks, SIZE)
    task = {"job": "noop", "params": {"seconds": seconds}} | ({"limits": {"vendor": 1}} if slots else {})
    rig.workflow("flat", {f"t{i}": task for i in range(size)})
    rig.admit_then_begin("flat", tasks // size, plugin=JOB)
    rig.wait_for(lambda: rig.closed() == tasks // size, "the last task")
    rig.count_successes(tasks // size * size)
    [(took_s,)] = rig.ask(SECONDS[rig.dialect])
    rig.stop()
    return tasks // size * size / float(took_s)


def _run_maps(make: MakeRig, build: Build) -> dict[str, float]:
    """Seconds from the submission to the close of maps whose items name so many limits, and what naps of as many reach."""
    rig = make(build)
    rig.plugin("noop.py", JOB)
    rig.configure(2, f'[limits]\n"bank:*" = {WIDE}\n')
    task = {"job": "noop", "params": {"seconds": 0}, "limits": {"bank:{{ item }}": 1}}
    for banks in BANKS:
        rig.workflow(f"over_{banks}", {"each": task | {"map": [i % banks for i in range(ITEMS)]}})
    rig.workflow("naps", {"each": task | {"map": list(range(BANKS[-1])), "params": {"seconds": NAP_S}}})
    rig.start()
    rig.submit_to_close(f"over_{BANKS[0]}")  # lanes are known from here on
    seconds = {f"map of {ITEMS:,} over {banks:,} limits, s": rig.submit_to_close(f"over_{banks}") for banks in BANKS}
    reached = BANKS[-1] * NAP_S / 2 / rig.submit_to_close("naps")
    rig.stop()
    return seconds | {f"{BANKS[-1]:,} limits, 2 processes: reached": reached}
