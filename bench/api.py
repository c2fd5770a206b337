"""Reads of the HTTP API over a store that is full: seconds of each request, over HTTP, one after another."""

import http.client
import time
from argparse import Namespace

from bench.builds import Build
from bench.rig import MakeRig, Rig
from bench.served import get, served, token_of
from bench.stored import LARGE_MAP, NODES, fill

ABOUT = (
    "reads over HTTP, with a year's instances and ten times as many tasks stored (--instances, by default a million)"
)
ROUNDS = 100
_FOUND: dict[str, dict[str, float]] = {}  # a store is filled once, however many runs are asked for


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    """The first, and the 50th and the 95th of a hundred of each request, in ms."""
    rig = make(build)
    if rig.dialect not in _FOUND:
        began = time.monotonic()
        fill(rig, args.instances)
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        _FOUND[rig.dialect] = _measured(rig, args.instances, args.only)
    return _FOUND[rig.dialect]


def _requests(instances: int) -> dict[str, str]:
    """What is asked; the two maps are the newest instances."""
    mapped, large, middle = instances + 1, instances + 2, instances // 2
    return {
        "instances": "/instances",
        "instances, FAILED": "/instances?state=FAILED",
        "instances, open": "/instances?state=open",
        "instances of a workflow": "/instances?workflow=daily_07",
        "instances of daily_*, SUCCESS": "/instances?workflow=daily_*&state=SUCCESS",
        "instances of a date": "/instances?business_date_from={day}&business_date_to={day}",
        "instances of an hour": "/instances?created_from={day}T00:00:00Z&created_to={day}T01:00:00Z",
        "instances, a name nobody has": "/instances?name=nobody",
        "instances, total": "/instances?total=1",
        "an instance": f"/instances/{middle}",
        "its tasks": f"/instances/{middle}/tasks",
        "its timeline": f"/instances/{middle}/timeline",
        "a map of 5,400": f"/instances/{mapped}",
        "its tasks, failed first": f"/instances/{mapped}/tasks?failed=first",
        "its timeline ": f"/instances/{mapped}/timeline",
        "its breakpoint": f"/instances/{mapped}/breakpoint",
        "a map of 100,000": f"/instances/{large}",
        "its item 87,654": f"/instances/{large}/tasks?node=task_1&from={LARGE_MAP - 12_346}&limit=200",
        "its failed items": f"/instances/{large}/tasks?state=FAILED",
        "an item by label": f"/instances/{large}/tasks?q=s87654",
        "its timeline  ": f"/instances/{large}/timeline",
        "a task": f"/tasks/{(mapped << 20) + NODES + 17}",
        "tasks, FAILED": "/tasks?state=FAILED",
        "tasks, READY": "/tasks?state=READY",
        "tasks, RUNNING": "/tasks?state=RUNNING",
        "tasks of a workflow, a day": "/tasks?workflow=daily_07&since=1d&state=SUCCESS",
        "failures": "/failures",
        "failures, grouped": "/failures?group=1",
        "queue": "/queue",
        "the tail of 1M lines": f"/tasks/{(mapped << 20) + 3}/log?tail=500",
        "lines in the middle": f"/tasks/{(mapped << 20) + 3}/log?after=500000",
        "lines, ERROR": f"/tasks/{(mapped << 20) + 3}/log?level=ERROR",
        "lines of the instance, tail": f"/instances/{mapped}/log?tail=500",
        "grid of 25": "/workflows/daily_07/grid",
        "graph of 100,000": f"/instances/{large}/graph",
    }


def _measured(rig: Rig, instances: int, only: str) -> dict[str, float]:
    token = token_of(rig)
    [(day,)] = rig.ask(
        f"SELECT CAST(business_date AS CHAR(10)) FROM qflow.workflow_instance WHERE id = {instances // 3}"
    )
    found: dict[str, float] = {}
    with served(rig) as api:
        connection = api.connect()
        for name, path in _requests(instances).items():
            if only not in name:
                continue
            times = [_timed(connection, path.format(day=day), token) for _ in range(ROUNDS)]
            found[f"{name}, first ms"] = times[0] * 1e3
            times.sort()
            found[f"{name}, p50 ms"] = times[ROUNDS // 2] * 1e3
            found[f"{name}, p95 ms"] = times[ROUNDS * 95 // 100] * 1e3
    return found


def _timed(connection: http.client.HTTPConnection, path: str, token: str) -> float:
    began = time.monotonic()
    get(connection, path, token).read()
    return time.monotonic() - began
