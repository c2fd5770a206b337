"""`qflowd api`: the socket, uvicorn, and the way to the end."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from qflowd.api.http.app import Api
from qflowd.api.http.slow_clients import HttpProtocol
from qflowd.client.requests import who
from qflowd.config.bind import Bind
from qflowd.config.records import Config
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import make_first_code
from qflowd.engine.access.principals import is_any
from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.store import migrate
from qflowd.store.tx import Store

log = logging.getLogger("qflowd.api")
BACKLOG = 256
MOST_CONNECTIONS = 512


class AddressTaken(QflowdError):
    """The server cannot listen where it should."""


def serve(
    config: Config,
    *,
    when_ready: Callable[[str], None] = lambda _url: None,
    show_link: Callable[[str], None] | None = None,
    ends_with: int | None = None,
) -> int:
    """Listen until SIGTERM or SIGINT; returns the exit code 0.

    Args:
        when_ready: called with the address once requests are answered.
        show_link: called with the link that makes the administrator, on loopback and while nobody can sign in. It must lead to
            a person's eyes alone; None: nobody is looking.
        ends_with: a descriptor; it stops when the other side has closed it.

    Raises: AddressTaken; SchemaOutdated, SchemaTooNew. A database that is away is waited for: requests say 50301.
    """
    listening = listen(config.api.bind, is_tls=config.api.tls_cert is not None)
    own = file_of(config.api.bind)
    store = Store(config.database.url, read_s=config.api.query_timeout, follows_clock=True)
    is_new = False  # nobody can sign in yet
    try:
        with contextlib.suppress(StoreUnavailable):
            migrate.check(store)
            is_new = config.api.trusted_header is None and not store.read(is_any)
        store.disconnect()  # the loop's thread asks nothing more
        api = Api(store, config.api)
        is_near = config.api.bind.is_local and config.api.bind.socket is None
        address = address_of(listening, config)

        def greet() -> None:
            log.info("serving %s", address)
            when_ready(address)
            if is_new and (show_link is None or not is_near):  # a log is kept, and read by others
                log.info("nobody can sign in yet; `qflowd login-link admin --role system` makes a link that does")
            elif is_new and show_link is not None:
                # Not here: a database that stands still would keep the loop from its requests, and from SIGTERM.
                api.threads.submit(_invite, store, address, show_link)

        server = Server(api, config, greet, ends_with)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ended)
        server.run([listening])
        api.close()
    finally:
        listening.close()
        store.close()
        remove_file(config.api.bind, own)
    return 0


def file_of(bind: Bind) -> tuple[int, int, int] | None:
    """What tells the file of its socket from another one of that name; None without one."""
    try:
        found = os.stat(str(bind.socket)) if bind.socket is not None else None  # noqa: PTH116 - by the name that was bound
    except FileNotFoundError:
        return None
    return None if found is None else (found.st_dev, found.st_ino, found.st_ctime_ns)


def remove_file(bind: Bind, own: tuple[int, int, int] | None) -> None:
    """Remove the file of a socket that was closed, `own`, unless a successor has replaced it: it listens there already."""
    if own is not None and file_of(bind) == own:
        os.unlink(str(bind.socket))  # noqa: PTH108 - as above


def address_of(listening: socket.socket, config: Config) -> str:
    """The URL of a server on this socket, as a browser on this host takes it."""
    api = config.api
    if api.bind.socket is not None:
        return f"{api.bind}"
    port = listening.getsockname()[1]
    host = "127.0.0.1" if api.bind.host == "0.0.0.0" else str(Bind(api.bind.host, port)).rpartition(":")[0]  # noqa: S104 - compared
    return f"{'https' if api.tls_cert else 'http'}://{host}:{port}{api.base_path}/"


class Server(uvicorn.Server):
    """Says when it is ready, and ends streams and waits before it waits for connections: uvicorn would wait for them to end."""

    def __init__(
        self, api: Api, config: Config, when_ready: Callable[[], None] = lambda: None, ends_with: int | None = None
    ) -> None:
        super().__init__(_settings(api, config, self._is_crowded))
        self._api, self._when_ready, self._ends_with = api, when_ready, ends_with

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ends_with is not None:
            asyncio.get_running_loop().add_reader(self._ends_with, self._end, self._ends_with)
        if self.started:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._api.hub.close()
        self._api.ending.set()
        await super().shutdown(sockets)

    def _is_crowded(self) -> bool:
        return len(self.server_state.connections) > MOST_CONNECTIONS

    def _end(self, descriptor: int) -> None:
        if not os.read(descriptor, 1024):
            self.should_exit = True
            asyncio.get_running_loop().remove_reader(descriptor)


def _ended(_number: int, _frame: object) -> None:
    """Uvicorn raises the signal that ended it once more, which would kill the process."""


def _invite(store: Store, address: str, show_link: Callable[[str], None]) -> None:
    """Show the link by which the administrator signs in, while nobody can."""
    with contextlib.suppress(StoreUnavailable):
        if code := store.transact(lambda tx: make_first_code(tx, Actor(who()))):
            why = "nobody can sign in yet; this link makes the administrator, once, within 15 minutes"
            show_link(f"{why}:\n{address}#code={code}")


def _settings(api: Api, config: Config, is_crowded: Callable[[], bool]) -> uvicorn.Config:
    tls: dict[str, Any] = {}
    if config.api.tls_cert is not None:
        tls = {"ssl_certfile": str(config.api.tls_cert), "ssl_keyfile": str(config.api.tls_key)}
    # Not `limit_concurrency`: uvicorn answers a line of text, which no client of the API can read.
    return uvicorn.Config(
        api.app(is_crowded),
        http=HttpProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=3,
        **tls,
    )


def listen(bind: Bind, *, is_tls: bool = False) -> socket.socket:
    """A socket that listens there. `is_tls`: how one that does already would speak. Raises: AddressTaken."""
    try:
        if bind.socket is not None:
            return _listen_locally(bind)
        host = bind.host.encode() if bind.host.isascii() else bind.host  # for a str Python loads its tables of Unicode
        family, _, _, _, address = socket.getaddrinfo(host, bind.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address, family=family, backlog=BACKLOG)
        # Connections inherit it; asyncio sets it only where the protocol is named. Without it an answer waits 40 ms for an ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setblocking(False)
        return listening
    except OSError as error:
        why, remedy = str(error), "set [api] bind to another address"
        if error.errno == errno.EADDRINUSE:
            from qflowd.api.http import neighbour  # a client of HTTP, which a server that listens needs no memory for

            why = "another program listens there"
            if neighbour.is_qflowd(bind, is_tls=is_tls):
                why = "a qflowd API listens there already (with [api] enabled, `qflowd run` starts one)"
                remedy = "use that one, or give this one another address: [api] bind, or --bind"
        raise AddressTaken(f"cannot listen on {bind}: {why}; {remedy}") from None


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
