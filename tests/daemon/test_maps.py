"""Maps in a real daemon: lists of all origins, what items and the tasks behind them are given, and what people see."""

from __future__ import annotations

import pytest

from qflowd import Engine, TaskBuilder, WorkflowBuilder, connect, context
from qflowd.model.errors import NotFound
from tests.support.daemon import Daemon

PATIENCE_S = 60
JOBS = """
from qflowd import context, job

@job
def symbols(count: int, width: int = 4) -> dict:
    return {"symbols": [f"{i:0{width}}" for i in range(count)]}

@job
def bars(symbol: str, number: int) -> dict:
    print("loading", symbol)
    return {"symbol": symbol, "number": number}

@job
def strict(close: float) -> float:
    return close

@job
def lists(values: list) -> int:
    return len(values)

@job
def behind() -> dict:
    return {key: [len(value), value[0], value[-1]] for key, value in context().upstream.items()}
"""
MAPS = """
workflow: maps
params: {count: {type: integer, default: 9}, width: {type: integer, default: 4}, names: {type: array, default: [x, y]}}
tasks:
  universe: {job: symbols, params: {count: "{{ params.count }}", width: "{{ params.width }}"}}
  job: {job: bars, after: universe, map: "{{ universe.output.symbols }}", label: "{{ item }}", params: &one {symbol: "{{ item }}", number: "{{ index }}"}}
  literal: {job: bars, map: [a, "{{ params.names[0] }}", c], params: *one}
  given: {job: bars, map: "{{ params.names }}", params: *one}
  chunks: {job: lists, after: universe, map: "{{ universe.output.symbols }}", chunk: 4, params: {values: "{{ item }}"}}
  behind: {job: behind, after: [job, literal, given, chunks]}
  named: {job: lists, after: job, params: {values: "{{ job.output }}"}}
"""


def maps_daemon(database_url, tmp_path, workflow=MAPS):
    return Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows={"maps.yaml": workflow})


@pytest.mark.parametrize(("count", "width"), [(9, 4), (900, 100)])
def test_lists_of_all_origins_are_mapped_and_handed_on(database_url, tmp_path, count, width):
    """900 symbols of 100 characters are more than 64 KB."""
    with maps_daemon(database_url, tmp_path), connect(database_url) as client:
        run = client.submit("maps", params={"count": count, "width": width})
        assert run.wait(PATIENCE_S) == "SUCCESS", run.info().error
        last = f"{count - 1:0{width}}"
        chunks = [min(4, count - start) for start in range(0, count, 4)]
        assert run.output("behind") == {
            "job": [count, {"symbol": "0" * width, "number": 0}, {"symbol": last, "number": count - 1}],
            "literal": [3, {"symbol": "a", "number": 0}, {"symbol": "c", "number": 2}],
            "given": [2, {"symbol": "x", "number": 0}, {"symbol": "y", "number": 1}],
            "chunks": [len(chunks), 4, chunks[-1]],
        }
        assert run.output("named") == count
        assert run.output("literal")[1] == {"symbol": "x", "number": 1}
        assert [value["number"] for value in run.output("job")] == list(range(count))
        items = [task for task in run.tasks() if task.task == "job" and task.map_index is not None]
        assert [task.name for task in items][-1] == f"job[{last}]"
        assert {line.name for line in run.logs() if line.message == f"loading {last}"} == {f"job[{last}]"}


def test_an_item_that_does_not_fit_its_job_fails_and_the_others_run(database_url, tmp_path):
    workflow = """
workflow: maps
tasks:
  check: {job: strict, map: [1.5, much, 2, null], params: {close: "{{ item }}"}, retries: 3}
"""
    with maps_daemon(database_url, tmp_path, workflow), connect(database_url) as client:
        run = client.submit("maps")
        assert run.wait(PATIENCE_S) == "FAILED"
        tasks = run.tasks()
        assert [(task.name, task.state) for task in tasks] == [
            ("check", "FAILED"),
            ("check[0]", "SUCCESS"),
            ("check[1]", "FAILED"),
            ("check[2]", "SUCCESS"),
            ("check[3]", "FAILED"),
        ]
        assert "parameter 'close'" in (tasks[2].error or "")
        assert tasks[0].error == f"2 of 4 items did not succeed; the first: check[1]: {tasks[2].error}"
        with pytest.raises(NotFound, match="task check of instance 1 is FAILED, so it has no output"):
            run.output("check")


