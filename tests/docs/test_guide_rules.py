"""The market-data examples of the guide's chapters on rules do what their text says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qflowd import Defer
from qflowd.define import workflow_file
from qflowd.testing import Harness, run_workflow
from tests.docs.pages import ROOT, named_files

FILES = named_files(ROOT / "docs" / "guide.md")


def workflow(name: str):
    return workflow_file.parse(FILES[f"workflows/{name}.yaml"], "yaml", name)


@pytest.mark.parametrize(
    ("actions", "full", "expected"),
    [([], False, "SKIPPED"), ([], True, "SUCCESS"), ([{"split": 2}], False, "SUCCESS")],
)
def test_bars_are_adjusted_on_days_with_corporate_actions(actions: list, full: bool, expected: str) -> None:
    def adjust(actions: list) -> int:
        return len(actions)

    jobs = {
        "fetch_bars": lambda day: 5400,
        "fetch_actions": lambda day: actions,
        "adjust": adjust,
        "publish": lambda: None,
    }
    run = run_workflow(workflow("bars_with_corporate_actions"), jobs, {"day": "2026-11-20", "full": full})
    assert run.state == "SUCCESS", run.error
    assert (run.tasks["adjust"].state, run.tasks["publish"].state) == (expected, "SUCCESS")
    assert run.tasks["adjust"].reason == ("condition" if expected == "SKIPPED" else None)


@pytest.mark.parametrize("answers", [{"second"}, {"first", "second"}, set()])
def test_bars_of_two_vendors_use_the_one_that_answers(answers: set[str]) -> None:
    stored: list[object] = []
    logouts: list[bool] = []

    def fetch(vendor: str, symbol: str) -> dict:
        if vendor not in answers:
            raise ConnectionError("no route to the vendor")
        return {"symbol": symbol, "close": 1482.5}

    def store_close(bars: list[dict | None]) -> None:
        stored.append(bars)

    def logout() -> None:
        logouts.append(True)

    jobs = {"fetch": fetch, "store_close": store_close, "logout": logout}
    run = run_workflow(workflow("bars_of_two_vendors"), jobs)
    assert logouts == [True]
    if not answers:
        assert (run.state, run.tasks["close"].state, stored) == ("FAILED", "UPSTREAM_FAILED", [])
        return
    assert (run.state, len(stored)) == ("SUCCESS", 1)
    assert {"symbol": "600519", "close": 1482.5} in stored[0]
    assert run.tasks["first"].state == ("SUCCESS" if "first" in answers else "FAILED")


def test_a_session_that_is_terminated_is_closed() -> None:
    sessions: list[str | None] = []

    def record() -> None:
        raise Defer(3600, reason="the market is closed")

    def close_session(session: str | None) -> None:
        sessions.append(session)

    jobs = {"subscribe": lambda symbols: "s-1", "record": record, "close_session": close_session}
    with Harness(jobs, [workflow("intraday")]) as harness:
        run = harness.client.submit("intraday")
        harness.settle()
        harness.client.command("terminate", run.id, timeout=0)
        ended = harness.finish(run)
        assert (ended.state, sessions) == ("TERMINATED", ["s-1"])
        assert (ended.tasks["record"].state, ended.tasks["close"].state) == ("CANCELLED", "SUCCESS")
        overdue = harness.finish(harness.client.submit("intraday"))
        assert (overdue.state, overdue.tasks["close"].state, len(sessions)) == ("FAILED", "SUCCESS", 2)


def test_factors_of_a_symbol_need_the_bars_of_that_symbol_alone() -> None:
    closes = {"AAPL": [229.0, 231.5], "IBM": [], "MSFT": [505.0, 515.1]}
    published: list[object] = []

    def load_bars(symbol: str) -> list[float]:
        if not closes[symbol]:
            raise ValueError(f"{symbol} has no bar")
        return closes[symbol]

    def publish(factors: list[float]) -> None:
        published.append(factors)

    jobs = {
        "list_symbols": lambda: list(closes),
        "load_bars": load_bars,
        "compute": lambda closes: round(closes[-1] / closes[0] - 1, 4),
        "publish": publish,
    }
    run = run_workflow(workflow("factors_of_all"), jobs)
    assert (run.state, run.tasks["factors"].state) == ("FAILED", "FAILED")
    states = {name: run.tasks[name].state for name in ("factors[AAPL]", "factors[IBM]", "factors[MSFT]")}
    assert list(states.values()) == ["SUCCESS", "UPSTREAM_FAILED", "SUCCESS"]
    assert run.tasks["factors[MSFT]"].output == 0.02


def test_the_files_of_a_vendor_are_loaded_side_by_side_and_merged(tmp_path: Path) -> None:
    for symbol, closes in {"AAPL": [229.0, 231.5], "IBM": [304.0, 302.5, 301.0]}.items():
        (tmp_path / f"{symbol}.csv").write_text("\n".join(["close", *map(str, closes)]), "utf-8")
    module: dict[str, Any] = {"__name__": "vendor_files"}
    exec(FILES["plugins/vendor_files.py"], module)  # noqa: S102 - the guide's own text
    jobs = {name: module[name] for name in ("scan", "load_file", "merge")}
    messages: list[str] = []

    def log(message: str) -> None:
        messages.append(message)

    jobs["log"] = log
    run = run_workflow(workflow("vendor_files"), jobs, {"folder": str(tmp_path)})
    assert run.state == "SUCCESS", run.error
    assert messages == ["5 bars of 2 symbols"]
    assert [task.name for task in run.tasks.values() if task.kind == "spawned"] == [
        "scan[AAPL]",
        "scan[IBM]",
        "scan[merge]",
    ]
    assert run.outputs["scan"]["AAPL"] == {"bars": 2, "last": 231.5}
