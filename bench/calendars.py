"""Calendars: all bundled ones read in a fresh interpreter, and the next instant of a schedule by session."""

import json
import subprocess
from argparse import Namespace

from bench.builds import Build
from bench.rig import MakeRig

ABOUT = (
    "all bundled calendars, with every product, loaded in a fresh interpreter; next instants by session (no database)"
)
PROGRAM = """
import json, time, tracemalloc
from datetime import UTC, datetime, timedelta
from statistics import median
from qflowd.calendars import bundled, timetable
from qflowd.model.workflow import Schedule

def load():
    for name in bundled.names():
        bundled.calendar(name)
        for product in bundled.products(name):
            bundled.calendar(f"{name}.{product}")

began = time.perf_counter()
load()
seconds = time.perf_counter() - began

def next_us(schedule):
    taken = []
    for day in range(1, 301):
        after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=day % 24)
        began = time.perf_counter()
        timetable.next_fire(schedule, after)
        taken.append(time.perf_counter() - began)
    return median(taken) * 1e6

figures = {
    "loaded, ms": seconds * 1e3,
    "next close+30m of XSHG, µs": next_us(Schedule("", "Asia/Shanghai", calendar="XSHG", at="close+30m")),
    "next night_open-15m of SHFE.rb, µs": next_us(Schedule("", "Asia/Shanghai", calendar="SHFE.rb", at="night_open-15m")),
    "next last session of a month of XNYS, µs": next_us(
        Schedule("", "America/New_York", calendar="XNYS", at="close+1h", days="last session of month")
    ),
}
for kept in (bundled.calendar, bundled.names, bundled._file, bundled._days, bundled._special):
    kept.cache_clear()
tracemalloc.start()
load()
figures["loaded, MB"] = tracemalloc.get_traced_memory()[0] / 1e6
print(json.dumps(figures))
"""


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    ran = subprocess.run([build.python, "-c", PROGRAM], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures
