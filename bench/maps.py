"""Maps: from the submission to the close of an instance that runs a no-op job for each item of a list."""

from argparse import Namespace

from bench.builds import Build
from bench.rig import NOOP, MakeRig, Rig, resident_mb

MARKET, LARGE = 5_400, 100_000  # items: the symbols of a large exchange, and what no exchange has
ABOUT = f"submit to close of {MARKET:,} and {LARGE:,} no-op items, one map or two item by item, beside {MARKET:,} tasks in the file"
SECONDS = {
    "sqlite": "SELECT MAX(finished_at - created_at) / 1e6 FROM qflow.workflow_instance WHERE id = {id}",
    "postgres": "SELECT EXTRACT(EPOCH FROM finished_at - created_at) FROM qflow.workflow_instance WHERE id = {id}",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, finished_at) / 1e6 FROM qflow.workflow_instance WHERE id = {id}",
}


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("noop.py", NOOP)
    task = {"job": "noop", "params": {}}
    rig.workflow("literal", {f"t{i}": task for i in range(MARKET)})
    for name, items in (("market", MARKET), ("large", LARGE)):
        first = task | {"map": list(range(items))}
        rig.workflow(name, {"each": first, "join": task | {"after": "each"}})
        behind = task | {"after": {"first": "each"}}
        rig.workflow(f"{name}_behind", {"first": first, "second": behind, "join": task | {"after": "second"}})
    rig.start()
    run_map(rig, "market")  # the lane is known from here on
    literal_s, market_s = run_map(rig, "literal"), run_map(rig, "market")
    before = resident_mb(rig.pid)
    large_s = run_map(rig, "large")
    grown = resident_mb(rig.pid) - before
    behind_s, large_behind_s = run_map(rig, "market_behind"), run_map(rig, "large_behind")
    rig.stop()
    return {
        f"{MARKET:,} tasks in the file, s": literal_s,
        f"map of {MARKET:,}, s": market_s,
        f"map of {LARGE:,}, s": large_s,
        "an item of the larger, ratio": (large_s / LARGE) / (market_s / MARKET),
        f"two maps of {MARKET:,} item by item, s": behind_s,
        f"two maps of {LARGE:,} item by item, s": large_behind_s,
        "daemon grew in the larger, MB": grown,
    }


def run_map(rig: Rig, workflow: str) -> float:
    """Seconds from the submission to the close of one instance."""
    closed = rig.closed()
    rig.submit(workflow=workflow)
    rig.wait_for(lambda: rig.closed() > closed, f"the end of {workflow}")
    [(number,)] = rig.ask("SELECT MAX(id) FROM qflow.workflow_instance")
    [(seconds,)] = rig.ask(SECONDS[rig.dialect].format(id=number))
    return float(seconds)