def test_an_item_is_retried_by_itself_as_any_task(database_url, tmp_path):
    """Retries, attempts and idempotency keys are an item's own."""
    attempts: list[tuple[int, int]] = []
    keys: set[str] = set()

    def unlucky(n: int) -> int:
        attempts.append((n, context().attempt))
        keys.add(context().idempotency_key)
        if n == 2 and context().attempt < 3:
            raise ConnectionError("again")
        return n * n

    builder = WorkflowBuilder("squares").with_task(
        TaskBuilder("square", "unlucky")
        .with_map([1, 2, 3], label="n{{ item }}")
        .with_params(n="{{ item }}")
        .with_retry(2, delay=0)
    )
    engine = Engine(database_url, pools={"default": 1}, run_dir=tmp_path)
    with engine.with_job(unlucky).with_workflow(builder):
        run = engine.client.submit("squares")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output() == [1, 4, 9]
        assert sorted(attempts) == [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1)]
        assert len(keys) == 3
        assert {(found.name, found.attempt) for found in run.attempts()} == {
            ("square[n1]", 1),
            ("square[n2]", 1),
            ("square[n2]", 2),
            ("square[n2]", 3),
            ("square[n3]", 1),
        }


def test_items_take_the_slots_of_their_job_and_their_map_holds_none(database_url, tmp_path):
    running: list[int] = []
    most: list[int] = []

    def vendor(n: int) -> int:
        running.append(n)
        most.append(len(running))
        running.remove(n)
        return n

    builder = WorkflowBuilder("limited").with_task(
        TaskBuilder("load", "vendor").with_map(list(range(20))).with_params(n="{{ item }}")
    )
    engine = Engine(database_url, pools={"default": 4}, run_dir=tmp_path)
    with engine.with_job(vendor, limits={"one": 1}).with_workflow(builder):
        run = engine.client.submit("limited")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert max(most) == 1
        assert run.output() == list(range(20))


LARGE = """
from qflowd import context, job

@job
def make(n: int) -> str:
    return str(n % 10) * 500_000

@job
def small(n: int):
    return None if n % 2 else {"n": n}

@job
def reads() -> list:
    outputs = context().upstream["large"]
    return [len(outputs), sum(map(len, outputs)), outputs[-1][:1], outputs[7][:2], [text[:1] for text in outputs[3:5]]]

@job
def counts() -> list:
    up = context().upstream
    small, none = up["small"], up["none"]
    try:
        small[len(small)]
    except IndexError as error:
        why = str(error)
    same = small == [None if n % 2 else {"n": n} for n in range(1000)]
    return [len(small), same, len(list(none)), none == [], small == none, why, type(small) is type(none), repr(small)]

@job
def hands_on():
    return context().upstream["small"]

@job
def takes(texts: list) -> int:
    return len(texts)
"""
BEHIND = """
workflow: large
tasks:
  large: {job: make, map: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39], params: {n: "{{ item }}"}}
  numbers: {job: numbers}
  small: {job: small, after: numbers, map: "{{ numbers.output }}", params: {n: "{{ item }}"}}
  none: {job: small, map: []}
  reads: {job: reads, after: large}
  counts: {job: counts, after: [small, none]}
  hands_on: {job: hands_on, after: small}
  takes: {job: takes, after: large, params: {texts: "{{ large.output }}"}}
"""


def test_outputs_of_a_map_are_read_page_by_page(database_url, tmp_path):
    """20 MB together: more than one output may have."""
    jobs = LARGE + "\n\n@job\ndef numbers() -> list:\n    return list(range(1000))\n"
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": jobs}, workflows={"large.yaml": BEHIND})
    with daemon, connect(database_url) as client:
        run = client.submit("large")
        assert run.wait(PATIENCE_S) == "FAILED"
        assert run.output("reads") == [40, 20_000_000, "9", "77", ["3", "4"]]
        why = "item 1000 of 1000"
        assert run.output("counts") == [1000, True, 0, True, False, why, True, "<outputs of 1000 items>"]
        assert run.output("hands_on")[:3] == [{"n": 0}, None, {"n": 2}]
        [takes] = [task for task in run.tasks() if task.task == "takes"]
        assert takes.error == "large.output is larger than 16,777,216 bytes, all its items together"
        assert len(run.output("large")) == 40


