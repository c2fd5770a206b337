"""A real nginx and a real Caddy in front of a real `qflowd api`, all configured as docs/behind-a-proxy.md says."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import qflowd
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.docs.pages import ROOT, Block, blocks_of
from tests.support.binaries import Unavailable
from tests.support.daemon import until
from tests.support.servers import free_port
from tests.support.web_proxies import certificate, programs, proxy, sign_in_service, trusting

HOST = "market.example.com"
PAGE = ROOT / "docs" / "behind-a-proxy.md"
LANGUAGES = {"nginx": "nginx", "caddy": "caddyfile"}
DEFINITION = {"workflow": "any", "tasks": {"a": {"job": "log", "params": {"message": "x"}}}}


def page_block(language: str, *, is_sso: bool) -> str:
    """The configuration of the page, with single sign-on or without."""
    found: list[Block] = [block for block in blocks_of(PAGE) if block.language == language]
    [text] = [block.text for block in found if ("with single sign-on" in block.text.partition("\n")[0]) == is_sso]
    return text


class Answer(NamedTuple):
    """What came through the proxy."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        return int(self.json["code"])


class Site:
    """What a browser knows of a dashboard behind a proxy: a host, a path, a cookie."""

    def __init__(self, url: str, folder: Path, port: int, cert: Path) -> None:
        self.url, self.folder, self._port, self._tls = url, folder, port, trusting(cert)
        self.headers: dict[str, str] = {}

    def connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(HOST, context=self._tls, timeout=30)
        connection._create_connection = lambda *_args: socket.create_connection(("127.0.0.1", self._port), 30)  # type: ignore[attr-defined]
        return connection

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = self.connect()
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, f"/qflowd{path}", data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.send(method, f"/api/v1{path}", body, **headers)

    def command(self, *args: str) -> str:
        """What a command of qflowd prints."""
        done = subprocess.run(
            [sys.executable, "-m", "qflowd", *args],
            env=os.environ | {"QFLOWD_DATABASE_URL": self.url, "QFLOWD_CONFIG": str(self.folder / "qflowd.toml")},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


@contextmanager
def site(kind: str, url: str, *, is_sso: bool, who: int = 0) -> Iterator[Site]:
    """All of the page on loopback: ports and paths differ, nothing else. `who`: the port of what signs people in."""
    store = Store(url)
    migrate(store)
    store.close()
    with tempfile.TemporaryDirectory(prefix="q-") as name:
        folder, port = Path(name), free_port()
        cert, key = certificate(folder, HOST)
        changes = {
            "127.0.0.1:8080": f"127.0.0.1:{port}",
            "/run/qflowd/api.sock": f"{folder}/api.sock",
            "/etc/ssl/market.pem": str(cert),
            "/etc/ssl/market.key": str(key),
            "127.0.0.1:4180": f"127.0.0.1:{who}",
            "127.0.0.1:9091": f"127.0.0.1:{who}",
        }
        settings = page_block("toml", is_sso=is_sso)
        for old, new in changes.items():
            settings = settings.replace(old, new)
        if kind == "caddy":
            settings = settings.replace("X-Forwarded-User", "Remote-User")
        (folder / "qflowd.toml").write_text(settings)
        environment = os.environ | {"QFLOWD_DATABASE_URL": url, "QFLOWD_CONFIG": str(folder / "qflowd.toml")}
        with (folder / "api.log").open("wb") as log:
            command = [sys.executable, "-m", "qflowd", "api"]
            server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: b"serving" in (folder / "api.log").read_bytes(), 30, what="the server")
            with proxy(kind, page_block(LANGUAGES[kind], is_sso=is_sso), folder, changes) as outside:
                yield Site(url, folder, outside, cert)
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(params=["nginx", "caddy"])
def kind(request: pytest.FixtureRequest) -> str:
    """Without one: skipped, in CI failed."""
    try:
        programs(request.param)
    except Unavailable as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    return str(request.param)


