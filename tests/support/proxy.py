"""A TCP proxy in front of a database server that does what networks do: it cuts, and it swallows the reply to a COMMIT.

with Proxy(server.port) as proxy:
    proxy.lose_reply("done_fence")     # the next transaction that says so commits, and its client never hears of it
    proxy.lost                          # how many replies were lost
    proxy.hang_up_on("VERSION()")       # the next session that says so is cut, its words unheard
    proxy.cut()                         # all connections, now
    proxy.swallow()                     # what these connections carry from now on; new ones are as usual
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from typing import Self

_BEGINNINGS = (b"BEGIN", b"START TRANSACTION")
_MOST_KEPT = 1 << 20
# PostgreSQL's protocol: what was parsed under a name is bound by that name, and its words are not said again.
_PARSE = re.compile(rb"P.{4}(\w+)\0([^\0]+)\0", re.DOTALL)
_BIND = re.compile(rb"B.{4}\0(\w+)\0", re.DOTALL)


class _Link:
    """One client and its connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.said = bytearray()  # by the client, since the transaction began
        self.prepared: dict[bytes, bytes] = {}  # texts by name
        self.is_losing = False
        self.is_swallowing = False

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.close()


class Proxy:
    """Forwards a free loopback port to `port`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._links: dict[socket.socket, _Link] = {}
        self._lock = threading.RLock()
        self._wanted: list[tuple[bytes, ...]] = []
        self._unheard: list[bytes] = []
        self._is_open = True
        self.lost = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def lose_reply(self, *words: str) -> None:
        """Swallow the reply to the COMMIT of the next transaction in which the client says all of `words`."""
        with self._lock:
            self._wanted.append(tuple(word.encode() for word in words))

    def hang_up_on(self, words: str) -> None:
        """Cut the next session whose client says these words; they do not reach the server."""
        with self._lock:
            self._unheard.append(words.encode())

    def cut(self) -> int:
        """Close all connections; returns how many there were."""
        with self._lock:
            links = set(self._links.values())
            for link in links:
                self._drop(link)
            return len(links)

    def swallow(self) -> None:
        """From now on nothing comes through on today's connections, and nobody hangs up."""
        with self._lock:
            for link in self._links.values():
                link.is_swallowing = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._thread.join(5)
        self.cut()
        self._selector.close()
        self._listener.close()

    def _run(self) -> None:
        while self._is_open:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif (link := self._links.get(key.fileobj)) is not None:  # type: ignore[call-overload]
                        self._carry(link, key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            link = _Link(client, socket.create_connection(("127.0.0.1", self._target), 5))
        except OSError:
            client.close()
            return
        for end in (link.client, link.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._links[end] = link
            self._selector.register(end, selectors.EVENT_READ)

    def _carry(self, link: _Link, end: socket.socket) -> None:
        try:
            data = end.recv(1 << 18)
            if not data:
                self._drop(link)
            elif link.is_swallowing:
                pass
            elif end is link.client and (words := next(filter(data.__contains__, self._unheard), None)):
                self._unheard.remove(words)
                self._drop(link)
            elif end is link.client:
                self._listen_in(link, data)
                link.server.sendall(data)
            elif link.is_losing:
                self.lost += 1
                self._drop(link)  # the server has answered, so it is committed
            else:
                link.client.sendall(data)
        except OSError:
            self._drop(link)

    def _listen_in(self, link: _Link, data: bytes) -> None:
        if any(word in data[:64] for word in _BEGINNINGS):
            link.said.clear()
        link.prepared.update(_PARSE.findall(data))
        if len(link.said) < _MOST_KEPT:
            link.said += data + b"".join(link.prepared.get(name, b"") for name in _BIND.findall(data))
        if b"COMMIT" not in data[:32]:
            return
        for words in self._wanted:
            if all(word in link.said for word in words):
                self._wanted.remove(words)
                link.is_losing = True
                return

    def _drop(self, link: _Link) -> None:
        for end in (link.client, link.server):
            if self._links.pop(end, None) is not None:
                self._selector.unregister(end)
        link.close()
