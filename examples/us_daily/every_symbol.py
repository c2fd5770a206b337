"""What `make demo-map` runs: a map over every symbol, one of which fails and is retried alone."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import demo

OWN_FILE = Path("stocks.csv.gz")
ITEMS = """SELECT task, label, state, attempt, started_at, output, error FROM tasks
           WHERE map_index IS NOT NULL ORDER BY id"""


def main() -> int:
    os.umask(0o077)  # qflowd refuses plugins that others could write to
    folder = demo.new_project()
    if OWN_FILE.exists():  # bars of your own, as the vendor takes them
        (folder / OWN_FILE).write_bytes(OWN_FILE.read_bytes())
    demo.title("Every symbol of the vendor, one of which has an outage")
    (folder / "outage.txt").write_text("GOOG", "utf-8")
    demo.qflowd(folder, "migrate")
    demo.qflowd(folder, "submit", "every_symbol")
    run(folder)
    before = items(folder)
    demo.title("The vendor delivers again: GOOG alone is retried, and what waits for it")
    (folder / "outage.txt").unlink()
    demo.qflowd(folder, "retry", "1", "--task", "bars[GOOG]", "--no-wait")
    run(folder)
    after = items(folder)
    again = sorted(f"{task}[{label}]" for (task, label), row in after.items() if before[task, label] != row)
    print(f"\n   ran again: {', '.join(again)}")
    return int(again != ["bars[GOOG]", "ranges[GOOG]"])


def run(folder: Path) -> None:
    """Run a daemon until nothing is left to do. It exits with 1 if an instance failed."""
    command = [demo.QFLOWD, "run", "--until-idle"]
    with (folder / "daemon.log").open("ab") as log:
        subprocess.run(command, cwd=folder, env=demo.environment(), stdout=log, stderr=log, timeout=60, check=False)


def items(folder: Path) -> dict[tuple[str, str], tuple[object, ...]]:
    """Print what has become of each symbol."""
    with closing(sqlite3.connect(folder / "qflow.db", timeout=10)) as db:
        rows = db.execute(ITEMS).fetchall()
    for task, label, state, _, _, output, error in rows:
        about = error or ", ".join(f"{key} {value}" for key, value in json.loads(output or "{}").items())
        print(f"   {task + '[' + label + ']':<14} {demo.paint(state):<16} {about}")
    return {row[:2]: row[2:] for row in rows}


if __name__ == "__main__":
    sys.exit(main())
