"""`python -m bench`: run the benchmarks and print a line for each figure.

python -m bench                                   everything
python -m bench throughput --db sqlite            one benchmark, one database
python -m bench throughput --tasks 60000 --runs 5
python -m bench api --db postgres --only "by label"
python -m bench latency --versus 4198d74          beside the build of that git revision, in turn
"""

import argparse
import contextlib
import os
import platform
from statistics import median

from bench import (
    admission,
    api,
    broadcast,
    calendars,
    endurance,
    footprint,
    latency,
    limits,
    maps,
    reload,
    schedules,
    spawns,
    sweeps,
    throughput,
    ui,
    waiting,
    watched,
)
from bench.builds import CURRENT, Build, checked_out
from bench.rig import DATABASES, MakeRig, rigs

# Each measures one run on one database: measure(make_rig, build, args) -> name of a figure -> its value.
BENCHES = {
    "throughput": throughput,
    "maps": maps,
    "spawns": spawns,
    "limits": limits,
    "sweeps": sweeps,
    "admission": admission,
    "latency": latency,
    "footprint": footprint,
    "reload": reload,
    "schedules": schedules,
    "calendars": calendars,
    "waiting": waiting,
    "broadcast": broadcast,
    "endurance": endurance,
    "api": api,
    "ui": ui,
    "watched": watched,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="*", metavar="BENCH", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--db", default=",".join(DATABASES), help="databases, separated by commas")
    parser.add_argument("--tasks", type=int, default=30_000, help="tasks of a throughput run")
    parser.add_argument("--instances", type=int, default=1_000_000, help="instances stored before reads are measured")
    parser.add_argument("--only", metavar="TEXT", default="", help="of `api`: requests whose names have this in them")
    parser.add_argument("--runs", type=int, default=3, help="runs of each figure; medians are shown")
    parser.add_argument("--versus", metavar="REVISION", help="measure this git revision too, run by run in turn")
    args = parser.parse_args()
    if unknown := [name for name in args.which if name not in BENCHES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(BENCHES)}")
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}; medians of {args.runs} runs")
    if load > 0.7:
        print("The machine is busy: figures will be low.")
    with contextlib.ExitStack() as stack:
        builds = [CURRENT]
        if args.versus:
            builds.append(stack.enter_context(checked_out(args.versus)))
        for name in args.which or BENCHES:
            print(f"\n== {name}: {BENCHES[name].ABOUT}")
            _print_row("", "figure", [build.name for build in builds], "ratio" if args.versus else "")
            for database in args.db.split(","):
                with rigs(database) as make:
                    _report(name, database, builds, make, args)


def _report(name: str, database: str, builds: list[Build], make: MakeRig, args: argparse.Namespace) -> None:
    """Run the builds in turn, each first in every other round: what a round does to the second it does to both.

    Ratios are of neighbours.
    """
    runs: dict[Build, list[dict[str, float]]] = {build: [] for build in builds}
    for number in range(args.runs):
        for build in builds if number % 2 == 0 else reversed(builds):
            runs[build].append(BENCHES[name].measure(make, build, args))
    for figure in runs[builds[0]][0]:
        values = [[run[figure] for run in runs[build]] for build in builds]
        ratio = ""
        if len(builds) == 2 and all(values[1]):
            ratio = f"{median(ours / theirs for ours, theirs in zip(*values, strict=True)):.2f}"
        _print_row(database, figure, [f"{median(column):,.2f}" for column in values], ratio)


def _print_row(database: str, figure: str, values: list[str], ratio: str) -> None:
    print(f"{database:10}{figure:32}" + "".join(f"{value:>14}" for value in values) + f"{ratio:>8}", flush=True)


if __name__ == "__main__":
    main()
