"""The lines of docs/api.md that show what is sent: each is carried out by a server as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import NamedTuple

import pytest

from qflowd.api.routing import PREFIX
from qflowd.api.table import endpoints
from qflowd.model.ids import task_id
from tests.api.person import Person
from tests.docs.pages import ROOT, blocks_of
from tests.support.daemon import Daemon, until
from tests.support.http import ApiServer, Reply

CODE, PASSWORD = "CpMvOcHaO11cIVaRQ2J6A7FYJ68viWKGbCJre12N4Aq", "correct horse battery"
JOBS = """
from qflowd import job


@job(limits={"vendor": 1})
def load_bars(day: str = "") -> str:
    if day == "bad":
        raise ValueError("no bars")
    return day
"""
# The part on drafts shows these, with ETags that follow from each other.
OF_DRAFTS = "/workflows/{id}/versions"
NEED_NO_LINE = {"ReasonBody"}


class Line(NamedTuple):
    """A call of curl."""

    method: str
    path: str
    body: str
    headers: dict[str, str]


def lines() -> list[str]:
    [block] = [each.text for each in blocks_of(ROOT / "docs" / "api.md") if "$api/principals\n" in each.text]
    return re.findall(r"^curl -.*$", block, re.MULTILINE)


def parsed(text: str, values: dict[str, str]) -> Line:
    words = iter(shlex.split(Template(text).safe_substitute(values))[1:])
    method, body, path, headers = "POST", "", "", {}
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-d":
                body = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case _:
                path = word.removeprefix("$api")
    return Line(method, path, body, headers)


class Desk:
    """A server with what the page speaks of: `ann`, who can sign in, and an instance that has failed."""

    def __init__(self, api: ApiServer) -> None:
        self.api, self.ann, self.code = api, "", ""

    def send(self, text: str) -> Reply:
        values = {"ann": self.ann}
        if "$held" in text:
            held = self.api.post("/workflows/daily_bars/start?wait=30", {"params": {"day": "x"}, "hold": True})
            values |= {"held": str(held.data["instance_id"])}
        if "$instance" in text or "$task" in text:
            instance = self.failed()
            values |= {"instance": str(instance), "task": str(task_id(instance, 0))}
        if "$asked" in text:
            values |= {"asked": self.asked()}
        line = parsed(text.replace(CODE, self.code), values)
        headers = line.headers | {"Content-Type": "application/json"}
        reply = self.api.request(line.method, line.path, line.body.encode(), headers)
        if line.path == "/principals":
            self.ann = str(reply.data["id"])
        if line.path.endswith("/login-link"):
            self.code = reply.data["code"]
        if line.path == "/login/code":
            self._set_password(reply)
        return reply

    def _set_password(self, reply: Reply) -> None:
        ann = Person(self.api, reply.headers["set-cookie"].partition(";")[0])
        ann.csrf = reply.data["csrf"]
        assert ann.send("PUT", "/me", {"password": PASSWORD}).status == 200

    def asked(self) -> str:
        """The id of a task that waits for an approval."""
        definition = {"workflow": "nav", "tasks": {"ship": {"wait_for": {"approval": "Ship it?"}}}}
        assert self.api.post("/workflows?wait=30", {"definition": definition}).status == 201
        assert self.api.post("/workflows/nav/start?wait=30", {}).status == 201
        found = until(lambda: self.api.get("/approvals").data["items"], 30, what="the approval")
        return str(found[0]["task_id"])

    def failed(self) -> int:
        """A new instance of `daily_bars` that has failed."""
        reply = self.api.post("/workflows/daily_bars/start?wait=30", {"params": {"day": "bad"}})
        assert reply.status == 201, reply.body
        number = int(reply.data["instance_id"])
        until(lambda: self.api.get(f"/instances/{number}").data["state"] == "FAILED", 30, what="the failure")
        return number


@pytest.fixture
def desk(sqlite_url: str, tmp_path: Path) -> Iterator[Desk]:
    with (
        Daemon(sqlite_url, tmp_path, plugins={"jobs.py": JOBS}),
        ApiServer(sqlite_url, {"wait": "30s"}) as api,
    ):
        yield Desk(api)


def test_every_line_does_what_it_says(desk: Desk) -> None:
    for text in lines():
        reply = desk.send(text)
        assert reply.status in (200, 201), f"{text}: {reply.text}"


def test_every_kind_of_body_has_a_line() -> None:
    values = {"ann": "1", "instance": "1", "held": "1", "task": "1"}
    shown = [parsed(text, values) for text in lines()]
    bodies: dict[str, bool] = {}
    for endpoint in endpoints():
        if endpoint.body is None or not endpoint.path.startswith(PREFIX) or OF_DRAFTS in endpoint.path:
            continue
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", endpoint.path.removeprefix(PREFIX)))
        is_shown = any(line.method == endpoint.method and pattern.fullmatch(line.path) for line in shown)
        name = endpoint.body.__name__
        bodies[name] = bodies.get(name, False) or is_shown
    assert {name for name, is_shown in bodies.items() if not is_shown} <= NEED_NO_LINE
