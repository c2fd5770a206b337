"""The guide's nightly load of two markets: a workflow that starts another one for each."""

from __future__ import annotations

import pytest

from qflowd.define import workflow_file
from qflowd.testing import Harness
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")
SYMBOLS = {"XSHG": ["600000", "600519", "601318"], "XHKG": ["0005", "0700"]}


@pytest.mark.parametrize("is_down", [False, True])
def test_a_nightly_load_of_two_markets_reports_the_rows_of_both(is_down: bool) -> None:
    down = {"0700"} if is_down else set()

    def fetch_bars(symbol: str, day: str) -> dict:
        if symbol in down:
            raise ConnectionError("no route to the vendor")
        return {"symbol": symbol, "day": day}

    jobs = {
        "list_symbols": lambda market: SYMBOLS[market],
        "fetch_bars": fetch_bars,
        "check_bars": lambda bars: len(bars),  # noqa: PLW0108 - by the name of its param
        "report": lambda loaded: loaded,
    }
    workflows = [
        workflow_file.parse(FILES[f"workflows/{name}.yaml"], "yaml", name) for name in ("load_market", "nightly")
    ]
    with Harness(jobs, workflows) as harness:
        instance = harness.client.submit("nightly", business_date="2026-11-20")
        run = harness.finish(instance)
        children = {task.name: task.child_instance_id for task in instance.tasks() if task.kind == "child"}
        assert len(children) == 2
        child = harness.client.instance(children["hongkong"])
        assert child.info().parent_instance_id == instance.id
        if is_down:
            error = f"instance {child.id} of workflow load_market failed: task bars: 1 of 2 items did not succeed"
            assert (run.state, run.tasks["report"].state) == ("FAILED", "UPSTREAM_FAILED")
            assert error in str(run.tasks["hongkong"].error)
            down.clear()
            harness.client.command("retry", instance.id, timeout=0)
            run = harness.finish(instance)
            assert [task.child_instance_id for task in instance.tasks() if task.name == "hongkong"] == [child.id]
        assert run.state == "SUCCESS", run.error
        assert run.outputs["report"] == [{"market": "XSHG", "rows": 3}, {"market": "XHKG", "rows": 2}]
        assert {attempt.name for attempt in child.attempts() if attempt.state == "FAILED"} == (
            {"bars", "bars[1]"} if is_down else set()
        )
