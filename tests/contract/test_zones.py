"""Times as clients write them: what each server and driver makes of an offset, as the contract page says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.contract.desk import Desk

EAST = timezone(timedelta(hours=8))
EVENING = datetime(2037, 11, 20, 21, 0, tzinfo=EAST)  # 13:00 UTC

# How `run_at` is written -> the hour in UTC that it becomes, with its seconds.
WRITTEN = {
    "postgres": {
        "'2037-11-20 21:00+08'": "13:00:00",
        "'2037-11-20 21:00 Asia/Shanghai'": "13:00:00",
        "'2037-11-20 21:00 CST'": "03:00:00",
        "'2037-11-20 21:00 UTC+8'": "05:00:00",
    },
    "mariadb": {
        "'2037-11-20 13:00:00'": "13:00:00",
        "CONVERT_TZ('2037-11-20 21:00:00', '+08:00', '+00:00')": "13:00:00",
        "'2037-11-20 21:00+08'": "21:00:08",
    },
    "sqlite": {
        "'2037-11-20T21:00:00+08:00'": "13:00:00",
        "'2037-11-20 21:00+08'": "13:00:00",
        "'2037-11-20 13:00'": "13:00:00",
        "'2037-11-20T13:00:00.000000Z'": "13:00:00",
    },
}


def waits_until(desk: Desk, number: int) -> str:
    """The time of day in the task's wait_reason."""
    desk.answer(number)
    match = re.search(
        r"waits until 2037-11-2[01][T ](\d\d:\d\d:\d\d)", desk.task(number, "hello", "PENDING")["wait_reason"]
    )
    assert match is not None
    return match[1]


def test_an_offset_is_read_as_the_page_says(desk: Desk):
    for written, expected in WRITTEN[desk.kind].items():
        desk.run(f"INSERT INTO qflow.submissions (job, run_at, name) VALUES ('hello', {written}, 'offset')")
        number = desk.run("SELECT MAX(id) AS id FROM qflow.submissions WHERE name = 'offset'")[0]["id"]
        assert (written, waits_until(desk, number)) == (written, expected)


def test_a_wait_reason_says_the_instant_in_utc_whatever_the_zone_of_the_session(desk: Desk):
    number = desk.submit(job="hello", run_at=EVENING.isoformat() if desk.kind == "sqlite" else EVENING.astimezone(UTC))
    desk.answer(number)
    desk.task(number, "hello", "PENDING")
    other = desk.connect()
    set_zone = {
        "postgres": "SET TIME ZONE 'Asia/Shanghai'",
        "mariadb": "SET time_zone = '+08:00'",
        "sqlite": "SELECT 1",
    }
    desk.run(set_zone[desk.kind], connection=other)
    [row] = desk.run("SELECT wait_reason FROM qflow.tasks WHERE instance_id = %s", (number,), connection=other)
    other.close()
    assert row["wait_reason"] == "waits until 2037-11-20T13:00:00Z"


def test_the_driver_keeps_or_drops_an_offset_as_the_page_says(desk: Desk):
    value = EVENING.isoformat() if desk.kind == "sqlite" else EVENING
    number = desk.submit(job="hello", run_at=value)
    assert waits_until(desk, number) == ("21:00:00" if desk.kind == "mariadb" else "13:00:00")
    number = desk.submit(
        job="hello", run_at=EVENING.astimezone(UTC).isoformat() if desk.kind == "sqlite" else EVENING.astimezone(UTC)
    )
    assert waits_until(desk, number) == "13:00:00"


def test_zones_by_name_are_null_without_zone_tables_as_doctor_warns(desk: Desk):
    if desk.kind != "mariadb":
        pytest.skip("others know zones by name, or none")
    [row] = desk.run("SELECT CONVERT_TZ('2037-11-20 21:00:00', 'Asia/Shanghai', 'UTC') AS instant")
    assert row["instant"] is None


@pytest.mark.parametrize("written", ["1970-01-01 00:00:00", "1999-12-31 23:59:59"])
def test_a_run_at_that_only_a_conversion_gone_wrong_can_give_is_answered_in_its_row(desk: Desk, written: str):
    assert "run_at: 19" in desk.rejected(desk.submit(job="hello", run_at=f"{written}"))
    assert desk.ended(desk.submit(job="hello", run_at="2000-01-01 00:00:00"))["state"] == "SUCCESS"


@pytest.mark.parametrize("written", ["2026-11-20 00:00:00", "2026-11-20 21:30:00.000000", "2026-11-20T21:30:00"])
def test_a_business_date_with_a_time_is_its_date(desk: Desk, written: str):
    number = desk.submit(job="hello", business_date=written)
    assert str(desk.ended(number)["business_date"]) == "2026-11-20"
