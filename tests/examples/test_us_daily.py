"""The example that `make demo` runs: its jobs called directly, on the real bars where they are installed, else on a few."""

from __future__ import annotations

import gzip
import importlib
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from qflowd.define.workflow_file import parse_file
from qflowd.jobs import decorators
from qflowd.jobs.context import Context, Facts, running
from qflowd.jobs.signature import params_schema, signature

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "us_daily"
MODULES = sorted(path.stem for path in (EXAMPLE / "plugins").glob("*.py"))
START, END = date(2000, 3, 1), date(2013, 3, 1)
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


class Heard:
    """Keeps what a job says about its progress."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None, str]] = []

    def send_progress(self, facts: Facts, done: float, total: float | None, text: str) -> None:
        self.progress.append((done, total, text))

    def send_save(self, facts: Facts, value: bytes) -> None:
        raise AssertionError("no job of the example saves")


@pytest.fixture(scope="module")
def plugins() -> Iterator[Any]:
    sys.path.insert(0, str(EXAMPLE / "plugins"))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        sys.path.remove(str(EXAMPLE / "plugins"))
        for name in MODULES:
            del sys.modules[name]
        for key in [key for key in decorators._specs if key[0] in MODULES]:
            del decorators._specs[key]


@pytest.fixture(params=["real", "few"])
def project(request: pytest.FixtureRequest, plugins: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty project folder, with bars to load: the real ones, or sixty sessions with FB listed on the thirtieth."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins.vendor, "PAGE_S", 0.0)
    plugins.vendor._all_bars.cache_clear()
    if request.param == "few":
        few_bars(tmp_path / "stocks.csv.gz")
    elif find_spec("bokeh_sampledata") is None:
        pytest.skip("bokeh_sampledata is not installed; make demo installs it")
    yield plugins
    plugins.vendor._all_bars.cache_clear()


def few_bars(file: Path) -> None:
    lines = ["Ticker,Date,Open,High,Low,Close,Volume,Adj Close"]
    for number in range(60):
        day = date(2012, 1, 2) + timedelta(days=number)
        for seed, symbol in enumerate(SYMBOLS):
            if symbol == "FB" and number < 30:
                continue
            # AAPL splits 2 for 1 on the twentieth session.
            close = (100 + (number * 7 + seed * 3) % 11) / (2 if symbol == "AAPL" and number >= 20 else 1)
            adjusted = close / (1 if symbol != "AAPL" or number >= 20 else 2)
            lines.append(f"{symbol},{day},{close},{close + 1},{close - 1},{close},1000,{adjusted}")
    file.write_bytes(gzip.compress("\n".join(lines).encode()))


def load(plugins: Any, *, attempt: int = 1, **params: Any) -> tuple[dict[str, Any], Heard]:
    heard = Heard()
    facts = Facts(task_id=1, instance_id=1, fence=1, attempt=attempt, workflow="us_daily", task="t", job="load_bars")
    arguments = signature(plugins.bars.load_bars).bind({"start": str(START), "end": str(END), **params})
    with running(Context(facts, heard)):
        return plugins.bars.load_bars(**arguments), heard


def load_all(plugins: Any, **lost: str) -> None:
    plugins.bars.load_reference()
    for symbol in SYMBOLS:
        load(plugins, symbol=symbol, lost=lost.get(symbol))


def test_the_workflow_files_are_valid_and_name_all_jobs_of_the_example(plugins: Any) -> None:
    workflows = [parse_file(file) for file in sorted((EXAMPLE / "workflows").glob("*.yaml"))]
    jobs = {spec.name: spec for spec in decorators.registered() if spec.module in MODULES}
    compensations = {spec.compensation for spec in jobs.values()} - {""}
    named = {task.job for workflow in workflows for task in workflow.tasks} - {"log"}
    assert named | compensations == set(jobs)
    tasks = [(one, task) for one in workflows for task in one.tasks if task.job in jobs]
    for workflow, task in tasks:
        given = set(workflow.params or {}) if task.params is None else set(task.params)
        schema = params_schema(jobs[task.job].function)
        assert set(schema.get("required", ())) <= given, task.key
        assert task.params is None or given <= set(schema["properties"]), task.key


def test_every_job_says_what_it_does(plugins: Any) -> None:
    assert [spec.name for spec in decorators.registered() if spec.module in MODULES and not spec.doc] == []


def test_bars_are_loaded_once_however_often_the_job_runs(project: Any) -> None:
    first, heard = load(project, symbol="IBM")
    again, _ = load(project, symbol="IBM")
    assert first == again
    assert stored(project, "SELECT count(*) FROM bar") == [(first["rows"],)]
    assert [done for done, _, _ in heard.progress] == [float(n + 1) for n in range(len(heard.progress))]
    assert heard.progress[-1][0] == heard.progress[-1][1]


def test_a_vendor_that_hangs_up_leaves_nothing_half_done_and_the_next_attempt_succeeds(project: Any) -> None:
    with pytest.raises(project.vendor.VendorError, match="simulated"):
        load(project, symbol="GOOG", hang_up=True)
    assert stored(project, "SELECT count(*) FROM bar") == [(0,)]
    assert load(project, attempt=2, symbol="GOOG", hang_up=True)[0]["rows"] > 0


def test_a_late_listing_is_not_a_gap(project: Any) -> None:
    load_all(project)
    found = project.checks.check_bars(START, END)
    assert (found["missing"], found["broken"], found["faults"]) == (0, 0, [])
    assert "FB" in found["listings"]
    assert "IBM" not in found["listings"]


def test_a_lost_session_is_found_and_held_back_and_loading_again_heals_it(project: Any) -> None:
    lost = project.vendor.sessions()[10]
    load_all(project, IBM=lost)
    found = project.checks.check_bars(START, END)
    assert found["faults"] == [("IBM", lost, "missing")]
    facts = Facts(
        task_id=1, instance_id=1, fence=1, attempt=1, workflow="us_daily", task="quarantine", job="quarantine"
    )
    with running(Context(facts, Heard())):
        assert project.checks.quarantine(found["faults"]) == {"held_back": 1}
    load(project, symbol="IBM")
    assert project.checks.check_bars(START, END)["missing"] == 0


def test_what_a_restatement_replaced_is_put_back_however_often_each_job_runs(project: Any) -> None:
    def ran(job: Any, **params: Any) -> Any:
        facts = Facts(task_id=1, instance_id=1, fence=1, attempt=1, workflow="restate", task="aapl", job="restate_bars")
        with running(Context(facts, Heard())):
            return job(**params)

    load(project, symbol="AAPL", end="2012-01-20")
    before = stored(project, "SELECT * FROM bar")
    restate = {"symbol": "AAPL", "start": START, "end": END}
    assert ran(project.restated.restore_bars, symbol="AAPL") == {"rows": 0}
    with pytest.raises(OSError, match="simulated"):
        ran(project.restated.restate_bars, **restate, full_disk="AAPL")
    assert ran(project.restated.restate_bars, **restate)["rows"] > len(before)
    assert ran(project.restated.restore_bars, symbol="AAPL") == {"rows": len(before)}
    assert ran(project.restated.restore_bars, symbol="AAPL") == {"rows": 0}
    assert stored(project, "SELECT * FROM bar") == before
    assert stored(project, "SELECT * FROM former") == []


@pytest.mark.parametrize("fault", ["high = low - 1", "close = high + 1", "volume = 0", "low = 0"])
def test_an_impossible_bar_is_found(project: Any, fault: str) -> None:
    load_all(project)
    stored(project, f"UPDATE bar SET {fault} WHERE symbol = 'MSFT' AND session = (SELECT max(session) FROM bar)")
    assert project.checks.check_bars(START, END)["broken"] == 1


def test_a_split_leaves_no_jump_in_adjusted_prices(project: Any) -> None:
    load_all(project)
    actions = project.prices.adjust_bars(START, END)["actions"]
    assert ("AAPL", 2.0) in [(symbol, step) for symbol, _, step in actions]
    for symbol, session, _ in actions:
        query = "SELECT close FROM adjusted WHERE symbol = ? AND session <= ? ORDER BY session DESC LIMIT 2"
        (after,), (before,) = stored(project, query, symbol, session)
        assert 0.8 < after / before < 1.25


def test_the_report_is_one_page_with_a_line_for_every_stock(project: Any, tmp_path: Path) -> None:
    load_all(project)
    figures = {
        "check": project.checks.check_bars(START, END),
        "adjust": project.prices.adjust_bars(START, END),
        "monthly": project.prices.monthly_returns(START, END),
        "risk": project.prices.risk_figures(START, END),
        "correlation": project.prices.correlation(START, END),
    }
    for row in figures["risk"]:
        months = figures["monthly"][row["symbol"]].values()
        assert product(1 + share for share in months) == pytest.approx(1 + row["total_return"], rel=1e-3)
        assert row["peak"] <= row["trough"]
        assert -1 < row["max_drawdown"] <= 0
    answer = project.report.draw_report(Path("reports/one.html"), START, END, figures)
    html = (tmp_path / "reports" / "one.html").read_text("utf-8")
    assert answer["file"] == str(tmp_path / "reports" / "one.html")
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    growth = ET.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])  # noqa: S314  ours
    assert sum("line s" in part.get("class", "") for part in growth.iter()) == len(SYMBOLS)


def test_the_real_figures_are_those_of_history(project: Any) -> None:
    if Path("stocks.csv.gz").exists():
        pytest.skip("only the real bars have a history")
    load_all(project)
    project.prices.adjust_bars(START, END)
    rows = {row["symbol"]: row for row in project.prices.risk_figures(START, END)}
    assert [rows[symbol]["rows"] for symbol in SYMBOLS] == [3270, 196, 2148, 3270, 3270]
    assert (rows["FB"]["first"], rows["GOOG"]["first"]) == ("2012-05-18", "2004-08-19")
    assert rows["AAPL"]["total_return"] == pytest.approx(12.4086, abs=1e-4)
    assert (rows["MSFT"]["peak"], rows["MSFT"]["trough"]) == ("2000-03-23", "2009-03-09")


def stored(plugins: Any, query: str, *params: str) -> list[Any]:
    with plugins.market.market() as db:
        return list(db.execute(query, params).fetchall())


def product(values: Iterator[float]) -> float:
    result = 1.0
    for value in values:
        result *= value
    return result
