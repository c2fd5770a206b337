"""The example of the guide's section on breakers, run as it stands there: a vendor that is down, and up again."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.test_limits_example import PATIENCE_S, example
from tests.support.daemon import Daemon, until


@pytest.mark.slow
def test_the_breaker_of_the_guide_opens_while_the_vendor_is_down_and_closes_afterwards(
    database_url: str, tmp_path: Path
) -> None:
    files = {
        "config": example("toml", "### Breakers\n"),
        "plugins": {"vendor.py": example("python", "### Breakers\n")},
        "workflows": {"tushare_bars.yaml": example("yaml", "### Breakers\n")},
    }
    with Daemon(database_url, tmp_path, **files) as daemon, connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        down = daemon.folder / "vendor_is_down"
        down.touch()
        run = client.submit("tushare_bars")
        limit = client.limit("vendor:tushare")
        until(lambda: client.limits() and limit.info()["breaker_state"] == "OPEN", PATIENCE_S, what="it is open")
        assert limit.info()["trip_reason"].endswith("ConnectionError: tushare hung up")
        down.unlink()
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert [bar["symbol"] for bar in run.output("bars")] == ["AAPL", "IBM", "MSFT", "NVDA", "ORCL", "QQQ"]
        assert limit.info()["breaker_state"] == "CLOSED"


@pytest.mark.slow
def test_the_fallback_of_the_guide_runs_while_the_vendor_is_down(database_url: str, tmp_path: Path) -> None:
    files = {
        "config": example("toml", "#### Fallbacks\n"),
        "plugins": {"vendor.py": example("python", "#### Fallbacks\n")},
        "workflows": {"bars_or_archive.yaml": example("yaml", "#### Fallbacks\n")},
    }
    with Daemon(database_url, tmp_path, **files) as daemon, connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        run = client.submit("bars_or_archive")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output("check") == "tushare"
        down = daemon.folder / "vendor_is_down"
        down.touch()
        for _ in range(2):
            run = client.submit("bars_or_archive")
            assert run.wait(PATIENCE_S) == "SUCCESS"
            assert run.output("check") == "archive"
            [bars] = [task for task in run.tasks() if task.task == "bars"]
            assert (bars.state, bars.reason) == ("SKIPPED", "breaker_open")
            assert bars.error == "the breaker of limit vendor:tushare was open"
        assert bars.attempt == 0, "the second run did not ask the vendor"
        down.unlink()
        client.limit("vendor:tushare").close()
        run = client.submit("bars_or_archive")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output("check") == "tushare"
