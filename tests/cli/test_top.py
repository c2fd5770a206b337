"""`qflowd top`: one picture where nobody can press a key, else a screen that moves and leaves the terminal as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pyte
import pytest

from qflowd.store.tx import Tx
from tests.support.daemon import until
from tests.support.http import ApiServer
from tests.support.stand_in import StandIn

LONG = "refinitiv did not answer, " * 8


def fill(engine: StandIn, runs: int = 3) -> None:
    """Runs with progress, one that failed, a daemon, a schedule that fires."""
    for number in range(1, runs + 2):
        engine.sql(engine.insert("submissions", job="hello"))
        engine.admit(number)
    engine.sql(f"UPDATE qflow.task_instance SET state = 4, started_at = {engine.now}, attempt = 1 WHERE node = 0")
    row = {"task_id": 2 << 20, "fence": 0, "done": 1, "total": 4, "message": "of the symbols", "updated_at": "NOW"}
    engine.sql(engine.insert("task_progress", **row))
    engine.fail(1, LONG)
    engine.end(1, "FAILED", LONG)
    engine.daemon()


@pytest.fixture
def scene(sqlite_engine: StandIn) -> StandIn:
    fill(sqlite_engine)
    return sqlite_engine


class Terminal:
    """A command on a terminal of 80 × 24, and what stands on it."""

    def __init__(self, *args: str, size: tuple[int, int] = (24, 80), **env: str) -> None:
        self.screen = pyte.Screen(size[1], size[0])
        self._stream = pyte.ByteStream(self.screen)
        self._ours, self._theirs = pty.openpty()
        self.bytes = b""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.set_blocking(self._ours, False)
        self.before = termios.tcgetattr(self._theirs)
        settings = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        settings |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | env
        command = [sys.executable, "-m", "qflowd", *args]
        ends = {"stdin": self._theirs, "stdout": self._theirs, "stderr": self._theirs}
        self.process = subprocess.Popen(command, env=settings, start_new_session=True, **ends)

    def look(self) -> str:
        """What stands there now."""
        try:
            while data := os.read(self._ours, 65536):
                self.bytes += data
                self._stream.feed(data)
        except BlockingIOError:
            pass
        return "\n".join(self.screen.display)

    def shows(self, what: str) -> str:
        return until(lambda: (found := self.look()) if what in self.look() else "", 20, what=what)

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def ended(self) -> int:
        """Its exit code, once the terminal is as it was."""
        code = self.process.wait(20)
        self.look()
        assert termios.tcgetattr(self._theirs)[:4] == self.before[:4]
        assert self.bytes.rfind(b"\x1b[?1049l") > self.bytes.rfind(b"\x1b[?1049h"), "it left the screen of its own"
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def terminal(scene: StandIn) -> Iterator[Terminal]:
    opened = Terminal("top", "--every", "0.2")
    yield opened
    opened.close()


def test_output_that_is_not_a_terminal_gets_one_picture(run, own_engine):
    fill(own_engine)
    ran = run("top")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("qflowd top · default · ")
    assert lines[1] == "RUNNING 3   FAILED 1"
    assert "Running (3)" in lines
    assert "\x1b" not in ran.out
    [second] = [line for line in lines if line.startswith(" 2  hello")]
    assert "RUNNING  [" in second
    assert LONG.strip() in ran.out, "nothing is cut where nobody counts columns"
    assert [line.split()[:4] for line in lines if line.startswith("desk")] == [["desk", "here", "READY", "0/2"]]
    found = run("top", "--json").json
    assert (found["states"], len(found["running"])) == ({"RUNNING": 3, "FAILED": 1}, 3)


def test_it_asks_what_the_first_page_of_the_dashboard_asks(run, scene, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("qflowd.store.tx.Tx.run", counted(asked))
    with ApiServer(scene.url) as api:
        assert api.get("/overview").status == 200
    of_the_page = asked[asked.index("count_instances_since") :]
    asked.clear()
    assert run("top", "--once").code == 0
    assert asked[asked.index("count_instances_since") :] == of_the_page


def counted(asked: list[str]):
    run = Tx.run

    def count(self: Tx, statement: str, **params: object) -> object:
        asked.append(statement)
        return run(self, statement, **params)

    return count


def test_a_terminal_of_80_by_24_shows_all_sections_and_moves(scene: StandIn, terminal: Terminal) -> None:
    seen = terminal.shows("Running (3)")
    for what in ("Failing (1)", "Daemons (1)", "Next", "q quit", "RUNNING 3"):
        assert what in seen, seen
    assert all(len(line) <= 80 for line in seen.splitlines())
    assert re.search(rb"\x1b\[[\d;]*31m", terminal.bytes), "a failure is red"
    scene.end(3)
    terminal.shows("Running (2)")
    terminal.press(b"p")
    terminal.shows("PAUSED")
    scene.end(4)
    time_then = next(iter(terminal.look().splitlines()))
    until(lambda: scene.sql("SELECT COUNT(*) FROM qflow.workflow_instance WHERE state = 1")[0][0] == 1, 5)
    assert next(iter(terminal.look().splitlines())) == time_then
    terminal.press(b"p")
    terminal.shows("Running (1)")
    terminal.press(b"q")
    assert terminal.ended() == 0


def test_rows_are_sorted_and_scrolled_and_a_small_window_still_shows_its_keys(sqlite_engine: StandIn) -> None:
    fill(sqlite_engine, runs=15)
    terminal = Terminal("top", "--every", "0.2")
    try:
        first = terminal.shows("Running (15)")
        assert "1 to " in first
        assert "\n16  hello" in first
        terminal.press(b"sss")
        terminal.shows("sorted: name")
        assert "\n 2  hello" in terminal.shows("\n 2  hello")
        terminal.press(b"\x1bOB" * 3)
        assert "\n 2  hello" not in terminal.shows(" 4 to ")
        terminal.press(b"\x1bOF")
        terminal.shows(" to 15 of 15")
        terminal.press(b"\x1bOC")
        terminal.resize(12, 60)
        until(lambda: terminal.look().splitlines()[11].startswith("q quit"), 10, what="the keys in the last line")
        terminal.press(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_the_terminal_is_as_it_was_however_it_ends(terminal: Terminal, number: signal.Signals, code: int) -> None:
    terminal.shows("Running (3)")
    terminal.process.send_signal(number)
    assert terminal.ended() == code


def test_without_colour_it_is_as_legible(scene: StandIn) -> None:
    terminal = Terminal("top", NO_COLOR="1")
    try:
        terminal.shows("Running (3)")
        terminal.press(b"q")
        assert terminal.ended() == 0
        assert not re.search(rb"\x1b\[[\d;]*(3[0-7]|38;\d+;\d+)m", terminal.bytes)
    finally:
        terminal.close()


def test_a_dumb_terminal_gets_one_picture(scene: StandIn) -> None:
    terminal = Terminal("top", TERM="dumb")
    try:
        assert terminal.process.wait(20) == 0
        assert "Running (3)" in terminal.look()
        assert b"\x1b" not in terminal.bytes
    finally:
        terminal.close()


def test_a_database_that_goes_away_is_named_and_waited_for(get_server, run, monkeypatch) -> None:
    """Only a server can be away."""
    server = get_server("postgres")
    url = server.create_store()
    engine = StandIn(url)
    fill(engine)
    engine.close()
    terminal = Terminal("top", "--every", "0.2", QFLOWD_DATABASE_URL=url)
    try:
        terminal.shows("Running (3)")
        server.stop()
        terminal.shows("trying again")
        server.start()
        terminal.shows("q quit")
        terminal.press(b"q")
        assert terminal.ended() == 0
    finally:
        terminal.close()
        server.start().give_back(url)


def test_the_pace_is_bounded(run, scene) -> None:
    ran = run("top", "--every", "0.01")
    assert ran.code == 2
    assert "--every" in ran.err
