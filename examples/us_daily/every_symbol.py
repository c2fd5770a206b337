"""What `make demo-map` runs: a map over every symbol, one of which fails and is retried alone."""

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import demo

ITEMS = """SELECT task, label, state, attempt, started_at, output, error FROM tasks
           WHERE map_index IS NOT NULL ORDER BY id"""


def main() -> int:
    os.umask(0o077)  # qflowd refuses plugins that others could write to
    folder = demo.new_project()
    demo.title("Every symbol of the vendor, one of which has an outage")
    (folder / "outage.txt").write_text("GOOG", "utf-8")
    demo.qflowd(folder, "migrate")
    demo.qflowd(folder, "submit", "every_symbol")
    demo.run_until_idle(folder)
    before = items(folder)
    demo.title("The vendor delivers again: GOOG alone is retried, and what waits for it")
    (folder / "outage.txt").unlink()
    demo.qflowd(folder, "retry", "1", "--task", "bars[GOOG]", "--no-wait")
    demo.run_until_idle(folder)
    after = items(folder)
    again = sorted(f"{task}[{label}]" for (task, label), row in after.items() if before[task, label] != row)
    print(f"\n   ran again: {', '.join(again)}")
    return int(again != ["bars[GOOG]", "ranges[GOOG]"])


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
