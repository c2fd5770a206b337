"""Admission: from one INSERT to 5,400 task rows that may be claimed."""

import time
from argparse import Namespace
from collections.abc import Iterable
from statistics import median

from bench.rig import rigs
from bench.throughput import _task
from qflowd.define.writing import render
from qflowd.model.workflow import Workflow

TASKS = 5_400  # the symbols of the Chinese A-share market


def main(databases: Iterable[str], args: Namespace) -> None:
    print(
        f"an instance of {TASKS} tasks, seconds from INSERT to all rows; first: the version is compiled, then: it is known"
    )
    print(f"{'database':10}{'first':>8}{'then':>8}")
    for database in databases:
        with rigs(database) as make:
            rig = make()
            rig.workflow("wide.json", render(Workflow("wide", tuple(_task(f"s{i}") for i in range(TASKS))), "json"))
            rig.start()
            took = []
            for number in range(1, args.runs + 2):
                began = time.monotonic()
                rig.submit(1, workflow="wide")
                count = f"SELECT COUNT(*) FROM qflow.workflow_instance WHERE id = {number}"
                while not rig.ask(count)[0][0]:
                    time.sleep(0.001)
                took.append(time.monotonic() - began)
            print(f"{database:10}{took[0]:8.3f}{median(took[1:]):8.3f}", flush=True)
