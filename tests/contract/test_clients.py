"""The same through Debian's clients, and the page's own examples run as they stand, in other processes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.contract.desk import Desk
from tests.contract.test_columns import INBOXES, VIEWS
from tests.support.daemon import until
from tests.support.servers import client

PAGE = (Path(__file__).parents[2] / "docs/sql-contract.md").read_text("utf-8")
RETURN_ID = {"postgres": " RETURNING id;", "sqlite": " RETURNING id;", "mariadb": "; SELECT LAST_INSERT_ID();"}
DRIVERS = {"postgres": "psycopg", "mariadb": "pymysql", "sqlite": "sqlite3"}


@pytest.fixture(scope="module")
def prices(desk: Desk) -> Iterator[str]:
    """A table of the user's own, where its INSERTs can share a transaction with qflow's."""
    table = {"postgres": "prices", "mariadb": "market.prices", "sqlite": "qflow.prices"}[desk.kind]
    if desk.kind == "mariadb":
        desk.run("CREATE DATABASE market")
    desk.run(f"CREATE TABLE {table} (symbol VARCHAR(20), close DOUBLE PRECISION)")
    yield table
    desk.run("DROP DATABASE market" if desk.kind == "mariadb" else f"DROP TABLE {table}")


def test_insert_through_the_real_client_returns_the_id_that_the_instance_has(desk: Desk):
    out = desk.shell("INSERT INTO qflow.submissions (workflow) VALUES ('daily_bars')" + RETURN_ID[desk.kind])
    number = int(out)
    assert desk.ended(number)["state"] == "SUCCESS"
    assert desk.shell(f"SELECT id, workflow, state, progress FROM qflow.instances WHERE id = {number};").split("|")[:3] == [
        str(number), "daily_bars", "SUCCESS",
    ]  # fmt: skip
    seen = desk.shell(f"SELECT task, state, attempt FROM qflow.tasks WHERE instance_id = {number} ORDER BY id;")
    assert seen.splitlines() == ["universe|SUCCESS|1", "bars|SUCCESS|1", "check|SUCCESS|1"]


def test_every_view_can_be_read_by_the_real_client(desk: Desk):
    desk.ended(desk.submit(workflow="broken"))
    quickly = "SET jit = off;\n" if desk.kind == "postgres" else ""  # as the page says of whole views
    desk.shell(quickly + "\n".join(f"SELECT * FROM qflow.{view};" for view in (*INBOXES, *VIEWS)))


def test_what_the_real_client_rolled_back_never_happened(desk: Desk, prices: str):
    before = desk.run("SELECT MAX(id) AS id FROM qflow.submissions")[0]["id"] or 0
    rows = f"INSERT INTO {prices} VALUES ('AAPL', 1.5); INSERT INTO qflow.submissions (job) VALUES ('hello');"
    desk.shell(f"BEGIN; {rows} ROLLBACK;")
    desk.shell(f"BEGIN; {rows} COMMIT;")
    [row] = desk.run("SELECT id FROM qflow.submissions WHERE id > %s", (before,))
    assert desk.ended(row["id"])["state"] == "SUCCESS"
    assert desk.run(f"SELECT COUNT(*) AS n FROM {prices} WHERE symbol = 'AAPL'") == [{"n": 1}]


def test_a_statement_that_fails_takes_its_submission_along(desk: Desk, prices: str):
    before = desk.run("SELECT MAX(id) AS id FROM qflow.submissions")[0]["id"] or 0
    script = "BEGIN; INSERT INTO qflow.submissions (job) VALUES ('hello'); INSERT INTO nowhere VALUES (1); COMMIT;"
    assert re.search("no such table|does not exist|No database selected|doesn't exist", desk.shell(script, check=False))
    assert desk.run("SELECT id FROM qflow.submissions WHERE id > %s", (before,)) == []


def test_odd_texts_pass_through_the_real_client(desk: Desk):
    text = "Grüße \U0001f600 '' \\\\ 日本" if desk.kind == "mariadb" else "Grüße \U0001f600 '' \\ 日本"
    out = desk.shell(f"INSERT INTO qflow.submissions (job, name) VALUES ('hello', '{text}')" + RETURN_ID[desk.kind])
    assert desk.ended(int(out))["name"] == "Grüße \U0001f600 ' \\ 日本"


def test_another_time_zone_of_the_session_changes_nothing(desk: Desk):
    """run_at and created_at are the same instants whatever the session's zone."""
    zone = {"postgres": "SET TIME ZONE '+09:00';", "mariadb": "SET time_zone = '+09:00';", "sqlite": ""}[desk.kind]
    run_at = datetime.now(UTC) + timedelta(hours=3)
    written = {
        "postgres": f"{run_at.astimezone().astimezone(UTC) + timedelta(hours=9):%Y-%m-%d %H:%M:%S}+09:00",
        "mariadb": f"{run_at:%Y-%m-%d %H:%M:%S}",
        "sqlite": f"{run_at + timedelta(hours=9):%Y-%m-%dT%H:%M:%S}+09:00",
    }[desk.kind]
    sql = f"{zone} INSERT INTO qflow.submissions (job, run_at) VALUES ('hello', '{written}')"
    number = int(desk.shell(sql + RETURN_ID[desk.kind]))
    desk.answer(number)
    reason = desk.task(number, "hello", "PENDING")["wait_reason"]
    assert reason.startswith(f"waits until {run_at:%Y-%m-%d}")
    assert run_at.strftime("%H:%M:%S") in reason
    far = desk.shell(f"{zone} SELECT created_at FROM qflow.instances WHERE id = {number};")
    near = desk.shell(f"SELECT created_at FROM qflow.instances WHERE id = {number};")
    assert instant(far, desk.kind) == instant(near, desk.kind)
    assert abs(instant(near, desk.kind) - datetime.now(UTC)) < timedelta(minutes=1)
    now = {
        "postgres": "CURRENT_TIMESTAMP",
        "mariadb": "UTC_TIMESTAMP(6)",
        "sqlite": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    }
    sql = f"{zone} INSERT INTO qflow.submissions (job, run_at) VALUES ('hello', {now[desk.kind]})"
    assert desk.ended(int(desk.shell(sql + RETURN_ID[desk.kind])))["state"] == "SUCCESS"


