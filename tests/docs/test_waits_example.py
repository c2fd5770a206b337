"""The guide's NAV of a day waits for bars, a while and a person, its report for another workflow, its positions for files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from qflowd.define import workflow_file
from qflowd.jobs.decorators import job
from qflowd.testing import Clock, Harness
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")
JOBS: dict[str, object] = {}
for file in ("plugins/nav.py", "plugins/positions.py", "plugins/vendor_bars.py"):
    exec(compile(FILES[file], file, "exec"), JOBS)  # noqa: S102 - our own page


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_nav_is_shipped_when_its_bars_have_come_and_a_person_approves(is_approved: bool) -> None:
    workflow = workflow_file.parse(FILES["workflows/daily_nav.yaml"], "yaml", "daily_nav")
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    with Harness([JOBS["compute_nav"], JOBS["ship_nav"]], [workflow], clock) as harness:  # type: ignore[list-item]
        instance = harness.client.submit("daily_nav", business_date="2026-11-20")
        harness.settle()
        assert "waits for signal bars.ready/2026-11-20 since" in str(instance.wait_reason())
        harness.client.signal("bars.ready/2026-11-20", {"rows": 5412})
        harness.settle()
        harness.advance("10m")
        [asked] = harness.client.approvals()
        assert (asked.task, asked.subject) == ("ship", "Ship the NAV of 2026-11-20?")
        if is_approved:
            instance.approve("ship", "checked against yesterday", timeout=0)
        run = harness.finish(instance)
        outputs = {"bars": {"rows": 5412}, "nav": 8118.0, "settle": None}
        if is_approved:
            assert (run.state, run.outputs) == ("SUCCESS", outputs | {"ship": "shipped"})
        else:  # by 18:00 nobody has
            assert (run.state, run.tasks["ship"].reason) == ("FAILED", "timeout")
            assert "nobody had approved 'Ship the NAV of 2026-11-20?' by 2026-11-20T18:00:00Z" in str(run.error)


@job
def load() -> int:
    return 5412


@job
def make_report(rows: int) -> str:
    return f"of {rows} rows"


@job
def make_us_report() -> str:
    return "of New York"


def test_a_report_waits_for_the_bars_of_its_day_and_of_the_session_before() -> None:
    bars = "workflow: cn_bars\ntasks:\n  load: {job: load}\noutputs: {rows: '{{ load.output }}'}\n"
    documents = {"cn_bars": bars, "cn_report": FILES["workflows/cn_report.yaml"]}
    workflows = [workflow_file.parse(text, "yaml", key) for key, text in documents.items()]
    with Harness([load, make_report], workflows, Clock(datetime(2026, 11, 23, 9, tzinfo=UTC))) as harness:
        report = harness.client.submit("cn_report", business_date="2026-11-23")
        harness.settle()
        assert "waits for workflow cn_bars for 2026-11-2" in str(report.wait_reason())
        for day in ("2026-11-23", "2026-11-20"):
            assert report.state() == "RUNNING"
            harness.finish(harness.client.submit("cn_bars", business_date=day))
        run = harness.finish(report)
        assert (run.state, run.outputs["report"]) == ("SUCCESS", "of 5412 rows")


def test_a_report_of_new_york_has_its_own_date_and_waits_for_the_next_session_of_shanghai() -> None:
    bars = "workflow: cn_bars\ntasks:\n  load: {job: load}\n"
    documents = {"cn_bars": bars, "us_report": FILES["workflows/us_report.yaml"]}
    workflows = [workflow_file.parse(text, "yaml", key) for key, text in documents.items()]
    # Shanghai has a holiday from the first of October to the seventh.
    with Harness([load, make_us_report], workflows, Clock(datetime(2026, 9, 30, 9, tzinfo=UTC))) as harness:
        harness.finish(harness.client.submit("cn_bars", business_date="2026-09-30"))
        harness.advance("7d")
        runs = harness.client.history("us_report")
        assert {run.state for run in runs} == {"RUNNING"}
        harness.finish(harness.client.submit("cn_bars", business_date="2026-10-08"))
        harness.settle()
        ended = [(str(run.business_date), run.state) for run in harness.client.history("us_report")]
        assert sorted(ended) == [(f"2026-{day}", "SUCCESS") for day in ("09-30", "10-01", "10-02", "10-05", "10-06")]


def test_positions_are_loaded_when_their_files_stand_still_beside_their_companions(tmp_path: Path) -> None:
    source = FILES["workflows/load_positions.yaml"].replace("/data/in", str(tmp_path))
    workflow = workflow_file.parse(source, "yaml", "load_positions")
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    with Harness([JOBS["load_positions"]], [workflow], clock) as harness:  # type: ignore[list-item]
        instance = harness.client.submit("load_positions", business_date="2026-11-20")
        for name, text in (("positions_20261120_1.csv", "bars"), ("positions_20261120_1.csv.ok", "")):
            harness.settle()
            assert "positions_20261120_" in str(instance.wait_reason())
            (tmp_path / name).write_text(text)
        harness.advance("29s")
        assert "positions_20261120_1.csv has not stood still for 30 s" in str(instance.wait_reason())
        harness.advance("1s")
        run = harness.finish(instance)
        assert (run.state, run.outputs["load"]) == ("SUCCESS", 4)


def test_bars_of_a_vendor_are_loaded_when_his_database_has_them(tmp_path: Path) -> None:
    workflow = workflow_file.parse(FILES["workflows/load_vendor_bars.yaml"], "yaml", "load_vendor_bars")
    vendor = apsw.Connection(str(tmp_path / "bars.db"))
    vendor.execute("CREATE TABLE bars (trade_date TEXT)")
    connections = {"vendor": f"sqlite:///{tmp_path}/bars.db"}
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    with Harness([JOBS["load_vendor_bars"]], [workflow], clock, connections) as harness:  # type: ignore[list-item]
        instance = harness.client.submit("load_vendor_bars", business_date="2026-11-20")
        harness.settle()
        assert str(instance.wait_reason()).endswith("; daemon test: the query gives 0")
        vendor.execute("INSERT INTO bars VALUES ('2026-11-20')")
        harness.advance("59s")
        assert instance.state() == "RUNNING"
        harness.advance("1s")
        run = harness.finish(instance)
        assert (run.state, run.outputs["load"]) == ("SUCCESS", "loaded")
    vendor.close()
