"""`python -m bench`: run the benchmarks and print one table each.

python -m bench                              everything
python -m bench throughput --db sqlite       one benchmark, one database
python -m bench throughput --tasks 60000 --runs 5
"""

import argparse
import os
import platform

from bench import admission, footprint, latency, reload, throughput
from bench.rig import DATABASES

BENCHES = {
    "throughput": throughput.main,
    "admission": admission.main,
    "latency": latency.main,
    "footprint": footprint.main,
    "reload": reload.main,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--db", default=",".join(DATABASES), help="databases, with commas between")
    parser.add_argument("--tasks", type=int, default=30_000, help="tasks of a throughput run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each figure; medians are shown")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}")
    if load > 0.7:
        print("The machine is busy: figures will be low.")
    for name in args.which or BENCHES:
        print(f"\n== {name}")
        BENCHES[name](args.db.split(","), args)


if __name__ == "__main__":
    main()
