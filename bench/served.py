"""The HTTP API of a rig, in a process of its own, and what one needs to ask it."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from bench.rig import PROCESSES, Rig
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.principals import add_principal
from qflowd.engine.access.tokens import Scope, make_token
from qflowd.model.roles import Role


class Api(NamedTuple):
    """Where it listens, and the process."""

    url: str
    pid: int

    def connect(self) -> http.client.HTTPConnection:
        """A connection, to be used with `get`."""
        return http.client.HTTPConnection(self.url.split("/")[2], timeout=120)


@contextmanager
def served(rig: Rig) -> Iterator[Api]:
    """The API while the block runs; whoever asks is not held up by its rate limit."""
    rig.configure(PROCESSES, '[api]\nbind = "127.0.0.1:0"\nrate = "10000/s"\nburst = 100000\n')
    with (
        (rig.folder / "api.log").open("wb") as log,
        subprocess.Popen([*rig.command, "api"], env=rig.env, cwd=rig.folder, stdout=subprocess.PIPE, stderr=log) as api,
    ):
        try:
            assert api.stdout is not None
            yield Api(api.stdout.readline().decode().split()[-1], api.pid)
        finally:
            api.terminate()


def token_of(rig: Rig) -> str:
    """A token that may do everything in the tenant."""

    def make(tx: Any) -> str:
        actor = Actor("bench", "default")
        principal = add_principal(tx, actor, "bench", "service", Role.ADMIN)
        return make_token(tx, actor, principal, Scope(Role.ADMIN), timedelta(days=1)).text

    return rig.store.transact(make)


def get(connection: http.client.HTTPConnection, path: str, token: str) -> http.client.HTTPResponse:
    """Ask for a path below `/api/v1`; the answer's body is still to be read.

    Raises: SystemExit unless it is given.
    """
    answer = _ask(connection, path, token)
    if answer.status != 200:
        raise SystemExit(f"GET {path}: {json.loads(answer.read())['message']}")
    return answer


def exists(connection: http.client.HTTPConnection, path: str, token: str) -> bool:
    """Whether there is what a path names."""
    answer = _ask(connection, path, token)
    answer.read()
    return answer.status == 200


def _ask(connection: http.client.HTTPConnection, path: str, token: str) -> http.client.HTTPResponse:
    connection.request("GET", f"/api/v1{path}", headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse()
