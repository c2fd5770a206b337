"""What a person at a terminal sees: a line that moves, colours, no more than fits."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import click
import pytest

from qflowd.cli.printing import in_zone, printable
from tests.cli.test_submit import answer_soon


def on_a_terminal(*args: str, env: dict[str, str]) -> tuple[int, str]:
    """Run a command with a terminal of 80 columns as stdout and stderr."""
    ours, theirs = pty.openpty()
    settings = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    settings.pop("NO_COLOR", None)
    settings |= env
    command = [sys.executable, "-m", "qflowd", *args]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=settings)
    os.close(theirs)
    seen = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        seen += data
    os.close(ours)
    return process.wait(10), seen.decode()


def test_who_waits_sees_progress_in_one_line_that_goes_away(run, sqlite_engine):
    thread = answer_soon(sqlite_engine.url, "SUCCESS", after_s=1.0)
    code, seen = on_a_terminal("submit", "x", "--wait", env={"QFLOWD_DATABASE_URL": sqlite_engine.url})
    thread.join()
    assert code == 0
    assert "\r\x1b[K1 x waits for a daemon" in seen
    assert "1 hello RUNNING [--------------------]   0%  " in seen
    assert seen.rstrip().splitlines()[-1].startswith("\x1b[K1 x \x1b[32mSUCCESS\x1b[0m in ")


def test_tables_are_coloured_and_cut_at_the_edge_of_a_terminal(run, sqlite_engine):
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1)
    sqlite_engine.end(1, "FAILED", "a long story " * 20)
    code, seen = on_a_terminal("ps", env={"QFLOWD_DATABASE_URL": sqlite_engine.url})
    lines = seen.splitlines()
    assert code == 0
    assert "\x1b[31mFAILED\x1b[0m" in lines[1]
    assert lines[1].endswith("…")
    _, seen = on_a_terminal("ps", env={"QFLOWD_DATABASE_URL": sqlite_engine.url, "NO_COLOR": "1"})
    assert "FAILED" in seen
    assert "\x1b" not in seen
    plain = run("ps").out
    assert "\x1b" not in plain
    assert plain.count("a long story") == 20


def test_a_plan_of_many_parents_fits_the_terminal(run, tmp_path):
    names = [f"a_task_with_a_long_name_{n}" for n in range(12)]
    tasks = [f'  {name}: {{job: log, params: {{message: "a long message, {name}"}}}}' for name in names]
    tasks.append(f"  join: {{job: log, after: [{', '.join(names)}]}}")
    (tmp_path / "wide.yaml").write_text("workflow: wide\ntasks:\n" + "\n".join(tasks) + "\n")
    code, seen = on_a_terminal("plan", "wide.yaml", env={"QFLOWD_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})
    lines = [click.unstyle(line) for line in seen.splitlines()]
    assert code == 0, seen
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.lstrip().startswith("2  join") and "…" in line]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\x1b]0;title\x07b", "ab"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;aGk=\nnext", "\nnext"),
        ("\x1bPq#\x1b\\z", "z"),
        ("\x1b[2J\x1b[1;1Hz\x9b2J", "z"),
        ("\x1b\x1b[2Jx\x1bc", "x"),
        ("10 %\r20 %\r\nend\x00", "10 % 20 %\nend "),
        ("\x1b[31mred\x1b[0m\tto\n\u4e2d", "\x1b[31mred\x1b[0m\tto\n\u4e2d"),
    ],
)
def test_of_what_a_job_wrote_a_terminal_obeys_colours_alone(written: str, shown: str) -> None:
    assert printable(written) == shown


@pytest.mark.parametrize("instant", ["2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_what_people_wrote_in_a_reason_need_not_be_an_instant_that_there_is(instant: str, zone: str) -> None:
    with click.Context(click.Command("qflowd")) as context:
        context.params["timezone"] = zone
        assert in_zone("until 2026-11-20T00:00:00Z").endswith(zone)
        shown = in_zone(f"paused by anna: until {instant}")
    assert shown.startswith("paused by anna: until ")
    assert zone in shown or instant in shown
