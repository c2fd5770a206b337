"""The guide's return of a day that may be a split: the failure waits for a person, who knows the right price."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.pages import ROOT, named_files
from tests.docs.test_limits_example import PATIENCE_S
from tests.support.daemon import Daemon, until

FILES = named_files(ROOT / "docs" / "guide.md")


@pytest.mark.slow
def test_a_return_that_may_be_a_split_waits_until_somebody_has_set_the_price(database_url: str, tmp_path: Path) -> None:
    files = {
        kind: {name: FILES[f"{kind}/{name}"]}
        for kind, name in (("plugins", "returns.py"), ("workflows", "daily_returns.yaml"))
    }
    with Daemon(database_url, tmp_path, **files), connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        run = client.submit("daily_returns")
        [failure] = until(lambda: list(client.failures()), PATIENCE_S, what="it waits for a person")
        assert (failure.task, failure.state, failure.instance_state) == ("returns", "PENDING", "RUNNING")
        assert failure.error == "ValueError: NVDA went from 1208.88 to 121.79; is it a split?"
        assert run.wait_reason() == "failed tasks that wait for a person: 1"
        run.rerun("returns", params={"previous": 120.888})
        assert (run.wait(PATIENCE_S), run.output("report"), list(client.failures())) == ("SUCCESS", "+0.75%", [])
