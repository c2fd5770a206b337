"""The example of a fund's value: two markets and a broker, each late; a person decides where the broker sends nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from qflowd import connect
from qflowd.testing import Clock, Harness
from tests.examples.vendors import EXAMPLES, module, project, vendor
from tests.support.daemon import Daemon, until

PATIENCE_S = 60
WORKFLOWS = EXAMPLES / "global_close_nav" / "workflows"
BEFORE, HALF_DAY = "2026-12-23", "2026-12-24"  # in Hong Kong and in New York
RATES = {"HKD": ["00005", "00700", "09988"], "USD": ["IBM", "JPM", "KO"]}


@pytest.mark.slow
def test_a_fund_is_valued_when_all_has_come_and_by_former_positions_where_a_person_says_so(
    sqlite_url: str, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    files = project("global_close_nav")
    files["config"] = files["config"].replace("/tmp/nav_inbox", str(inbox))
    with (
        vendor() as there,
        Daemon(sqlite_url, tmp_path, env={"VENDOR": there.url}, **files),
        connect(sqlite_url) as client,
    ):
        until(lambda: len(client.workflows()) == 3, PATIENCE_S, what="the workflows are stored")
        first = client.submit("global_nav", params={"inbox": str(inbox)}, business_date=BEFORE)
        second = client.submit("global_nav", params={"inbox": str(inbox), "patience": "1s"}, business_date=HALF_DAY)
        markets = [
            client.submit(each, business_date=day) for day in (BEFORE, HALF_DAY) for each in ("hk_closes", "us_closes")
        ]
        [asked] = until(client.approvals, PATIENCE_S, what="a person is asked")
        assert asked.subject == f"No positions of {HALF_DAY}. Use those of {BEFORE}, flagged stale?"
        runs = (first, second, *markets)
        until(lambda: {run.state_and_error()[0] for run in runs} == {"RUNNING"}, PATIENCE_S, what="all wait")
        there.late_s = 0.0
        module(EXAMPLES / "global_close_nav" / "broker.py").deliver(date(2026, 12, 23), inbox, pause_s=0.2)
        assert first.wait(PATIENCE_S) == "SUCCESS"
        second.approve("use_former", "the broker's line is down")
        assert second.wait(PATIENCE_S) == "SUCCESS"
        assert {task.attempt for run in markets for task in run.tasks()} == {1}
        assert "no positions of 2026-12-24" in [line.message for line in second.logs()]
        values = {day: run.output("nav")["value"] for day, run in ((BEFORE, first), (HALF_DAY, second))}
    assert values == {day: pytest.approx(value_of(date.fromisoformat(day))) for day in values}
    reports = {day: (tmp_path / "reports" / f"nav_{day.replace('-', '')}.txt").read_text("utf-8") for day in values}
    assert "STALE" not in reports[BEFORE]
    assert f"STALE: the positions are those of {BEFORE}\n" in reports[HALF_DAY]


def value_of(day: date) -> float:
    """By the vendor's own figures, with the positions of the 23rd."""
    prices, held = module(EXAMPLES / "vendor.py"), module(EXAMPLES / "global_close_nav" / "broker.py").HELD
    rates = {row["currency"]: row["rate"] for row in prices.rates(day, {})}
    return sum(
        (held[symbol] + 23) * prices.close_of(symbol, day) * rates[currency]
        for currency, symbols in RATES.items()
        for symbol in symbols
    )


def stand_in(**_: Any) -> dict[str, Any]:
    return {}


def stand_ins(**jobs: Any) -> dict[str, Any]:
    names = ("fetch_closes", "fetch_rates", "load_positions", "compute_nav", "write_report", "tell_desk")
    return dict.fromkeys(names, stand_in) | jobs


def test_half_days_move_what_fires_after_a_close() -> None:
    files = [WORKFLOWS / f"{name}.yaml" for name in ("hk_closes", "us_closes")]
    with Harness(stand_ins(), files, Clock(f"{HALF_DAY}T00:00Z")) as harness:
        fires = {name: harness.client.next_fires(name, 2) for name in ("hk_closes", "us_closes")}
    due = {
        name: [f"{fire['business_date']} {fire['fire_at']:%d %H:%M}" for fire in each] for name, each in fires.items()
    }
    assert due == {
        "hk_closes": ["2026-12-24 24 04:30", "2026-12-28 28 08:30"],
        "us_closes": ["2026-12-24 24 19:00", "2026-12-28 28 22:00"],
    }


def test_where_nobody_answers_the_former_positions_are_used() -> None:
    def load_positions(day: str, before: str, files: list[dict[str, Any]] | None) -> str:
        assert day == HALF_DAY
        assert files is None
        return before

    with Harness(
        stand_ins(load_positions=load_positions), WORKFLOWS.glob("*.yaml"), Clock(f"{HALF_DAY}T20:00Z")
    ) as harness:
        for name in ("hk_closes", "us_closes"):
            harness.client.submit(name, business_date=HALF_DAY)
        run = harness.finish(harness.client.submit("global_nav", business_date=HALF_DAY))
        assert (run.state, run.outputs["positions"]) == ("SUCCESS", BEFORE)
        assert run.outputs["use_former"]["note"] == "nobody answered by the deadline"
        assert harness.clock.now().isoformat() == "2026-12-24T21:50:00+00:00"
