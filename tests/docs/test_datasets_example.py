"""The guide's bars of a day: each success is a version of their dataset."""

from __future__ import annotations

from datetime import UTC, datetime

from qflowd.define import workflow_file
from qflowd.testing import Clock, Harness
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")
JOBS: dict[str, object] = {}
exec(compile(FILES["plugins/cn_bars.py"], "plugins/cn_bars.py", "exec"), JOBS)  # noqa: S102 - our own page


def test_each_success_is_a_version_of_what_a_task_produces() -> None:
    workflow = workflow_file.parse(FILES["workflows/cn_bars.yaml"], "yaml", "cn_bars")
    clock = Clock(datetime(2026, 11, 20, 16, tzinfo=UTC))
    with Harness([JOBS["load_bars"], JOBS["publish_bars"]], [workflow], clock) as harness:  # type: ignore[list-item]
        instance = harness.client.submit("cn_bars", business_date="2026-11-20")
        harness.finish(instance)
        instance.rerun("publish", timeout=0)
        harness.finish(instance)
        harness.finish(harness.client.submit("cn_bars", business_date="2026-11-23"))
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
