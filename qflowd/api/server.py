"""`qflowd api`: the socket, uvicorn, and the way to the end."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from qflowd.api.app import Api
from qflowd.config.bind import Bind
from qflowd.config.records import Config
from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.store import migrate
from qflowd.store.tx import Store

log = logging.getLogger("qflowd.api")
BACKLOG = 256
MOST_CONNECTIONS = 512


class AddressTaken(QflowdError):
    """The server cannot listen where it should."""


def serve(config: Config, *, when_ready: Callable[[str], None] = lambda _url: None) -> int:
    """Listen until SIGTERM or SIGINT; returns the exit code 0.

    Args:
        when_ready: called with the address once requests are answered.

    Raises: AddressTaken; SchemaOutdated, SchemaTooNew. A database that is away is waited for: requests say 50301.
    """
    listening = _listen(config.api.bind)
    store = Store(config.database.url)
    try:
        with contextlib.suppress(StoreUnavailable):
            migrate.check(store)
        api = Api(store, config.api)
        server = _Server(_settings(api, config), lambda: when_ready(address_of(listening, config)))
        server.run([listening])
        api.close()
    finally:
        listening.close()
        store.close()
        if config.api.bind.socket is not None:
            config.api.bind.socket.unlink(missing_ok=True)
    return 0


def address_of(listening: socket.socket, config: Config) -> str:
    """The URL of a server on this socket, as a browser on this host takes it."""
    api = config.api
    if api.bind.socket is not None:
        return f"{api.bind}"
    port = listening.getsockname()[1]
    host = "127.0.0.1" if api.bind.host == "0.0.0.0" else str(Bind(api.bind.host, port)).rpartition(":")[0]  # noqa: S104 - compared
    return f"{'https' if api.tls_cert else 'http'}://{host}:{port}{api.base_path}/"


class _Server(uvicorn.Server):
    """Says when it is ready, and has streams ended before it waits for connections."""

    def __init__(self, settings: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(settings)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_ready()


def _settings(api: Api, config: Config) -> uvicorn.Config:
    tls: dict[str, Any] = {}
    if config.api.tls_cert is not None:
        tls = {"ssl_certfile": str(config.api.tls_cert), "ssl_keyfile": str(config.api.tls_key)}
    return uvicorn.Config(
        api.app(),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=3,
        **tls,
    )


def _listen(bind: Bind) -> socket.socket:
    try:
        if bind.socket is not None:
            return _listen_locally(bind)
        family, _, _, _, address = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address, family=family, backlog=BACKLOG)
        listening.setblocking(False)
        return listening
    except OSError as error:
        why = "another program listens there" if error.errno == errno.EADDRINUSE else str(error)
        raise AddressTaken(f"cannot listen on {bind}: {why}; set [api] bind to another address") from None


def _listen_locally(bind: Bind) -> socket.socket:
    """A socket in the file system, for its owner and group; one that nobody listens on any more is replaced."""
    path = str(bind.socket)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(path) == errno.ECONNREFUSED:
            os.unlink(path)  # noqa: PTH108 - a socket, by the name that was bound
    mask = os.umask(0o117)
    try:
        listening.bind(path)
    finally:
        os.umask(mask)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
