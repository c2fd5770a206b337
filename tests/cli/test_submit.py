"""`qflowd submit`: what it writes, and with --wait how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.support.stand_in import StandIn


def test_it_prints_the_id_and_nothing_else(run, engine):
    ran = run("submit", "daily", "-p", "symbol=000300", "--business-date", "2026-11-20", "--priority", 5, "--hold")
    assert (ran.code, ran.err) == (0, "")
    columns = "workflow, params, priority, hold, trigger_type, business_date"
    [row] = engine.sql(f"SELECT {columns} FROM qflow.submissions WHERE id = {int(ran.out)}")
    assert row[:5] == ("daily", '{"symbol":"000300"}', 5, 1, "cli")
    assert str(row[5]) == "2026-11-20"
    assert run("submit", "--job", "fetch", "--json").json == {"id": int(ran.out) + 1}
    assert run("submit", "--job", "fetch", "--key", "k", "--name", "n", "--run-at", "2030-01-01T00:00:00Z").code == 0


def test_a_param_that_is_there_twice_is_named(run, sqlite_engine):
    ran = run("submit", "daily", "-p", "n=1", "-p", "n=2")
    assert (ran.code, "n is there twice" in ran.err) == (2, True)


def test_params_are_read_as_in_a_workflow_file(run, sqlite_engine, tmp_path, monkeypatch):
    pairs = {
        "code": "000300",
        "n": "5",
        "f": "0.5",
        "flag": "true",
        "no": "NO",
        "day": "2026-11-20",
        "time": "21:00",
        "nothing": "null",
        "empty": "",
        "list": '["a", 1]',
        "quoted": '"5"',
        "expr": "a=b",
        "sum": "1e3",
    }
    args = [part for key, value in pairs.items() for part in ("-p", f"{key}={value}")]
    assert run("submit", "x", *args).code == 0
    assert params(sqlite_engine, 1) == {
        "code": "000300",
        "n": 5,
        "f": 0.5,
        "flag": True,
        "no": "NO",
        "day": "2026-11-20",
        "time": "21:00",
        "nothing": None,
        "empty": "",
        "list": ["a", 1],
        "quoted": "5",
        "expr": "a=b",
        "sum": 1000.0,
    }


def test_params_come_from_a_file_from_stdin_and_from_the_line(run, sqlite_engine, tmp_path, monkeypatch):
    (tmp_path / "p.json").write_text('{"a": 1, "b": 2}')
    (tmp_path / "p.yaml").write_text("code: 000300\n")
    run("submit", "x", "--params", "@p.json", "-p", "b=3")
    run("submit", "x", "--params", "@p.yaml")
    with (tmp_path / "p.json").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        run("submit", "x", "--params", "-")
    run("submit", "x", "--params", '{"z": []}')
    found = [params(sqlite_engine, number) for number in (1, 2, 3, 4)]
    assert found == [{"a": 1, "b": 3}, {"code": "000300"}, {"a": 1, "b": 2}, {"z": []}]


def params(engine: StandIn, number: int) -> object:
    return json.loads(engine.sql(f"SELECT params FROM qflow.submissions WHERE id = {number}")[0][0])


def answer_soon(url: str, end: str, after_s: float = 0) -> threading.Thread:
    """From a thread: take the next submission that comes, and after a while bring it to an end."""
    newest = "SELECT COALESCE(MAX(id), 0) FROM qflow.submissions"
    engine = StandIn(url)
    before = engine.sql(newest)[0][0]
    engine.close()

    def work() -> None:
        engine = StandIn(url)
        deadline = time.monotonic() + 20
        while (number := engine.sql(newest)[0][0]) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        if end == "REJECTED":
            engine.answer(number, end, error="there is no workflow 'x'")
        else:
            time.sleep(after_s / 2)
            engine.admit(number)
            time.sleep(after_s / 2)
            engine.end(number, end, None if end == "SUCCESS" else "boom")
        engine.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(("end", "code"), [("SUCCESS", 0), ("FAILED", 1), ("REJECTED", 3), ("TERMINATED", 4)])
def test_waiting_gives_the_exit_code_of_the_end(run, engine, end, code):
    thread = answer_soon(engine.url, end)
    ran = run("submit", "x", "--wait")
    thread.join()
    assert (ran.code, ran.out.strip().isdigit()) == (code, True)
    assert end in ran.err
    assert ("boom" in ran.err) == (end in ("FAILED", "TERMINATED"))
    assert ("no workflow 'x'" in ran.err) == (end == "REJECTED")


def test_waiting_prints_one_json_document(run, sqlite_engine):
    thread = answer_soon(sqlite_engine.url, "FAILED")
    ran = run("submit", "x", "--wait", "--json")
    thread.join()
    assert ran.code == 1
    assert {"id": 1, "state": "FAILED", "error": "boom"}.items() <= ran.json.items()


def test_who_stops_waiting_is_told_that_the_instance_continues(run, sqlite_engine):
    command = [sys.executable, "-m", "qflowd", "submit", "hello", "--wait"]
    env = {**os.environ, "QFLOWD_DATABASE_URL": sqlite_engine.url}
    waiting = subprocess.Popen(command, env=env, stdout=-1, stderr=-1, text=True)
    assert waiting.stderr
    assert "waits for a daemon" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "qflowd: 1 continues unwatched; `qflowd terminate 1` stops it" in err
