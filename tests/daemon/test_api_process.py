"""`[api] enabled`: the HTTP server is a child of the daemon, and lives and ends with it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from tests.support.daemon import Daemon, until
from tests.support.http import HttpClient

API = '[api]\nenabled = true\nbind = "127.0.0.1:0"\n'


def address(daemon: Daemon, which: int = -1) -> str:
    found = until(lambda: re.findall(r"serving (http://\S+/)", daemon.log()), 30, what="the server to come up")
    return str(found[which])


def client(url: str) -> HttpClient:
    return HttpClient(int(url.rstrip("/").rpartition(":")[2]))


def server_pid(daemon: Daemon) -> int:
    """Of the server beside the daemon."""

    def look() -> int:
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            if b"--until-stdin-ends" in command and parent == daemon.pid:
                return int(entry.name)
        return 0

    return until(look, 30, what="the server's process")


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_server_comes_up_with_the_daemon_and_ends_with_it(sqlite_url: str, tmp_path: Path) -> None:
    with Daemon(sqlite_url, tmp_path, config=API, is_forked=False) as daemon:
        url = address(daemon)
        assert client(url).get("/healthz").text == "ok\n"
        pid = server_pid(daemon)
        assert daemon.stop() == 0
        assert not is_there(pid)
        assert "the HTTP server ended" not in daemon.log()


def test_a_server_that_is_killed_is_started_again_and_the_daemon_does_not_notice(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Daemon(sqlite_url, tmp_path, config=API, is_forked=False) as daemon:
        address(daemon)
        os.kill(server_pid(daemon), signal.SIGKILL)
        until(lambda: len(re.findall("serving http", daemon.log())) == 2, 60, what="another server")
        assert "the HTTP server ended (killed by SIGKILL)" in daemon.log()
        assert client(address(daemon)).get("/readyz").status == 200


def test_a_daemon_that_is_killed_takes_the_server_with_it(sqlite_url: str, tmp_path: Path) -> None:
    with Daemon(sqlite_url, tmp_path, config=API, is_forked=False) as daemon:
        address(daemon)
        pid = server_pid(daemon)
        daemon.kill()
        until(lambda: not is_there(pid), 30, what="the server to end")


def test_without_the_section_nothing_listens(sqlite_url: str, tmp_path: Path) -> None:
    with Daemon(sqlite_url, tmp_path, is_forked=False) as daemon:
        assert "serving" not in daemon.log()
