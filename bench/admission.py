"""Admission: from the COMMIT of one INSERT until another session sees 5,400 task rows, beside bare SQL."""

import time
from argparse import Namespace
from collections.abc import Iterable
from statistics import median

from bench.rig import Rig, rigs
from bench.throughput import noop_task
from qflowd.define.writing import render
from qflowd.model.workflow import Workflow

TASKS = 5_400  # the symbols of the Chinese A-share market
REST_S = 0.2  # between two samples: the daemon is asleep again
LOOK_S = 0.001


def main(databases: Iterable[str], args: Namespace) -> None:
    print(f"an instance of {TASKS} tasks, an idle daemon; milliseconds, medians of {args.runs}")
    print("bare: INSERT … SELECT of the same rows; first: the daemon meets the version for the first time; then: again")
    print(f"{'database':10}{'bare':>8}{'first':>8}{'then':>8}")
    for database in databases:
        with rigs(database) as make:
            rig = make()
            floor = [bare(rig, instance) for instance in range(1, args.runs + 1)]
            rig = make()
            names = [f"wide{i}" for i in range(args.runs)]
            for name in names:
                rig.workflow(
                    f"{name}.json", render(Workflow(name, tuple(noop_task(f"s{i}") for i in range(TASKS))), "json")
                )
            rig.start()
            first, then = ([sample(rig, name) for name in names] for _ in range(2))
            [(rows,)] = rig.ask("SELECT COUNT(*) FROM qflow.task_instance")
            if rows != 2 * len(names) * TASKS:
                raise SystemExit(f"{rows} task rows, not {2 * len(names) * TASKS}")
            print(f"{database:10}" + "".join(f"{median(took) * 1e3:8.0f}" for took in (floor, first, then)), flush=True)


def sample(rig: Rig, workflow: str) -> float:
    """Seconds of one submission. Its rows come in one transaction: whoever sees one of them sees all."""
    time.sleep(REST_S)
    rig.submit(1, workflow=workflow)
    committed = time.monotonic()
    newest = "SELECT COUNT(*) FROM qflow.workflow_instance WHERE id = (SELECT MAX(id) FROM qflow.submissions)"
    while not rig.ask(newest)[0][0]:
        time.sleep(LOOK_S)
    return time.monotonic() - committed


def bare(rig: Rig, instance: int) -> float:
    """Seconds in which the server alone writes such rows, from BEGIN to COMMIT; no daemon runs."""
    numbers, now = _NUMBERS[rig.store.dialect.name]
    connection, began = rig.store.connection(), time.monotonic()
    connection.begin()
    connection.script(
        "INSERT INTO qflow.task_instance (id, node, state, lane, priority, open_parents, need, ready_at) "
        f"SELECT {instance << 20} + n, n, 1, 1, 0, 0, 0, {now} FROM {numbers.format(last=TASKS - 1)}"
    )
    connection.commit()
    return time.monotonic() - began


_NUMBERS = {
    "sqlite": (
        "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s)",
        "1763600000000000",
    ),
    "postgres": ("generate_series(0, {last}) AS s(n)", "now()"),
    "mysql": ("(SELECT seq AS n FROM seq_0_to_{last}) AS s", "UTC_TIMESTAMP(6)"),
}
