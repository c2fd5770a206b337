"""Admission: from the COMMIT of one INSERT until another session sees 5,400 task rows, beside bare SQL."""

import time
from argparse import Namespace
from statistics import median

from bench.builds import Build
from bench.rig import MakeRig, Rig
from bench.throughput import noop_task

TASKS = 5_400  # the symbols of the Chinese A-share market
ABOUT = f"an instance of {TASKS:,} tasks, an idle daemon; bare: INSERT … SELECT of such rows"
AGAIN = 5  # submissions of a version that is known; one alone is at the mercy of a checkpoint
REST_S = 0.2  # between two samples: the daemon is asleep again
LOOK_S = 0.001


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    floor = bare(make(build))
    rig = make(build)
    rig.workflow("wide", {f"s{i}": noop_task() for i in range(TASKS)})
    rig.start()
    first, again = sample(rig), median(sample(rig) for _ in range(AGAIN))
    [(rows,)] = rig.ask("SELECT COUNT(*) FROM qflow.task_instance")
    if rows != (1 + AGAIN) * TASKS:
        raise SystemExit(f"{rows} task rows, not {(1 + AGAIN) * TASKS}")
    return {"bare, ms": floor * 1e3, "version met first, ms": first * 1e3, "version known, ms": again * 1e3}


def sample(rig: Rig) -> float:
    """Seconds of one submission. Its rows come in one transaction: whoever sees one of them sees all."""
    time.sleep(REST_S)
    rig.submit(1, workflow="wide")
    committed = time.monotonic()
    newest = "SELECT COUNT(*) FROM qflow.workflow_instance WHERE id = (SELECT MAX(id) FROM qflow.submissions)"
    while not rig.ask(newest)[0][0]:
        time.sleep(LOOK_S)
    return time.monotonic() - committed


def bare(rig: Rig) -> float:
    """Seconds in which the server alone writes such rows, from BEGIN to COMMIT; no daemon runs."""
    numbers, now = _NUMBERS[rig.dialect]
    connection, began = rig.store.connection(), time.monotonic()
    connection.begin()
    connection.script(
        "INSERT INTO qflow.task_instance (id, node, state, lane, priority, open_parents, need, ready_at) "
        f"SELECT {1 << 20} + n, n, 1, 1, 0, 0, 0, {now} FROM {numbers.format(last=TASKS - 1)}"
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
