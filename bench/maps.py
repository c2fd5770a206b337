"""Maps: from the submission to the close of an instance that runs a no-op job for each item of a list."""

from argparse import Namespace

from bench.builds import Build
from bench.rig import NOOP, MakeRig, resident_mb

MARKET, LARGE = 5_400, 100_000  # items: the symbols of a large exchange, and what no exchange has
ABOUT = f"submit to close of {MARKET:,} and {LARGE:,} no-op items, one map or two item by item, beside {MARKET:,} tasks in the file"


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
    rig.submit_to_close("market")  # the lane is known from here on
    literal_s, market_s = rig.submit_to_close("literal"), rig.submit_to_close("market")
    before = resident_mb(rig.pid)
    large_s = rig.submit_to_close("large")
    grown = resident_mb(rig.pid) - before
    behind_s, large_behind_s = rig.submit_to_close("market_behind"), rig.submit_to_close("large_behind")
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