EACH = """
workflow: maps
params: {count: {type: integer, default: 12}, width: {type: integer, default: 4}}
tasks:
  universe: {job: symbols, params: {count: "{{ params.count }}", width: "{{ params.width }}"}}
  bars: {job: bars, after: universe, map: "{{ universe.output.symbols }}", label: "{{ item }}", params: {symbol: "{{ item }}", number: "{{ index }}"}}
  news: {job: bars, after: universe, map: "{{ universe.output.symbols }}", params: {symbol: "{{ item }}", number: "{{ 100 + index }}"}}
  factors: {job: above, after: {bars: each, news: each}, params: {bar: "{{ bars.output.number }}"}}
  signals: {job: above, after: {factors: each}, params: {bar: "{{ bars.output.number }}", wide: "{{ factors.output.wide }}"}}
  all: {job: above, after: {factors: each, bars: true}, params: {bar: "{{ len(bars.output) }}"}}
  end: {job: lists, after: signals, params: {values: "{{ signals.output }}"}}
"""
ABOVE = """
@job
def above(bar: int, wide: str = "") -> dict:
    upstream = context().upstream
    numbers = {key: len(upstream[key]) if key == "bars" and "factors" in upstream else upstream[key]["number"] for key in upstream}
    return {"number": bar, "above": numbers, "wide": "x" * WIDTH, "got": len(wide)}
"""


@pytest.mark.parametrize("width", [3, 9_000, 90_000])
def test_an_item_is_given_the_outputs_of_the_same_item_before_it(database_url, tmp_path, width):
    """Small ones travel with it, others are asked for, those above 64 KB do not lie on their row."""
    jobs = {"jobs.py": JOBS + ABOVE.replace("WIDTH", str(width))}
    with (
        Daemon(database_url, tmp_path, plugins=jobs, workflows={"maps.yaml": EACH}),
        connect(database_url) as client,
    ):
        run = client.submit("maps")
        assert run.wait(PATIENCE_S) == "SUCCESS", run.info().error
        for i, (factor, signal, whole) in enumerate(zip(*map(run.output, ("factors", "signals", "all")), strict=True)):
            assert (factor["number"], factor["above"]) == (i, {"bars": i, "news": 100 + i})
            assert (signal["number"], signal["above"], signal["got"]) == (i, {"factors": i}, width)
            assert (whole["number"], whole["above"]) == (12, {"factors": i, "bars": 12})
        names = [task.name for task in run.tasks() if task.map_index == 3]
        assert names == ["bars[0003]", "news[3]", "factors[0003]", "signals[0003]", "all[0003]"]


def test_never_more_items_are_open_than_max_parallel_in_the_first_run_and_in_a_retry(database_url, tmp_path):
    workflow = """
workflow: maps
params: {symbols: {}, file: {}}
tasks:
  bars: {job: shaky, map: "{{ params.symbols }}", max_parallel: 50, params: {file: "{{ params.file }}"}}
"""
    up = tmp_path / "up"
    jobs = """
from pathlib import Path
from qflowd import job

@job
def shaky(file: str) -> None:
    if not Path(file).exists():
        raise ConnectionError("no route to the vendor")
"""
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": jobs}, workflows={"maps.yaml": workflow})
    with daemon, connect(database_url) as client:
        run = client.submit("maps", params={"symbols": list(range(600)), "file": str(up)})
        assert _most_open(run, "FAILED") <= 50
        up.touch()
        run.retry()
        assert _most_open(run, "SUCCESS") <= 50


def _most_open(run, state: str) -> int:
    """How many items were seen ready or running at once until an instance came to a state."""
    most = 0
    while run.state_and_error()[0] != state:
        items = [task.state for task in run.tasks() if task.map_index is not None]
        most = max(most, sum(item in ("READY", "RESERVED", "RUNNING") for item in items))
    return most
