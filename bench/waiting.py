"""Waiting: throughput beside many tasks that wait for a signal, as a share of without, and of beside as many that do not."""

import time
from argparse import Namespace
from collections.abc import Mapping
from enum import Enum, auto

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from bench.throughput import run
from qflowd.model.states import WaitState

WAITING, OF_AN_INSTANCE = 100_000, 5_000
INSTANCES = WAITING // OF_AN_INSTANCE
SHAPES = ("flat", "chain")
IDLE_S = 5.0
LOOK_S, LONGEST_S = 0.5, 300.0
ABOUT = f"no-op tasks a second beside {WAITING:,} tasks that wait for a signal, and beside as many that stand behind another task"


class Beside(Enum):
    """What stands in the table of tasks meanwhile. BLOCKED: as many rows as WAITING has, of which next to none waits."""

    NOTHING = auto()
    BLOCKED = auto()
    WAITING = auto()


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    figures: dict[str, float] = {}
    for shape in SHAPES:
        speeds = dict.fromkeys(Beside, 0.0)
        # In turn, so that a machine that grows slower does so for all of them.
        for beside in (*Beside, *reversed(list(Beside))):
            rig = make(build)
            if beside is Beside.WAITING:
                figures["until all of them wait, s"] = _fill(rig, {}, WAITING)
            elif beside is Beside.BLOCKED:
                _fill(rig, {"after": "w0"}, INSTANCES)
            speeds[beside] += run(rig, shape, args.tasks)
            if beside is Beside.WAITING:
                figures["idle beside them, % of a core"] = _idle_percent(rig)
        figures[f"{shape}, of without"] = speeds[Beside.WAITING] / speeds[Beside.NOTHING]
        figures[f"{shape}, of beside as many rows"] = speeds[Beside.WAITING] / speeds[Beside.BLOCKED]
    return figures


def _fill(rig: Rig, others: Mapping[str, str], waiting: int) -> float:
    """Submit so many tasks; seconds until `waiting` of them wait. `others`: what all have but the first of an instance."""
    wait = {"wait_for": {"signal": "never"}}
    rig.workflow("waiting", {f"w{i}": wait | (others if i else {}) for i in range(OF_AN_INSTANCE)})
    rig.start()
    began = time.monotonic()
    rig.submit(INSTANCES, workflow="waiting")
    registered = f"SELECT COUNT(*) FROM qflow.waiter WHERE state = {WaitState.WAITING:d}"
    while rig.ask(registered)[0][0] < waiting:  # the look costs some milliseconds itself
        if time.monotonic() - began > LONGEST_S:
            raise SystemExit(f"not {waiting:,} tasks wait after {LONGEST_S:.0f} s")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def _idle_percent(rig: Rig) -> float:
    """Of a core, what the daemon takes while there is nothing to do but to wait."""
    before = cpu_s(rig.pid)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(rig.pid) - before) / IDLE_S
