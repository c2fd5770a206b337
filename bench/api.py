"""Reads of the HTTP API over a store that is full: seconds of each request, over HTTP, one after another."""

import http.client
import json
import subprocess
import time
from argparse import Namespace
from datetime import timedelta
from typing import Any

from bench.builds import Build
from bench.rig import MakeRig, Rig
from bench.stored import LARGE_MAP, NODES, fill
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.principals import add_principal
from qflowd.engine.access.tokens import Scope, make_token
from qflowd.model.roles import Role

ABOUT = (
    "reads over HTTP, with a year's instances and ten times as many tasks stored (--instances, by default a million)"
)
ROUNDS = 30
_FOUND: dict[str, dict[str, float]] = {}  # a store is filled once, however many runs are asked for


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    """The 50th and the 95th of a hundred of each request, in ms."""
    rig = make(build)
    if rig.dialect not in _FOUND:
        began = time.monotonic()
        fill(rig, args.instances)
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        _FOUND[rig.dialect] = _measured(rig, args.instances)
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


def _measured(rig: Rig, instances: int) -> dict[str, float]:
    rig.configure(1, '[api]\nbind = "127.0.0.1:0"\nrate = "10000/s"\nburst = 100000\n')
    token = rig.store.transact(_token)
    [(day,)] = rig.ask(
        f"SELECT CAST(business_date AS CHAR(10)) FROM qflow.workflow_instance WHERE id = {instances // 3}"
    )
    with (
        (rig.folder / "api.log").open("wb") as log,
        subprocess.Popen([*rig.command, "api"], env=rig.env, cwd=rig.folder, stdout=subprocess.PIPE, stderr=log) as api,
    ):
        try:
            assert api.stdout is not None
            port = int(api.stdout.readline().decode().rstrip("/\n").rpartition(":")[2])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            found: dict[str, float] = {}
            for name, path in _requests(instances).items():
                times = sorted(_timed(connection, path.format(day=day), token) for _ in range(ROUNDS))
                found[f"{name}, p50 ms"] = times[ROUNDS // 2] * 1e3
                found[f"{name}, p95 ms"] = times[ROUNDS * 95 // 100] * 1e3
            return found
        finally:
            api.terminate()


def _timed(connection: http.client.HTTPConnection, path: str, token: str) -> float:
    began = time.monotonic()
    connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    took = time.monotonic() - began
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {json.loads(body)['message']}")
    return took


def _token(tx: Any) -> str:
    actor = Actor("bench", "default")
    principal = add_principal(tx, actor, "bench", "service", Role.ADMIN)
    return make_token(tx, actor, principal, Scope(Role.ADMIN), timedelta(days=1)).text
