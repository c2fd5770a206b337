"""Throughput: no-op tasks a second, from the first start to the last acceptance, beside the yardstick in the same minute."""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from qflowd.model.states import TaskState
from tests.support.servers import MAKERS

ABOUT = "no-op tasks a second, and as a share of what bare SQL reaches (bench/yardstick.py)"
SHAPES = ("flat", "fan", "chain")


def layout(shape: str, tasks: int) -> tuple[int, dict[str, Any]]:
    """How many instances, of which tasks: `SHAPES` as the yardstick's."""
    if shape == "flat":
        size = min(tasks, 5000)
        return max(1, tasks // size), {f"t{i}": noop_task() for i in range(size)}
    if shape == "fan":
        middle = [f"m{i}" for i in range(1000)]
        fan = {"root": noop_task()} | {key: noop_task("root") for key in middle} | {"join": noop_task(*middle)}
        return max(1, tasks // 1002), fan
    if shape in ("pairs", "sagas"):  # short instances: their ends count
        undone = {"compensate": "noop"} if shape == "sagas" else {}
        return max(1, min(tasks, 10_000) // 2), {"load": noop_task() | undone, "check": noop_task("load") | undone}
    return max(1, tasks // 40), {f"t{i}": noop_task(*([f"t{i - 1}"] if i else [])) for i in range(40)}


def noop_task(*after: str) -> Mapping[str, Any]:
    """A task of a document."""
    return {"job": "noop", "params": {}} | ({"after": list(after)} if after else {})


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    figures = {}
    for shape in SHAPES:
        rig = make(build)
        ours = run(rig, shape, args.tasks)
        figures[f"{shape}, tasks/s"] = ours
        figures[f"{shape}, daemon's CPU, µs a task"] = 1e6 * cpu_s(rig.pid) / args.tasks
        rig.stop()
        figures[f"{shape}, of the yardstick's"] = ours / yardstick(rig, shape, args.tasks)
    # In turn, so that a machine that grows slower does so for both.
    first, *sagas, last = (run(make(build), shape, args.tasks) for shape in ("pairs", "sagas", "sagas", "pairs"))
    figures["sagas that succeed, of others"] = sum(sagas) / (first + last)
    return figures


def run(rig: Rig, shape: str, tasks: int) -> float:
    """Tasks a second of one run."""
    instances, document = layout(shape, tasks)
    rig.workflow(shape, document, saga=shape == "sagas")
    rig.admit_then_begin(shape, instances)
    rig.wait_for(lambda: rig.closed() == instances, "the last task")
    rig.count_successes(instances * len(document))
    [(seconds,)] = rig.ask(f"{SECONDS[rig.dialect]} WHERE state = {TaskState.SUCCESS:d}")
    return instances * len(document) / float(seconds)


SECONDS = {
    "sqlite": "SELECT (MAX(finished_at) - MIN(started_at)) / 1e6 FROM qflow.task_instance",
    "postgres": "SELECT EXTRACT(EPOCH FROM MAX(finished_at) - MIN(started_at)) FROM qflow.task_instance",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(started_at), MAX(finished_at)) / 1e6 FROM qflow.task_instance",
}


def yardstick(rig: Rig, shape: str, tasks: int) -> float:
    """The same shape by bare SQL, on a server of the same kind and durability."""
    kind = "mariadb" if rig.dialect == "mysql" else rig.dialect
    with MAKERS[kind](durable=True) as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        url = server.create_database()
        dsn = f"{folder}/yardstick.db" if kind == "sqlite" else url
        if kind == "mariadb":
            server.admin("CREATE DATABASE IF NOT EXISTS yardstick")
            dsn = url.rstrip("/") + "/yardstick"
        command = [sys.executable, str(Path(__file__).with_name("yardstick.py")), rig.dialect, "--dsn", dsn]
        command += ["--shape", shape, "--tasks", str(tasks), "--full"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(json.loads(output)["tasks_per_s"])