def instant(text: str, kind: str) -> datetime:
    text = text.splitlines()[-1]
    if kind == "mariadb":
        text += "+00:00"
    return datetime.fromisoformat(text if len(text.split("+")[-1]) != 2 else text + ":00")


# ------------------------------------------------------------------------------------------------ the page's examples


def example(language: str, word: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    [found] = [block for block in blocks if word in block]
    return found


def test_the_pages_example_for_the_driver_runs_as_it_stands(desk: Desk, prices: str, tmp_path: Path):
    parts = urlsplit(desk.url)
    text = example("python", f"import {DRIVERS[desk.kind]}\n")
    for written, meant in {
        "postgresql://desk@127.0.0.1/market": desk.url,
        'port=3306, user="desk"': f'port={parts.port}, user="root"',
        '"qflow.db"': repr(parts.path[1:]),
    }.items():
        text = text.replace(written, meant)
    script = tmp_path / "example.py"
    script.write_text(text)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert desk.ended(int(done.stdout))["state"] == "SUCCESS"
    assert desk.run(f"SELECT close FROM {prices} WHERE symbol = 'AAPL' AND close > 200") == [{"close": 231.5}]


def test_the_pages_example_for_the_client_runs_as_it_stands(desk: Desk):
    parts = urlsplit(desk.url)
    name = {"postgres": "psql", "mariadb": "mariadb", "sqlite": "sqlite3"}[desk.kind]
    [line] = [line for line in example("sh", "psql").splitlines() if line.startswith(name)]
    options = f"--no-defaults -h 127.0.0.1 -P {parts.port} -u root -N"
    for written, meant in {
        name: str(client(name)) + (f" {options}" if name == "mariadb" else ""),
        '"$URL"': f"'{desk.url}'",
        " qflow.db ": f" {parts.path[1:]} ",
    }.items():
        line = line.replace(written, meant, 1)
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert desk.ended(int(done.stdout))["state"] == "SUCCESS"


def test_the_pages_statements_run_as_they_stand(desk: Desk):
    before = desk.run("SELECT MAX(id) AS id FROM qflow.submissions")[0]["id"] or 0
    for word in ("INSERT INTO qflow.signals", "SELECT state, instance_id"):
        desk.shell(example("sql", word))
    rows = until(
        lambda: (
            (found := desk.run("SELECT id, state, error FROM qflow.submissions WHERE id > %s", (before,)))
            and all(row["state"] != "NEW" for row in found)
            and found
        )
    )
    assert [row["state"] for row in rows] == ["ACCEPTED"] * 4, rows
    assert desk.run("SELECT name FROM qflow.signals")[-1]["name"] == "bars.ready/2026-11-20"
