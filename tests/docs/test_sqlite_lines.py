"""Every line for the `sqlite3` program that is printed anywhere works as it stands, also while others write."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd.cli.init import NEXT
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md", "docs/sql-contract.md", "examples/us_daily/README.md")
TIMES = 40
# Holds the lock most of the time, as a daemon under load does.
WRITER = """
import sqlite3, time
db = sqlite3.connect("qflow.db", timeout=60, isolation_level=None)
print("ready", flush=True)
while True:
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO signals (name) VALUES (?)", [("x",)] * 2000)
    db.execute("DELETE FROM signals")
    db.execute("COMMIT")
    time.sleep(0.005)
"""


def printed() -> list[str]:
    texts = [NEXT, *((ROOT / page).read_text("utf-8") for page in PAGES)]
    return [line for text in texts for line in re.findall(r"^ *(sqlite3 .*INSERT INTO .*)$", text, re.MULTILINE)]


def test_there_is_a_line_on_every_page():
    assert len(printed()) == len(PAGES) + 1


@pytest.mark.parametrize("line", printed())
def test_the_line_waits_for_other_writers(tmp_path: Path, line: str):
    store = Store(f"sqlite:///{tmp_path}/qflow.db")
    migrate(store)
    store.close()
    with subprocess.Popen([sys.executable, "-c", WRITER], cwd=tmp_path, stdout=-1, text=True) as writer:
        try:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
            command, _, _ = line.partition("   #")
            script = f"for n in $(seq {TIMES}); do {command} || exit 1; done"
            ran = subprocess.run(  # noqa: S602 - as printed
                script, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
            )
        finally:
            writer.kill()
    assert (ran.returncode, ran.stderr) == (0, "")
    sql = "SELECT COUNT(*) FROM submissions"
    assert (
        subprocess.run(["sqlite3", "qflow.db", sql], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        == f"{TIMES}\n"
    )
