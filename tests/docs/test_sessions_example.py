"""The example of the guide's section on sessions, run as it stands there, on the last session of a month and on another."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.test_limits_example import PATIENCE_S, example
from tests.support.daemon import Daemon, until

HEADING = "### Sessions\n"


@pytest.mark.slow
def test_the_example_of_sessions_loads_the_days_that_the_calendar_names(database_url: str, tmp_path: Path) -> None:
    files = {
        "plugins": {"session_closes.py": example("python", HEADING)},
        "workflows": {"session_closes.yaml": example("yaml", HEADING)},
    }
    with Daemon(database_url, tmp_path, **files), connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        first, last = (client.submit("session_closes", business_date=day) for day in ("2026-10-08", "2026-10-30"))
        assert [run.wait(PATIENCE_S) for run in (first, last)] == ["SUCCESS", "SUCCESS"]
        assert first.output("closes") == "closes_20261008.csv after 2026-09-30"
        week = [task.label for task in first.tasks() if task.label]
        assert week == ["2026-09-24", "2026-09-28", "2026-09-29", "2026-09-30", "2026-10-08"]
        assert {task.task: task.state for task in first.tasks()}["month"] == "SKIPPED"
        assert last.output("month") == ["2026-11-02", "2026-11-02"]