def test_people_sign_in_below_a_path_and_events_come_at_once(kind: str, sqlite_url: str) -> None:
    with site(kind, sqlite_url, is_sso=False) as web:
        assert web.send("GET", "").headers["location"].endswith("/qflowd/")
        page = web.send("GET", "/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        if b"without its dashboard" not in page.body:
            assert b'<base href="/qflowd/">' in page.body

        link = web.command("login-link", "ann", "--role", "define", "--url", f"https://{HOST}/qflowd/")
        assert link.startswith(f"https://{HOST}/qflowd/#code=")
        web.headers = {
            "Origin": f"https://{HOST}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/json",
            "X-Forwarded-For": "6.6.6.6",
        }
        signed_in = web.api("POST", "/login/code", {"code": link.partition("=")[2]})
        cookie, _, attributes = signed_in.headers["set-cookie"].partition("; ")
        assert cookie.startswith("__Host-qflowd=")
        assert "Secure" in attributes
        web.headers["Cookie"] = cookie
        csrf = web.api("GET", "/me").json["data"]["csrf"]
        assert web.api("PUT", "/me", {"theme": "dark"}).code == 40303
        assert web.api("PUT", "/me", {"theme": "dark"}, X_Qflowd_CSRF=csrf, Origin="https://evil.example").code == 40303
        assert web.api("PUT", "/me", {"theme": "dark"}, X_Qflowd_CSRF=csrf).code == 0
        [session] = web.api("GET", "/sessions").json["data"]["items"]
        assert session["address"] == "127.0.0.1", "what a client says of itself is not believed"

        assert "reference/adr" in web.api("GET", "/workflows/reference%2Fadr").json["message"]
        large = web.api("POST", "/workflows", {"definition": "# " + "x" * (2 << 20)}, X_Qflowd_CSRF=csrf)
        assert large.code // 100 in (413, 422), "qflowd itself answers a body of 2 MB"
        if kind == "nginx":  # Caddy has no page for another host
            assert web.api("GET", "/version", Host="evil.example").code == 40304
        assert web.api("GET", "/me", Cookie="", X_Forwarded_User="ann", Remote_User="ann").code == 40101

        stream = web.connect()
        stream.request("GET", "/qflowd/api/v1/stream?topics=instances", headers={"Cookie": cookie})
        events = stream.getresponse()
        read_until(events, "event: snapshot")
        body = {"definition": DEFINITION}
        assert web.api("POST", "/workflows?wait=0", body, X_Qflowd_CSRF=csrf).status in (200, 201, 202)
        with qflowd.connect(sqlite_url) as client, qflowd.Engine(sqlite_url):
            client.submit(job="log", params={"message": "x"}).wait(30)
            read_until(events, "event: delta")
        stream.close()


def read_until(events: http.client.HTTPResponse, what: str) -> None:
    """Lines as they come; a proxy that holds them back would run into the time limit of the socket."""
    while line := events.readline():
        if line.decode().startswith(what):
            return
    raise AssertionError(f"the stream ended before {what}")


def signs_in(kind: str) -> Callable[[str, str], tuple[int, dict[str, str]]]:
    """oauth2-proxy for nginx, Authelia for Caddy: `who=NAME` in the cookie is somebody."""
    header = "X-Auth-Request-Preferred-Username" if kind == "nginx" else "Remote-User"

    def answer(path: str, cookie: str) -> tuple[int, dict[str, str]]:
        if path.startswith("/oauth2/start"):
            return 302, {"Location": f"https://idp.example/?then={path.partition('=')[2]}"}
        if found := re.search(r"who=(\S+)", cookie):
            return (202 if kind == "nginx" else 200), {header: found[1]}
        return 401, {}

    return answer


def test_a_proxy_names_who_it_has_signed_in_and_nobody_else_can(kind: str, sqlite_url: str) -> None:
    with sign_in_service(signs_in(kind)) as who, site(kind, sqlite_url, is_sso=True, who=who) as web:
        web.command("login-link", "ann", "--role", "operate")
        forged = {"X_Forwarded_User": "ann", "Remote_User": "ann"}
        me = web.api("GET", "/me", Cookie="who=ann").json["data"]
        assert (me["principal"], me["role"]) == ("ann", "operate")
        me = web.api("GET", "/me", Cookie="who=bob", **forged).json["data"]
        assert (me["principal"], me["role"]) == ("bob", "read")
        assert web.api("GET", "/me", **forged).status == 401
        assert web.api("PUT", "/me", {}, Cookie="who=ann", Content_Type="application/json").code == 40303
        csrf = {"X_Qflowd_CSRF": "proxy", "Content_Type": "application/json", "Origin": f"https://{HOST}"}
        assert web.api("PUT", "/me", {}, Cookie="who=ann", **csrf).code == 0
        if kind == "nginx":
            page = web.send("GET", "/")
            assert (page.status, page.headers["location"]) == (302, "https://idp.example/?then=/qflowd/")
            assert web.send("GET", "/", Cookie="who=bob").status == 200
            token = web.command("token", "create", "nightly", "--role", "read")
            me = web.api("GET", "/me", Authorization=f"Bearer {token}", **forged).json["data"]
            assert me["principal"] == "nightly"
        assert stat.S_IMODE((web.folder / "api.sock").stat().st_mode) == 0o660
