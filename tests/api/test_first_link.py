"""The first minute: while nobody can sign in, whoever looks at the server's terminal gets a link that makes the administrator."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.api.person import Person, code_for
from tests.support.daemon import until
from tests.support.http import ApiServer

API = ("api", "--bind", "127.0.0.1:0")
BESIDE_THE_DAEMON = ("run",)
HINT = "nobody can sign in yet; `qflowd login-link admin --role system` makes a link that does"


class Program:
    """A command as people start it, with stdout on a terminal or in a file, and its log in a file."""

    def __init__(self, url: str, folder: Path, command: tuple[str, ...], *, terminal: bool) -> None:
        self._out, self._log = folder / "out", folder / "log"
        (folder / "qflowd.toml").write_text('[api]\nenabled = true\nbind = "127.0.0.1:0"\n')
        environment = os.environ | {
            "QFLOWD_DATABASE_URL": url,
            "TERM": "xterm",
            "QFLOWD_CONFIG": str(folder / "qflowd.toml"),
        }
        ours, theirs = pty.openpty() if terminal else (-1, os.open(self._out, os.O_WRONLY | os.O_CREAT))
        with self._log.open("w") as log:
            whole = [sys.executable, "-m", "qflowd", *command]
            self._process = subprocess.Popen(whole, cwd=folder, env=environment, stdout=theirs, stderr=log)
        os.close(theirs)
        self._copier = threading.Thread(target=self._copy, args=[ours])
        if terminal:
            self._out.touch()
            self._copier.start()

    def _copy(self, terminal: int) -> None:
        with self._out.open("ab", buffering=0) as out, os.fdopen(terminal, "rb", buffering=0) as source:
            try:
                while data := source.read(4096):
                    out.write(data)
            except OSError:  # nobody has it open any more
                return

    @property
    def out(self) -> str:
        return self._out.read_text().replace("\r\n", "\n")

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def port(self) -> int:
        return int(until(lambda: re.search(r"serving http://127\.0\.0\.1:(\d+)/", self.log), 30, what="the server")[1])

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(20) == 0
        if self._copier.ident is not None:
            self._copier.join(20)


@contextmanager
def program(url: str, folder: Path, command: tuple[str, ...], *, terminal: bool) -> Iterator[Program]:
    store = Store(url)
    migrate(store)
    store.close()
    started = Program(url, folder, command, terminal=terminal)
    try:
        yield started
    finally:
        started.stop()


class Address(NamedTuple):
    """As much of a server as a browser needs."""

    port: int


@pytest.mark.parametrize("command", [API, BESIDE_THE_DAEMON], ids=["api", "run"])
def test_the_first_link_makes_the_administrator_and_is_in_no_log(
    sqlite_url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with program(sqlite_url, tmp_path, command, terminal=True) as server:
        link = rf"http://127\.0\.0\.1:{server.port}/#code=(\w+)\n"
        code = until(lambda: re.search(link, server.out), what="the link")[1]
        person = Person(Address(server.port))
        me = person.sign_in(code)
        assert (me.data["principal"], me.data["role"]) == ("admin", "system")
        assert person.send("GET", "/principals").data["items"][0]["name"] == "admin"
        assert person.sign_in(code).status == 401
    assert code not in server.log


@pytest.mark.parametrize("command", [API, BESIDE_THE_DAEMON], ids=["api", "run"])
def test_a_file_or_a_journal_gets_the_command_and_not_the_link(
    sqlite_url: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    with program(sqlite_url, tmp_path, command, terminal=False) as server:
        until(lambda: HINT in server.log, what="the hint")
    assert "code=" not in server.out + server.log


def test_later_none_is_printed(sqlite_url: str, tmp_path: Path) -> None:
    with ApiServer(sqlite_url) as api:
        code_for(api, "somebody", Role.READ)
    with program(sqlite_url, tmp_path, API, terminal=True) as server:
        assert Person(Address(server.port)).send("GET", "/version").status == 200
    assert server.out == f"http://127.0.0.1:{server.port}/\n"
    assert HINT not in server.log
