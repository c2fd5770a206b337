"""The example of the guide's section on limits, run as it stands there, on two daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd import connect
from tests.docs.pages import ROOT, Block, blocks_of
from tests.support.daemon import Daemon, until

PATIENCE_S = 60
GUIDE = ROOT / "docs" / "guide.md"


def example(language: str, heading: str = "### Limits\n") -> str:
    """The block of this language below a heading of the guide."""
    text = GUIDE.read_text("utf-8")
    first = text.count("\n", 0, text.index(heading))
    below: list[Block] = [block for block in blocks_of(GUIDE) if block.language == language and block.line > first]
    return below[0].text


@pytest.mark.slow
def test_the_example_of_limits_runs_on_two_daemons_with_two_slots(database_url: str, tmp_path: Path) -> None:
    files = {
        "config": example("toml"),
        "plugins": {"vendor.py": example("python")},
        "workflows": {"vendor_bars.yaml": example("yaml")},
    }
    daemons = [Daemon(database_url, tmp_path / name, daemon={"name": name}, **files) for name in "ab"]
    with daemons[0], daemons[1], connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        runs = [client.submit("vendor_bars") for _ in range(5)]
        assert {run.wait(PATIENCE_S) for run in runs} == {"SUCCESS"}
        assert runs[0].output("history") == [{"symbol": "AAPL", "close": 10.5}]
