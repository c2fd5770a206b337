"""The HTTP server for tests: a real one on a free port, in a thread; and a plain client that knows the envelope.

with ApiServer(url) as api:
    reply = api.get("/instances?state=FAILED")       # as a system principal; reply.status, .code, .data, .message
    api.as_(Role.READ, tenant="desk").post("/workflows/daily/start", {"params": {}})
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from qflowd.api.http import server
from qflowd.api.http.app import Api
from qflowd.config import from_settings
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.principals import add_principal
from qflowd.engine.access.tokens import Scope, make_token
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.daemon import ROOT, until

if TYPE_CHECKING:
    from tests.conftest import GetServer


@dataclass(frozen=True)
class Reply:
    """An answer. `code`, `message`, `data` are those of the envelope; `body` is what came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def code(self) -> int:
        return int(self.envelope["code"])

    @property
    def message(self) -> str:
        return str(self.envelope["message"])

    @property
    def data(self) -> Any:
        return self.envelope["data"]

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class HttpClient:
    """Sends requests as one caller; paths that do not begin with /api, /scheduling or a health check are below /api/v1."""

    port: int
    token: str | None = None
    headers: Mapping[str, str] | None = None
    host: str = "127.0.0.1"

    def request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        sent = dict(self.headers or {})
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        is_whole = path.startswith(("/api/", "/scheduling/", "/healthz", "/readyz")) or path == "/"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=90)
        try:
            connection.request(method, path if is_whole else f"/api/v1{path}", data, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, None, _dashed(headers))

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.request("POST", path, {} if body is None else body, _dashed(headers))

    def put(self, path: str, body: Any, **headers: str) -> Reply:
        return self.request("PUT", path, body, _dashed(headers))

    def delete(self, path: str, **headers: str) -> Reply:
        return self.request("DELETE", path, None, _dashed(headers))


class ApiServer(HttpClient):
    """The server over the store at `url`, whose schema it makes, and a client of it as a system principal.

    `settings`: keys of `[api]`.
    """

    def __init__(self, url: str, settings: Mapping[str, Any] | None = None) -> None:
        self.url = url
        generous = {"bind": "127.0.0.1:0", "rate": "100000/s", "burst": 100_000}
        config = from_settings({"database": {"url": url}, "api": generous | dict(settings or {})})
        self.store = Store(url)
        migrate(self.store)
        self._listening = server.listen(config.api.bind)
        self.api = Api(Store(url, read_s=config.api.query_timeout), config.api)
        self._server = server.Server(self.api, config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listening],))
        self._principals = 0
        super().__init__(self._listening.getsockname()[1], self.token_of(Role.SYSTEM))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the client is frozen, the server is not

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started, 10, what="the server to listen")
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.api.close()
        self.store.close()
        with contextlib.suppress(OSError):
            self._listening.close()

    def count_connections(self) -> int:
        """Those that clients have open."""
        return len(self._server.server_state.connections)

    def token_of(self, role: Role, tenant: str = DEFAULT_TENANT, **scope: Any) -> str:
        """A token of a new principal with this role."""
        self._principals += 1
        name = f"{role.word}-{self._principals}"
        actor = Actor("tests", tenant)

        def make(tx: Any) -> str:
            principal = add_principal(tx, actor, name, "service", role)
            return make_token(tx, actor, principal, Scope(role, **scope), timedelta(days=1)).text

        return self.store.transact(make)

    def as_(self, role: Role, tenant: str = DEFAULT_TENANT, **scope: Any) -> HttpClient:
        """A client of another principal; `scope`: `workflows`, `jobs`, `networks` of its token."""
        return HttpClient(self.port, self.token_of(role, tenant, **scope))

    def anonymous(self, **headers: str) -> HttpClient:
        """A client without credentials."""
        return HttpClient(self.port, None, _dashed(headers))

    def with_(self, **headers: str) -> HttpClient:
        """This client, with more headers."""
        return replace(HttpClient(self.port, self.token), headers=_dashed(headers))


class ApiProcess:
    """`qflowd api` as a process of its own, on a free port; `settings`: more lines of `[api]`."""

    def __init__(self, url: str, folder: Path, settings: str = "") -> None:
        lines = f'[api]\nbind = "127.0.0.1:0"\nrate = "1000/s"\nburst = 10000\n{settings}'
        (folder / "qflowd.toml").write_text(lines)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
        environment |= {"QFLOWD_DATABASE_URL": url, "QFLOWD_CONFIG": str(folder / "qflowd.toml")}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        self.log = folder / "api.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "qflowd", "api"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        self.port = int(until(self._port, 30, what="the server to say where it listens"))

    def _port(self) -> str:
        found = re.findall(r"http://127\.0\.0\.1:(\d+)/", self.log.read_text())
        return found[-1] if found else ""

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    """`if_match` as `If-Match`."""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def server_of(kind: str, get_server: GetServer) -> Iterator[ApiServer]:
    """A server with a system principal, over an empty store."""
    server = get_server(kind)
    url = server.create_store()
    with ApiServer(url) as found:
        yield found
    server.start().give_back(url)
