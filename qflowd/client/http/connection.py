"""Requests to an HTTP API: TLS verified, no redirects, bounded in time, repeated where that is safe."""

import ipaddress
import itertools
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from qflowd.client.http.faults import ApiReply, error_of, is_passing, read_reply
from qflowd.model.errors import InvalidRequest, QflowdError, StoreUnavailable

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0  # beside what a request asks the server to wait
PATIENCE_S: Final = 20.0  # for a server that is away, or says to come again
LONGEST_PAUSE_S: Final = 2.0


class ApiConnection:
    """An HTTP API, asked with one token, which stands in no message and no `repr`. May be shared by threads.

    A request is repeated for up to 20 s while its failure is of the passing kind. So it must be safe to repeat: a GET, or
    a POST with an idempotency key.
    """

    def __init__(self, url: str, token: str) -> None:
        """`url`: such as `https://host/base`. Raises: InvalidRequest."""
        self.url = checked_url(url)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise InvalidRequest("the token is not one: it has blanks, or characters other than ASCII")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "User-Agent": "qflowd"}
        # To read the certificates that a machine trusts takes longer than most requests.
        trusted = ssl.create_default_context() if urlsplit(self.url).scheme == "https" else None
        self._pool = urllib3.PoolManager(8, headers=headers, ssl_context=trusted, retries=False, maxsize=8)

    def __repr__(self) -> str:
        return f"<qflowd API at {self.url}>"

    def get(self, path: str, query: Mapping[str, Any], wait_s: float = 0.0, *, is_first: bool = False) -> ApiReply:
        """The answer to a GET of a path below /api/v1.

        Args:
            wait_s: how long the server may wait for what is asked.
            is_first: so that a server that is not there is told at once.

        Raises: what the answer says, see `faults`; StoreUnavailable if there is none.
        """
        asked = dict(query) | ({"wait": f"{wait_s:.3f}"} if wait_s else {})
        return self._ask("GET", path, asked, None, {}, ANSWER_S + wait_s, 0.0 if is_first else PATIENCE_S)

    def post(self, path: str, query: Mapping[str, Any], body: bytes, key: str | None) -> ApiReply:
        """The answer to a POST that the server carries out once for each `key`; None: the body has one. Raises: as `get`."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        return self._ask("POST", path, query, body, headers, ANSWER_S, PATIENCE_S)

    def close(self) -> None:
        """Close the connections that are open."""
        self._pool.clear()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: bytes | None,
        headers: Mapping[str, str],
        answer_s: float,
        patience_s: float,
    ) -> ApiReply:
        address = f"{self.url}/api/v1/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        until = urllib3.Timeout(connect=CONNECT_S, read=answer_s)
        sent = {**self._pool.headers, **headers}
        end = time.monotonic() + patience_s
        for pause_s in _pauses():
            try:
                answer = self._pool.request(method, address, body=body, headers=sent, timeout=until, redirect=False)
            except urllib3.exceptions.HTTPError as error:
                failure: QflowdError = StoreUnavailable(f"{self.url} does not answer: {_words(error)}")
                if isinstance(error, urllib3.exceptions.SSLError):
                    raise failure from None
                again_s = pause_s
            else:
                reply = self._read(answer)
                if reply.code == 0:
                    return reply
                failure = error_of(answer.status, reply)
                if not is_passing(answer.status, reply):
                    raise failure
                again_s = max(pause_s, _seconds(answer.headers.get("Retry-After")))
            if time.monotonic() + again_s > end:
                raise failure
            time.sleep(again_s)
        raise AssertionError  # the pauses do not end

    def _read(self, answer: urllib3.BaseHTTPResponse) -> ApiReply:
        """Raises: InvalidRequest for a redirect: a token is not sent on to where it was not meant to go."""
        if 300 <= answer.status < 400:
            to = answer.headers.get("Location", "another address")
            raise InvalidRequest(f"{self.url} redirects to {to}; if that is right, connect there")
        return read_reply(answer.status, answer.data, self.url)


def checked_url(url: str) -> str:
    """The URL without a slash at its end.

    Raises: InvalidRequest if it is none, or would carry the token over a network in the clear.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidRequest(f"{url!r} cannot be read as a URL: {error}") from None
    if not host or parts.scheme not in ("http", "https"):
        raise InvalidRequest(f"{url!r} is not the URL of an API; write https://HOST, or https://HOST/BASE_PATH")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidRequest("the URL of an API is https://HOST/BASE_PATH alone; the token is given by itself")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidRequest(f"http://{host} would send the token in the clear; use https://, or http:// on loopback")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pauses() -> Iterator[float]:
    """Seconds between two tries, ever longer; each client's own, so that not all come back together."""
    for n in itertools.count():
        yield min(0.1 * 2**n, LONGEST_PAUSE_S) * random.uniform(0.75, 1.25)


def _seconds(text: str | None) -> float:
    """Of a header Retry-After; a date there counts as nothing: our own servers send seconds."""
    return float(text) if text is not None and text.isdecimal() else 0.0


def _words(error: Exception) -> str:
    """What went wrong, without the names of classes and objects that urllib3 puts before it."""
    if "Connection refused" in str(error):
        return "the connection was refused; is `qflowd api` running there?"
    return str(error).rpartition(">: ")[2].removeprefix("Failed to establish a new connection: ")
