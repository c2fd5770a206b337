"""The example of China's end of day: on a vendor that is late, refuses and hangs up, and by a clock on a Friday evening."""

from __future__ import annotations

import sqlite3
from array import array
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from qflowd import connect
from qflowd.testing import Clock, Harness
from tests.examples.vendors import EXAMPLES, project, vendor
from tests.support.daemon import Daemon, until

PATIENCE_S = 60
WORKFLOWS = EXAMPLES / "cn_eod" / "workflows"
FRIDAY, THURSDAY, SPOILED = "2026-11-20", "2026-11-19", "2026-11-17"


@pytest.mark.slow
def test_a_day_is_published_once_its_late_bars_are_there_and_days_before_it_are_made_up_for(
    database_url: str, tmp_path: Path
) -> None:
    with (
        vendor() as there,
        Daemon(database_url, tmp_path, env={"VENDOR": there.url}, **project("cn_eod")),
        connect(database_url) as client,
    ):
        until(lambda: len(client.workflows()) == 2, PATIENCE_S, what="the workflows are stored")
        run = client.submit("cn_eod", business_date=FRIDAY)
        until(lambda: "36 of 53 bars" in str(run.wait_reason()), PATIENCE_S, what="it waits for bars")
        there.late_s = 0.0
        assert run.wait(PATIENCE_S) == "SUCCESS", run.error
        published = run.output("publish")
        assert (run.output("landed"), run.output("check")) == (60, {"bars": 60, "suspended": 0})
        check_attempts(run)
        check_vendor(there)
        assert published == {"days": 1, "symbols": 60}
        assert [row.name for row in client.datasets("cn_daily")] == [f"cn_daily@{FRIDAY}"]
        there.allowed["index_weight"] = (1000, 1.0)
        check_backfill(client)
    check_published(tmp_path)


def check_attempts(run: Any) -> None:
    """What was late or refused has cost no attempt; where the vendor has hung up, one."""
    attempts = {task.task: task.attempt for task in run.tasks() if task.state == "SUCCESS"}
    assert {task for task, attempt in attempts.items() if attempt != 1} == {"factors"}
    assert attempts["factors"] == 2


def check_vendor(there: Any) -> None:
    """It has refused once, and nobody has asked for these tables before its time was over."""
    assert there.stats["refused"] == {"index_weight": 1}
    assert there.stats["impatient"] == {}
    answered = dict(there.stats["answered"])
    assert answered.pop("landed") >= 3  # the day before once, and the day before and after it had landed
    assert answered == {
        "symbols": 1,
        "daily": 6,
        "adj_factor": 1,
        "suspended": 1,
        "price_limits": 1,
        "index_weight": 3,
    }


def check_backfill(client: Any) -> None:
    """Of two sessions one has an impossible bar: nothing of it is stored, and it stays a gap."""
    wanted = client.gaps("cn_eod", SPOILED, FRIDAY)
    assert [str(gap["business_date"]) for gap in wanted] == [SPOILED, "2026-11-18", THURSDAY]
    for day in (SPOILED, THURSDAY):
        client.workflow("cn_eod").backfill(day, day, only_missing=True)
    until(lambda: {row["state"] for row in client.backfills()} == {"DONE"}, PATIENCE_S, what="the backfills have ended")
    gaps = [(str(gap["business_date"]), gap["state"]) for gap in client.gaps("cn_eod", SPOILED, FRIDAY)]
    assert gaps == [(SPOILED, "FAILED"), ("2026-11-18", None)]
    failed = client.instance(next(gap["instance_id"] for gap in client.gaps("cn_eod", SPOILED, SPOILED)))
    assert "1 faults on 2026-11-17: 000029.SZ is impossible" in str(failed.state_and_error()[1])


def check_published(folder: Path) -> None:
    """Two sessions are in the database and in the folder of qlib, in full."""
    with closing(sqlite3.connect(folder / "market.db")) as db:
        stored = db.execute(
            "SELECT day, count(*), count(DISTINCT symbol) FROM bar GROUP BY day ORDER BY day"
        ).fetchall()
        closes = db.execute("SELECT close FROM bar WHERE symbol = '600007.SH' ORDER BY day").fetchall()
    assert stored == [(THURSDAY, 55, 55), (FRIDAY, 60, 60)]
    assert (folder / "qlib" / "calendars" / "day.txt").read_text("utf-8") == f"{THURSDAY}\n{FRIDAY}\n"
    values = array("f", (folder / "qlib" / "features" / "sh600007" / "close.day.bin").read_bytes())
    assert list(values) == pytest.approx([0.0, *(close for (close,) in closes)])
    assert [path.name for path in folder.glob("qlib-*")] == [(folder / "qlib").resolve().name]


def fetch_contracts(day: str) -> str:
    return day


def due(fires: Any) -> list[tuple[str, str]]:
    return [(str(fire["business_date"]), fire["fire_at"].isoformat()) for fire in fires]


def test_what_fires_on_a_friday_evening_is_for_monday() -> None:
    with Harness([fetch_contracts], [WORKFLOWS / "au_night.yaml"], Clock("2026-11-20T04:00Z")) as harness:
        harness.advance("3d")  # to Monday noon
        [run] = harness.client.history("au_night")
        assert (str(run.business_date), run.created_at.isoformat()) == ("2026-11-23", "2026-11-20T12:45:00+00:00")
        assert harness.client.instance(run.id).output("contracts") == "2026-11-23"


def test_before_a_holiday_there_is_no_night() -> None:
    with Harness([fetch_contracts], [WORKFLOWS / "au_night.yaml"], Clock("2026-09-29T04:00Z")) as harness:
        fires = harness.client.next_fires("au_night", 2)
    assert due(fires) == [("2026-09-30", "2026-09-29T12:45:00+00:00"), ("2026-10-09", "2026-10-08T12:45:00+00:00")]


def test_a_day_is_due_ninety_minutes_after_its_close() -> None:
    jobs = ("await_bars", "list_symbols", "fetch_bars", "fetch_table", "fetch_weights", "check_day", "merge_day")
    stand_ins = dict.fromkeys((*jobs, "publish_qlib", "month_returns"), lambda: None)
    with Harness(stand_ins, [WORKFLOWS / "cn_eod.yaml"], Clock("2026-11-20T04:00Z")) as harness:
        fires = harness.client.next_fires("cn_eod", 2)
    assert due(fires) == [("2026-11-20", "2026-11-20T08:30:00+00:00"), ("2026-11-23", "2026-11-23T08:30:00+00:00")]
