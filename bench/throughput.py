"""Throughput: no-op tasks a second, from the first start to the last acceptance, beside the yardstick in the same minute."""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from bench.rig import NOOP, Rig, rigs
from qflowd.define.writing import render
from qflowd.model.workflow import Edge, Task, Workflow
from tests.support.servers import MAKERS

SHAPES = ("flat", "fan", "chain")


def layout(shape: str, tasks: int) -> tuple[int, Workflow]:
    """As the yardstick's: how many instances, of which workflow."""
    if shape == "flat":
        size = min(tasks, 5000)
        return max(1, tasks // size), Workflow("flat", tuple(noop_task(f"t{i}") for i in range(size)))
    if shape == "fan":
        middle = [f"m{i}" for i in range(1000)]
        fan = (noop_task("root"), *(noop_task(key, "root") for key in middle), noop_task("join", *middle))
        return max(1, tasks // 1002), Workflow("fan", fan)
    chain = tuple(noop_task(f"t{i}", *([f"t{i - 1}"] if i else [])) for i in range(40))
    return max(1, tasks // 40), Workflow("chain", chain)


def noop_task(key: str, *after: str) -> Task:
    return Task(key, "noop", after=tuple(map(Edge, after)), params={})


def main(databases: Iterable[str], args: Namespace) -> None:
    print(f"{args.tasks} tasks, {args.runs} runs, medians; tasks a second")
    print(f"{'database':10}{'shape':8}{'qflowd':>10}{'yardstick':>12}{'ratio':>8}")
    for database in databases:
        with rigs(database) as make:
            for shape in SHAPES:
                ours, theirs = [], []
                for _ in range(args.runs):
                    ours.append(run(make, shape, args.tasks))
                    theirs.append(yardstick(database, shape, args.tasks))
                ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
                print(f"{database:10}{shape:8}{median(ours):10.0f}{median(theirs):12.0f}{ratio:8.2f}", flush=True)


def run(make: Callable[[], Rig], shape: str, tasks: int) -> float:
    """One run: everything is admitted while no daemon knows the job; then its plugin is dropped in."""
    rig = make()
    instances, workflow = layout(shape, tasks)
    rig.workflow(f"{shape}.json", render(workflow, "json"))
    rig.start()
    rig.submit(instances, workflow=shape)
    rig.wait_for(lambda: rig.ask("SELECT COUNT(*) FROM qflow.workflow_instance")[0][0] == instances, "admission")
    rig.plugin("noop.py", NOOP)
    rig.wait_for(
        lambda: rig.ask("SELECT COUNT(*) FROM qflow.workflow_instance WHERE state <> 3")[0][0] == 0, "the last task"
    )
    [(seconds,)] = rig.ask(_SECONDS[rig.store.dialect.name])
    [(done,)] = rig.ask("SELECT COUNT(*) FROM qflow.task_instance WHERE state = 5")
    if done != instances * len(workflow.tasks):
        raise SystemExit(f"{shape}: {done} tasks are SUCCESS, not {instances * len(workflow.tasks)}")
    rig.stop()
    return float(done / float(seconds))


_SECONDS = {
    "sqlite": "SELECT (MAX(finished_at) - MIN(started_at)) / 1e6 FROM qflow.task_instance",
    "postgres": "SELECT EXTRACT(EPOCH FROM MAX(finished_at) - MIN(started_at)) FROM qflow.task_instance",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(started_at), MAX(finished_at)) / 1e6 FROM qflow.task_instance",
}


def yardstick(database: str, shape: str, tasks: int) -> float:
    """The same shape by bare SQL, on a server of the same kind and durability."""
    with MAKERS[database](durable=True) as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        url = server.create_database()
        dsn = f"{folder}/yardstick.db" if database == "sqlite" else url
        if database == "mariadb":
            server.admin("CREATE DATABASE IF NOT EXISTS yardstick")
            dsn = url.rstrip("/") + "/yardstick"
        command = [sys.executable, str(Path(__file__).with_name("yardstick.py")), _KIND[database], "--dsn", dsn]
        command += ["--shape", shape, "--tasks", str(tasks), "--full"]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(found.stdout)["tasks_per_s"])


_KIND = {"sqlite": "sqlite", "postgres": "postgres", "mariadb": "mysql"}
