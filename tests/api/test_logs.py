"""What tasks have written, over HTTP: pages in both directions, filters, and long logs as text."""

from __future__ import annotations

import http.client
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

import qflowd
from qflowd.api.call import Call
from qflowd.api.finding import lines
from qflowd.model.ids import ORDINALS
from tests.api.stand_in import Rows
from tests.store.plans import NUMBERS
from tests.support.http import ApiServer

LINES = 1_200
TASK = ORDINALS
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@pytest.fixture(scope="module")
def rows(api: ApiServer) -> Iterator[Rows]:
    """An instance of two tasks: 1,200 lines of the first, in levels by turns, and two of the second."""
    found = Rows(api)
    found.instance(found.flow("daily_bars", 2), "RUNNING", ("SUCCESS", "RUNNING"))
    for start in range(0, LINES, 400):
        texts = [_line(found, i) for i in range(start, start + 400)]
        head, _, _ = texts[0].partition(" VALUES ")
        found.sql(f"{head} VALUES {', '.join(text.partition(' VALUES ')[2] for text in texts)}")
    found.log(1, "second task", "and its end", ordinal=1)
    yield found
    found.close()


def _line(rows: Rows, i: int) -> str:
    row = {"task_id": TASK, "fence": 1 + i // 800, "attempt": 1 + i // 800, "logged_at": "NOW", "level": LEVELS[i % 4]}
    return rows.insert("log_line", **row, stream="log", logger="app", message=f"line {i}", attributes=f'{{"n": {i}}}')


def messages(data: Any) -> list[str]:
    return [line["message"] for line in data["items"]]


def test_a_log_is_read_forwards_to_its_end_and_followed(api: ApiServer, rows: Rows) -> None:
    found: list[str] = []
    after = 0
    while items := (data := api.get(f"/tasks/{TASK}/log?after={after}&limit=250").data)["items"]:
        found += messages(data)
        after = data["next"]
        assert items[-1]["id"] == after
    assert found == [f"line {i}" for i in range(LINES)]
    assert data["next"] == after


def test_a_log_is_read_backwards_from_its_tail_to_its_beginning(api: ApiServer, rows: Rows) -> None:
    data = api.get(f"/tasks/{TASK}/log?tail=300").data
    assert (data["lines"], messages(data)[-1]) == (LINES, f"line {LINES - 1}")
    assert data["first_at"].endswith("Z")
    found = messages(data)
    while data["prev"] is not None:
        data = api.get(f"/tasks/{TASK}/log?before={data['prev']}&limit=300").data
        found = messages(data) + found
    assert found == [f"line {i}" for i in range(LINES)]


def test_lines_are_found_by_level_text_and_attempt(api: ApiServer, rows: Rows) -> None:
    path = f"/tasks/{TASK}/log?limit=500"
    assert len(api.get(f"{path}&level=ERROR").data["items"]) == LINES // 4
    assert {line["level"] for line in api.get(f"{path}&level=WARNING").data["items"]} == {"WARNING", "ERROR"}
    assert messages(api.get(f"{path}&q=LINE%2077").data) == ["line 77", *[f"line 77{i}" for i in range(10)]]
    assert messages(api.get(f"{path}&attempt=2").data)[0] == "line 800"
    assert messages(api.get(f"{path}&fence=1&tail=1".replace("limit=500&", "")).data) == ["line 799"]
    assert messages(api.get(f"{path}&q=nothing").data) == []
    assert messages(api.get(f"/tasks/{TASK}/log?tail=2&level=ERROR").data) == ["line 1195", "line 1199"]
    line = api.get(f"{path}&q=line%2011").data["items"][0]
    assert (line["task_id"], line["task"], line["logger"], line["attributes"]) == (str(TASK), "t0", "app", {"n": 11})


@pytest.mark.parametrize(
    ("query", "is_wanted"),
    [
        ("level=ERROR", lambda i: i % 4 == 3),
        ("q=LINE%2011", lambda i: str(i).startswith("11")),
        ("attempt=2", lambda i: i >= 800),
        ("fence=2", lambda i: i >= 800),
    ],
)
def test_few_lines_are_looked_for_a_part_of_the_log_at_a_time(
    api: ApiServer, rows: Rows, query: str, is_wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("LOOKED_AT", "GLANCED_AT"):
        monkeypatch.setattr(lines, bound, 70)
    wanted = [f"line {i}" for i in range(LINES) if is_wanted(i)]
    path, found, after = f"/tasks/{TASK}/log?limit=40&{query}", list[str](), 0
    while (data := api.get(f"{path}&after={after}").data)["next"] != after:
        found, after = found + messages(data), data["next"]
    assert found == wanted
    found, data = [], {"prev": 1 << 40}
    while data["prev"] is not None:
        data = api.get(f"{path}&before={data['prev']}").data
        found = messages(data) + found
    assert found == wanted


@pytest.mark.parametrize("few", [lines.FEW_TASKS, 0])
def test_the_log_of_an_instance_is_that_of_all_its_tasks(
    api: ApiServer, rows: Rows, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ends are found by its tasks, or among all of its lines where there are many of them."""
    monkeypatch.setattr(lines, "FEW_TASKS", few)
    data = api.get("/instances/1/log?tail=3").data
    far = api.get(f"/instances/1/log?before={1 << 40}&limit=3").data  # as if others had written much since then
    assert messages(far) == messages(data)
    assert messages(data) == [f"line {LINES - 1}", "second task", "and its end"]
    assert data["lines"] == LINES + 2
    assert messages(api.get(f"/instances/1/log?after={data['items'][1]['id']}").data) == ["and its end"]
    assert messages(api.get("/instances/1/log?q=second").data) == ["second task"]


@pytest.mark.parametrize(
    "query", ["after=1&before=9", "tail=0", "tail=501", "level=LOUD", "after=x", "attempt=0", "first=1"]
)
def test_what_cannot_be_meant_is_refused(api: ApiServer, rows: Rows, query: str) -> None:
    reply = api.get(f"/tasks/{TASK}/log?{query}")
    assert (reply.status, reply.code) == (400, 40002)


def test_few_lines_that_are_large_are_read_at_once(api: ApiServer, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line may have a megabyte: 500 of them would be half a gigabyte in the server's memory."""
    text = api.get(f"/tasks/{TASK}/log?level=ERROR", accept="text/plain").text
    monkeypatch.setattr(lines, "LARGEST_PART", 100)
    read, seen = Call.read, list[int]()

    def counts(call: Call, statement: str, **params: Any) -> list[Any]:
        found = read(call, statement, **params)
        seen.extend([len(found)] if statement in ("list_lines", "list_logs", "list_task_logs") else [])
        return found

    monkeypatch.setattr(Call, "read", counts)
    first = api.get(f"/tasks/{TASK}/log?limit=500").data
    assert 1 < len(first["items"]) < 9
    after = api.get(f"/tasks/{TASK}/log?limit=500&after={first['next']}").data
    assert messages(first) + messages(after) == [f"line {i}" for i in range(len(first["items"] + after["items"]))]
    last = api.get(f"/tasks/{TASK}/log?tail=500").data
    before = api.get(f"/tasks/{TASK}/log?limit=500&before={last['prev']}").data
    ends = messages(before) + messages(last)
    assert ends == [f"line {i}" for i in range(LINES - len(ends), LINES)]
    errors = api.get(f"/tasks/{TASK}/log?limit=500&level=ERROR").data
    more = api.get(f"/tasks/{TASK}/log?limit=500&level=ERROR&after={errors['next']}").data
    assert messages(errors) + messages(more) == [
        f"line {3 + 4 * i}" for i in range(len(errors["items"] + more["items"]))
    ]
    assert api.get(f"/tasks/{TASK}/log?level=ERROR", accept="text/plain").text == text
    with qflowd.connect(f"http://127.0.0.1:{api.port}", token=api.token) as client:
        of_task = [line.message for line in itertools.islice(client.instance(1).logs("t0"), 40)]
        of_all = [line.message for line in itertools.islice(client.instance(1).logs(), 40)]
    assert of_task == of_all == [f"line {i}" for i in range(40)]
    assert max(seen) < 9


def test_a_log_is_sent_as_text_with_its_filters(api: ApiServer, rows: Rows) -> None:
    reply = api.get(f"/tasks/{TASK}/log", accept="text/plain")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "inline" in reply.headers["content-disposition"]
    lines = reply.text.splitlines()
    assert (len(lines), lines[0].partition("Z ")[2], lines[-1].partition("Z ")[2]) == (
        LINES,
        "DEBUG line 0",
        f"ERROR line {LINES - 1}",
    )
    whole = api.get("/instances/1/log", accept="text/plain").text.splitlines()
    assert len(whole) == LINES + 2
    assert whole[-1].partition("Z ")[2] == "t1 INFO and its end"
    assert whole[801].partition("Z ")[2] == "t0#2 INFO line 801"
    errors = api.get(f"/tasks/{TASK}/log?level=ERROR", accept="text/plain").text.splitlines()
    assert len(errors) == LINES // 4
    assert api.get(f"/tasks/{TASK}/log?tail=5", accept="text/plain").code == 40002


def test_a_long_log_is_sent_piece_by_piece(api: ApiServer, rows: Rows) -> None:
    """The first lines arrive as a chunk of their own: nobody has put the whole together before."""
    connection = http.client.HTTPConnection(api.host, api.port, timeout=60)
    headers = {"Authorization": f"Bearer {api.token}", "Accept": "text/plain"}
    connection.request("GET", f"/api/v1/tasks/{TASK}/log", headers=headers)
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert answer.getheader("Content-Length") is None
    assert b"line 0\n" in answer.read1()
    connection.close()


def test_a_log_of_twenty_megabytes_is_never_in_memory_as_a_whole(api: ApiServer, rows: Rows) -> None:
    task, lines = ORDINALS + 1, 20_000
    number = "seq" if rows.store.dialect.name == "mysql" else "n"
    numbers = NUMBERS[rows.store.dialect.name].format(first=1, last=lines)
    columns = "task_id, fence, attempt, logged_at, stream, level, logger, message"
    values = f"{task}, {number} * 0 + 1, 1, {rows.now}, 'log', 'INFO', 'app', '{'x' * 1000}'"
    rows.sql(f"INSERT INTO qflow.log_line ({columns}) SELECT {values} FROM {numbers}")
    connection = http.client.HTTPConnection(api.host, api.port, timeout=120)
    headers = {"Authorization": f"Bearer {api.token}", "Accept": "text/plain"}
    tracemalloc.start()
    try:
        connection.request("GET", f"/api/v1/tasks/{task}/log", headers=headers)
        answer, sent = connection.getresponse(), 0
        while piece := answer.read(1 << 16):
            sent += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        connection.close()
    assert sent > lines * 1000
    assert peak < 15_000_000
