"""The first workflow of the README, typed in as it stands there, really runs."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks_of, named_files

LIMIT_S = 60


@pytest.fixture
def project(tmp_path: Path) -> Path:
    qflowd(tmp_path, "init", "first")
    folder = tmp_path / "first"
    for name, text in named_files(ROOT / "README.md").items():
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o644)
    return folder


def environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def qflowd(folder: Path, *args: str) -> str:
    command = [sys.executable, "-m", "qflowd", *args]
    ran = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_is_submitted_by_sql_shell_and_python_and_succeeds(project: Path) -> None:
    assert set(named_files(ROOT / "README.md")) == {"plugins/closes.py", "workflows/closes.yaml"}
    assert "1 file" in qflowd(project, "validate", "workflows/closes.yaml")
    db = sqlite3.connect(project / "qflow.db", timeout=20)
    with db:
        insert = "INSERT INTO submissions (workflow, params) VALUES ('closes', '{\"day\": \"2026-11-20\"}')"
        number = db.execute(insert).lastrowid
    shell = int(qflowd(project, "submit", "closes", "-p", "day=2026-11-20"))
    qflowd(project, "run", "--until-idle")
    tasks = db.execute("SELECT task, state, output FROM tasks WHERE instance_id = ? ORDER BY id", (number,)).fetchall()
    assert [row[:2] for row in tasks] == [("aapl", "SUCCESS"), ("ibm", "SUCCESS"), ("check", "SUCCESS")]
    assert tasks[2][2] == '"2 symbols, highest close 120"'
    assert db.execute("SELECT state FROM instances WHERE id = ?", (shell,)).fetchone() == ("SUCCESS",)
    assert "SUCCESS" in qflowd(project, "show", str(number))
    db.close()


def test_the_python_example_waits_and_prints_the_output(project: Path) -> None:
    [example] = [block.text for block in blocks_of(ROOT / "README.md") if "qflowd.connect" in block.text]
    asking = subprocess.Popen(
        [sys.executable, "-c", example], cwd=project, env=environment(), stdout=subprocess.PIPE, text=True
    )
    with (
        asking,
        subprocess.Popen(
            [sys.executable, "-m", "qflowd", "run"], cwd=project, env=environment(), stderr=subprocess.DEVNULL
        ) as daemon,
    ):
        try:
            out, _ = asking.communicate(timeout=LIMIT_S)
        finally:
            daemon.terminate()
            asking.kill()
            assert daemon.wait(LIMIT_S) == 0
    assert out.strip() == "SUCCESS 2 symbols, highest close 120"
