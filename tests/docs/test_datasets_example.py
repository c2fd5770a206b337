"""The guide's bars of a day: each success is a version of their dataset, and starts what follows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qflowd.define import workflow_file
from qflowd.testing import Clock, Harness
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")
JOBS: dict[str, object] = {}
exec(compile(FILES["plugins/cn_bars.py"], "plugins/cn_bars.py", "exec"), JOBS)  # noqa: S102 - our own page


def test_each_success_is_a_version_of_what_a_task_produces() -> None:
    workflows = [workflow_file.parse(FILES[f"workflows/{name}.yaml"], "yaml", name) for name in ("cn_bars", "factors")]
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    with Harness([JOBS["load_bars"], JOBS["publish_bars"]], workflows, clock) as harness:  # type: ignore[list-item]
        instance = harness.client.submit("cn_bars", business_date="2026-11-20")
        factors = harness.client.submit("factors", business_date="2026-11-20")
        harness.settle()
        harness.finish(instance)
        given = harness.finish(factors)
        instance.rerun("publish", timeout=0)
        harness.finish(instance)
        harness.finish(harness.client.submit("cn_bars", business_date="2026-11-23"))
        assert (given.state, given.outputs["sum"]) == ("SUCCESS", {"rows": 5412})
        [stale] = harness.client.dataset_uses("cn_daily", stale=True)
        assert (stale.instance_id, stale.task, stale.version, stale.latest_version) == (factors.id, "bars", 1, 2)
        factors.rerun("bars", timeout=0)
        harness.finish(factors)
        assert list(harness.client.dataset_uses(stale=True)) == []
        latest, all_of_one = (
            harness.client.datasets("cn_daily"),
            harness.client.datasets("cn_daily@2026-11-20", versions=True),
        )
        assert [(each.name, each.version, each.metadata) for each in latest] == [
            ("cn_daily@2026-11-23", 1, {"rows": 5412}),
            ("cn_daily@2026-11-20", 2, {"rows": 5412}),
        ]
        found = [(each.version, each.is_latest, each.instance_id, each.task) for each in all_of_one]
        assert found == [(2, True, instance.id, "publish"), (1, False, instance.id, "publish")]


def value_fund(started_by: dict[str, Any]) -> dict[str, Any]:
    """The job of the page's workflow that starts on the bars."""
    return started_by


def test_a_success_starts_the_workflow_that_follows_for_the_same_date() -> None:
    workflows = [workflow_file.parse(FILES[f"workflows/{name}.yaml"], "yaml", name) for name in ("cn_bars", "cn_nav")]
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    jobs = [JOBS["load_bars"], JOBS["publish_bars"], value_fund]
    with Harness(jobs, workflows, clock) as harness:  # type: ignore[arg-type]
        bars = harness.client.submit("cn_bars", business_date="2026-11-20")
        harness.finish(bars)
        harness.client.signal("vendor_ready", {"rows": 5412}, business_date="2026-11-23")
        harness.settle()
        found = {row["schedule"]: row for row in harness.client.fires("cn_nav")}
        assert {name: (row["state"], str(row["business_date"]), row["fact"]) for name, row in found.items()} == {
            "after_bars": ("SUCCESS", "2026-11-20", "workflow"),
            "corrected": ("SUCCESS", "2026-11-23", "signal"),
        }
        assert found["after_bars"]["fact_id"] == bars.id
        run = harness.client.instance(found["corrected"]["instance_id"])
        assert harness.finish(run).outputs["value"] == {"signal": "vendor_ready", "payload": {"rows": 5412}}
