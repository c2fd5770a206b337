"""Spawned tasks: from the submission to the close of an instance whose first task asks for thousands of no-op tasks."""

from argparse import Namespace

from bench.builds import Build
from bench.rig import NOOP, MakeRig

SMALL, MARKET = (
    1_000,
    5_400,
)  # tasks: what one attempt may spawn unless its task says otherwise, and the symbols of an exchange
ABOUT = f"submit to close of a task that spawns {SMALL:,} and {MARKET:,} no-op tasks, beside as many items and tasks in the file"
JOBS = f"""{NOOP}

@job
def spawning(tasks: int) -> None:
    for _ in range(tasks):
        context().spawn(noop)
""".replace("import job", "import context, job")


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    rig = make(build)
    rig.plugin("noop.py", JOBS)
    noop = {"job": "noop", "params": {}}
    for tasks in (SMALL, MARKET):
        spawning = {"job": "spawning", "params": {"tasks": tasks}, "max_spawn": tasks}
        rig.workflow(f"spawn_{tasks}", {"first": spawning, "join": noop | {"after": "first"}})
        items = noop | {"after": "first", "map": list(range(tasks))}
        rig.workflow(f"map_{tasks}", {"first": noop, "each": items, "join": noop | {"after": "each"}})
        fan = {f"t{i}": noop | {"after": "first"} for i in range(tasks)}
        rig.workflow(f"fan_{tasks}", {"first": noop, **fan, "join": noop | {"after": list(fan)}})
    rig.start()
    rig.submit_to_close(f"spawn_{SMALL}")  # lanes are known from here on
    figures = {}
    for tasks in (SMALL, MARKET):
        figures[f"{tasks:,} tasks in the file, s"] = rig.submit_to_close(f"fan_{tasks}")
        figures[f"map of {tasks:,}, s"] = rig.submit_to_close(f"map_{tasks}")
        figures[f"{tasks:,} spawned tasks, s"] = rig.submit_to_close(f"spawn_{tasks}")
    rig.stop()
    return figures
