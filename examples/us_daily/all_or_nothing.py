"""What `make demo-saga` runs: three symbols are restated, the last one fails, and the table is as it was before."""

import json
import os
import sqlite3
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import demo

STEPS = """SELECT task, job, state, output, error FROM tasks
           WHERE instance_id = ? AND started_at IS NOT NULL ORDER BY started_at, id"""


def main() -> int:
    os.umask(0o077)  # qflowd refuses plugins that others could write to
    folder = demo.new_project()
    demo.qflowd(folder, "migrate")
    demo.title("AAPL, IBM and MSFT, adjusted as of January 2012")
    first = restate(folder, 1, "-p", "end=2012-01-15")
    demo.title("Restated as of March 2013; the disk is full when the last symbol is nearly written")
    second = restate(folder, 2, "-p", "full_disk=MSFT")
    demo.title("Once more, with room on the disk")
    third = restate(folder, 3)
    print(f"\n   after the failure the table was byte for byte as before: {'yes' if first == second else 'NO'}")
    return int(first != second or second == third)


def restate(folder: Path, number: int, *params: str) -> str:
    """Submit, run until nothing is left to do, and print what ran. Returns the digest of the table."""
    demo.shown(f"qflowd {' '.join(['submit', 'restate', *params])}")
    demo.qflowd(folder, "submit", "restate", *params)
    demo.run_until_idle(folder)
    with closing(sqlite3.connect(folder / "qflow.db", timeout=10)) as db:
        steps = db.execute(STEPS, [number]).fetchall()
        state, saga_state = db.execute("SELECT state, saga_state FROM instances WHERE id = ?", [number]).fetchone()
    for task, job, task_state, output, error in steps:
        about = error or ", ".join(f"{key} {value}" for key, value in json.loads(output or "{}").items())
        print(f"   {task:<5}{job:<14}{demo.paint(task_state, f'{task_state:8}')} {about}")
    rows, digest = table(folder)
    print(f"   instance {number}: {demo.paint(state)}, saga_state {saga_state}; {rows:,} rows, sha256 {digest[:16]}")
    return digest


def table(folder: Path) -> tuple[int, str]:
    """How many bars there are, and a digest of all that the jobs have written."""
    with closing(sqlite3.connect(folder / "market.db", timeout=10)) as db:
        (rows,) = db.execute("SELECT count(*) FROM bar").fetchone()
        return rows, sha256("\n".join(db.iterdump()).encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
