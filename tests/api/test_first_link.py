"""The first minute: while nobody can sign in, the server prints a link that makes the administrator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.api.browser import Browser, code_for
from tests.support.daemon import until
from tests.support.http import ApiServer


class Program:
    """`qflowd api` as people start it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._out, self._err = folder / "out", folder / "err"
        environment = {**os.environ, "QFLOWD_DATABASE_URL": url}
        command = [sys.executable, "-m", "qflowd", "api", "--bind", "127.0.0.1:0"]
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=err)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def port(self) -> int:
        return int(until(lambda: re.match(r"http://127\.0\.0\.1:(\d+)/\n", self.out), 30, what=self.err)[1])

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(20) == 0


class Address(NamedTuple):
    """As much of a server as a browser needs."""

    port: int


def test_the_first_link_makes_the_administrator_and_is_in_no_log(sqlite_url: str, tmp_path: Path) -> None:
    store = Store(sqlite_url)
    migrate(store)
    store.close()
    program = Program(sqlite_url, tmp_path)
    port = program.port
    code = until(lambda: re.search(rf"http://127\.0\.0\.1:{port}/#code=(\w+)\n", program.out), what="the link")[1]
    browser = Browser(Address(port))
    me = browser.sign_in(code)
    assert (me.data["principal"], me.data["role"]) == ("admin", "system")
    assert browser.send("GET", "/principals").data["items"][0]["name"] == "admin"
    assert browser.sign_in(code).status == 401
    program.stop()
    assert code not in program.err


def test_later_none_is_printed(sqlite_url: str, tmp_path: Path) -> None:
    with ApiServer(sqlite_url) as api:
        code_for(api, "somebody", Role.READ)
    program = Program(sqlite_url, tmp_path)
    assert Browser(Address(program.port)).send("GET", "/version").status == 200
    assert "code=" not in program.out
    program.stop()
