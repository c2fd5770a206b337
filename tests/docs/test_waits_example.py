"""The guide's NAV of a day, which waits for bars, for a while and for a person, and its report of another workflow's bars."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qflowd.define import workflow_file
from qflowd.jobs.decorators import job
from qflowd.testing import Clock, Harness
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")
JOBS: dict[str, object] = {}
exec(compile(FILES["plugins/nav.py"], "plugins/nav.py", "exec"), JOBS)  # noqa: S102 - our own page


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
