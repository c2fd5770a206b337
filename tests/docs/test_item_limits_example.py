"""The example of the guide's section on limits of items, run as it stands there, on two daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.test_limits_example import PATIENCE_S, example
from tests.support.daemon import Daemon, until

HEADING = "#### Limits of items\n"


@pytest.mark.slow
def test_the_example_of_limits_of_items_runs_and_the_item_without_a_market_fails_alone(
    database_url: str, tmp_path: Path
) -> None:
    files = {
        "config": example("toml", HEADING),
        "plugins": {"vendor.py": example("python", HEADING)},
        "workflows": {"bars_of_markets.yaml": example("yaml", HEADING)},
    }
    daemons = [Daemon(database_url, tmp_path / name, daemon={"name": name}, **files) for name in "ab"]
    with daemons[0], daemons[1], connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        run = client.submit("bars_of_markets")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        failed = [(task.label, task.error) for task in run.tasks() if task.state == "FAILED"]
        why = "limit market:{{ item.market }}: the value is empty, so the limit has no name"
        assert failed == [("99999", why)]
        slots = {row["name"]: (row["slots"], row["used"]) for row in client.limits()}
    markets = {"market:XSHE": (1, 0), "market:XHKG": (1, 0), "market:XSHG": (2, 0)}
    assert slots == {"market:*": (1, 0), **markets}
