"""Waiting: throughput beside many tasks that wait for a signal, as a share of throughput without them."""

import time
from argparse import Namespace

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from bench.throughput import run
from qflowd.model.states import WaitState

WAITING, OF_AN_INSTANCE = 100_000, 5_000
SHAPES = ("flat", "chain")
IDLE_S = 5.0
LOOK_S, LONGEST_S = 0.5, 300.0
ABOUT = f"no-op tasks a second beside {WAITING:,} tasks that wait for a signal, as a share of without them"


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    for shape in SHAPES:
        speeds = {True: 0.0, False: 0.0}
        # In turn, so that a machine that grows slower does so for both.
        for is_beside in (False, True, True, False):
            rig = make(build)
            if is_beside:
                figures["until all of them wait, s"] = _register(rig)
            speeds[is_beside] += run(rig, shape, args.tasks)
            if is_beside:
                figures["idle beside them, % of a core"] = _idle_percent(rig)
        figures[f"{shape}, of without"] = speeds[True] / speeds[False]
    return figures


def _register(rig: Rig) -> float:
    """Have so many tasks wait; seconds from their submission until all do."""
    rig.workflow("waiting", {f"w{i}": {"wait_for": {"signal": "never"}} for i in range(OF_AN_INSTANCE)})
    rig.start()
    began = time.monotonic()
    rig.submit(WAITING // OF_AN_INSTANCE, workflow="waiting")
    registered = f"SELECT COUNT(*) FROM qflow.waiter WHERE state = {WaitState.WAITING:d}"
    while rig.ask(registered)[0][0] < WAITING:  # the look costs some milliseconds itself
        if time.monotonic() - began > LONGEST_S:
            raise SystemExit(f"not {WAITING:,} tasks wait after {LONGEST_S:.0f} s")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def _idle_percent(rig: Rig) -> float:
    """Of a core, what the daemon takes while there is nothing to do but to wait."""
    before = cpu_s(rig.pid)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(rig.pid) - before) / IDLE_S
