"""A client with the documented grants can do all that the page says, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.desk import Desk
from tests.contract.test_columns import INBOXES, VIEWS
from tests.support.daemon import until

GRANTS = Path(__file__).parents[2] / "sql/grants"
EMPTY = (  # views that have no rows here
    *("fires", "audit_entries", "quotas", "usage_days", "calendar_overrides", "backfills", "backfill_dates"),
    *("approvals", "datasets", "dataset_uses", "session_runs", "gaps", "own_calendars", "late_dates", "events"),
)
INTERNAL = (
    "workflow_instance",
    "task_instance",
    "log_line",
    "attempt",
    "lane",
    "daemon",
    "waker",
    "timer",
    "waiter",
    "file_wait",
    "meta",
    "migration",
)


@pytest.fixture(scope="module")
def role(desk: Desk) -> Iterator[str]:
    """A login with nothing but the shipped grants; PostgreSQL's may connect and has no right by itself."""
    if desk.kind == "sqlite":
        pytest.skip("a file has no roles")
    name = "qflow_client"
    if desk.kind == "postgres":
        desk.run(f"CREATE ROLE {name} LOGIN")
    else:
        desk.run(f"CREATE USER {name}")
    kind = {"mariadb": "mysql"}.get(desk.kind, desk.kind)
    desk.shell((GRANTS / f"{kind}.sql").read_text("utf-8"))
    yield name
    if desk.kind == "postgres":
        desk.run(f"DROP OWNED BY {name}")
    desk.run(f"DROP {'ROLE' if desk.kind == 'postgres' else 'USER'} {name}")


@pytest.fixture
def client(desk: Desk, role: str) -> Iterator[Desk]:
    found = Desk(desk.kind, desk.server, desk.url, desk.daemon)
    found._connection = desk.connect(role)
    if desk.kind == "postgres":
        found.run("SET jit = off")  # as docs/sql-contract.md advises
    yield found
    found.close()


def test_it_can_submit_command_signal_and_see(client: Desk):
    number = client.submit(workflow="daily_bars", params='{"trade_date": "2026-11-19"}', hold=1, submitted_by="me")
    assert client.answer(number)["state"] == "ACCEPTED"
    assert client.command("resume", number)["state"] == "DONE"
    assert client.ended(number)["state"] == "SUCCESS"
    client.insert("signals", name="bars.ready/2026-11-20", payload="{}")
    shared = json.dumps({"source": "task: greeting\njob: hello", "format": "yaml"})
    assert client.command("define_task", args=shared)["state"] == "DONE"
    paused = {"limit": "vendor:quotes", "for": "1s"}
    assert client.ended(client.submit(workflow="loads"))["saga_state"] == "COMPENSATED"
    assert client.command("pause_limit", args=json.dumps(paused))["state"] == "DONE"
    known = client.ended(client.submit(workflow="loads"))
    assert client.command("handle", known["id"], reason="the vendor is down")["state"] == "DONE"
    for name in (*INBOXES, *VIEWS):
        rows = until(lambda name=name: client.run(f"SELECT * FROM qflow.{name}") or name in EMPTY, what=name)
        assert rows


def test_it_can_write_answer_columns_and_they_are_ignored(client: Desk):
    number = client.submit(job="hello", state="ACCEPTED", instance_id=3, error="x", answered_at="2020-01-01 00:00:00")
    until(lambda: client.run("SELECT 1 FROM qflow.instances WHERE id = %s AND state = 'SUCCESS'", (number,)))
    row = client.run("SELECT state, instance_id, error FROM qflow.submissions WHERE id = %s", (number,))[0]
    assert row == {"state": "ACCEPTED", "instance_id": number, "error": None}


def test_it_works_from_the_real_client_too(client: Desk, role: str):
    out = client.shell("INSERT INTO qflow.submissions (job) VALUES ('hello') RETURNING id;", role)
    assert client.ended(int(out.splitlines()[0]))["state"] == "SUCCESS"


def test_it_cannot_touch_anything_internal(client: Desk):
    statements = [f"{verb} qflow.{table}" for table in INTERNAL for verb in ("SELECT * FROM", "DELETE FROM")]
    assert [sql for sql in statements if refused(client, sql) is None] == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE qflow.submissions SET state = 'ACCEPTED'",
        "UPDATE qflow.commands SET action = 'terminate'",
        "DELETE FROM qflow.submissions",
        "DELETE FROM qflow.signals",
        "UPDATE qflow.instances SET state = 'SUCCESS'",
        "DELETE FROM qflow.tasks",
        "INSERT INTO qflow.logs (message) VALUES ('x')",
        "CREATE TABLE qflow.mine (id INT)",
        "DROP TABLE qflow.submissions",
        "DROP VIEW qflow.tasks",
        "ALTER TABLE qflow.submissions ADD COLUMN x INT",
    ],
)
def test_it_cannot_change_what_was_written_or_the_schema(client: Desk, sql: str):
    assert refused(client, sql)


def test_its_inserts_wake_a_sleeping_daemon(desk: Desk, client: Desk):
    """PostgreSQL's trigger runs with the owner's rights: the role cannot read `waker`, and yet rings."""
    if desk.kind != "postgres":
        pytest.skip("nothing rings there")
    until(lambda: desk.run("SELECT 1 FROM qflow.waker WHERE is_asleep = 1"), what="a sleeping daemon")
    listener = desk.connect()
    listener.execute("LISTEN qflow")
    assert client.ended(client.submit(job="hello"))["state"] == "SUCCESS"
    assert [note.channel for note in listener.notifies(timeout=5, stop_after=1)] == ["qflow"]
    listener.close()


def test_it_cannot_write_ids_or_the_mark_of_the_engine(desk: Desk, client: Desk):
    if desk.kind != "postgres":
        pytest.skip("whole tables are granted there")
    for columns, values in (("id, job", "7, 'hello'"), ("job, is_open", "'hello', 0")):
        sql = f"INSERT INTO qflow.submissions ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})"
        assert "permission denied" in (refused(client, sql) or "")
    assert "can only be called as trigger" in (refused(client, "SELECT qflow.wake_sleepers()") or "")


def refused(client: Desk, sql: str) -> str | None:
    """The error of a statement that must not work; None if it did."""
    try:
        client.run(sql)
    except Exception as error:  # noqa: BLE001 - each driver has its own
        text = str(error)
        assert any(
            word in text.lower()
            for word in (
                "denied",
                "must be owner",
                "cannot insert",
                "can only be called",
                "cannot update view",
                "cannot delete from view",
            )
        ), text
        return text
    return None
