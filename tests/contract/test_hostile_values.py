"""Values that nobody means, in every column of the inboxes: each row is answered, in one sentence, without a traceback."""

from __future__ import annotations

import pytest

from tests.contract.desk import Desk
from tests.support.daemon import until

COLUMNS = {
    "submissions": (
        *("tenant", "workflow", "version", "job", "name", "params", "overrides", "business_date", "priority", "run_at"),
        *("hold", "idempotency_key", "trigger_type", "submitted_by", "created_at", "state", "instance_id", "error"),
        "answered_at",
    ),
    "commands": (
        *("tenant", "action", "instance_id", "workflow", "task", "task_id", "filter", "args", "reason"),
        *("requested_by", "created_at", "state", "result", "error", "answered_at"),
    ),
}
ANYWHERE = (
    *("''", "'tomorrow'", "'\U0001f600'", "-1", "1.5", "32767", "2147483647", "-2147483648", "9223372036854775807"),
    *("'0001-01-01 00:00:00+14:00'", "'9999-12-31 23:59:59-12:00'", "'12026-11-20'", "'0000-00-00'", "'-1-01-01'"),
)
HOSTILE = {
    "sqlite": (
        *("x'ff00'", "x''", "CAST(x'ff41' AS TEXT)", "'a' || char(0) || 'b'", "char(0)", "zeroblob(2000000)"),
        *("9e999", "-9e999", "-9223372036854775808", "'infinity'", "'1795168800'", "1795168800", "1e300"),
    ),
    "postgres": ("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'294276-01-01'", "repeat('x', 2000000)"),
    "mariadb": ("x'ff00'", "'0000-00-00 00:00:00'", "'2026-00-00'", "1e300", "repeat('x', 2000000)"),
}


@pytest.mark.parametrize("table", COLUMNS)
def test_a_hostile_value_in_any_column_is_answered_without_a_traceback(desk: Desk, table: str):
    begin = len(desk.daemon.log())
    if desk.kind == "mariadb":
        desk.run("SET SESSION sql_mode = ''")
    last = desk.run(f"SELECT MAX(id) AS id FROM qflow.{table}")[0]["id"] or 0
    written: list[str] = []
    for column in COLUMNS[table]:
        row = {"job": "'hello'"} if table == "submissions" else {"action": "'retry'", "instance_id": "1"}
        if column == "workflow" and table == "submissions":
            row = {}
        for value in (*ANYWHERE, *HOSTILE[desk.kind]):
            values = row | {column: value}
            sql = f"INSERT INTO qflow.{table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"
            try:
                desk.run(sql)
            except Exception:  # noqa: BLE001, S112 - whatever its driver raises, the database has refused it
                continue
            written.append(f"{column} = {value}")
    assert len(written) > 100
    unanswered = f"SELECT id FROM qflow.{table} WHERE id > {last} AND is_open <> 0"
    until(lambda: desk.run(unanswered) == [], 60, what=f"an answer to each row: {desk.run(unanswered)}")
    log = desk.daemon.log()[begin:]
    desk.run(f"DELETE FROM qflow.{table} WHERE id > {last}")
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:3000]
    assert " failed; trying again" not in log
    desk.is_alive()
