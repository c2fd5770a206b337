"""What arrives: the path below the base path with slashes inside segments kept, the caller's address, a bounded body."""

import asyncio
import re
import secrets
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, unquote

from starlette.types import ASGIApp, Receive, Scope, Send

from qflowd.api.answers import ApiFault
from qflowd.api.call import HttpRequest
from qflowd.config.records import ApiConfig

SLOWEST_BODY_S: Final = 30.0
LARGEST_HEADERS: Final = 64 << 10  # bytes of names and values together
MOST_HEADERS: Final = 200
_ABSOLUTE: Final = re.compile(rb"https?://(?P<host>[^/]*)(?P<path>/.*)?", re.IGNORECASE)
_SLASH: Final = re.compile(rb"%2f", re.IGNORECASE)


class BasePath:
    """Makes the path of a request that below the base path, whether a proxy has cut it off or not.

    A target may be a whole address, `http://host/path`.

    `%2F` inside a segment becomes `~1`, which is in no key, so it does not end the segment.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app, self._base = app, base_path.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw = bytes(scope.get("raw_path") or scope["path"].encode())
            if absolute := _ABSOLUTE.fullmatch(
                raw
            ):  # as proxies are sent it; the address then counts, not the header Host
                host, raw = absolute["host"], absolute["path"] or b"/"
                scope = {
                    **scope,
                    "headers": [(b"host", host), *(pair for pair in scope["headers"] if pair[0] != b"host")],
                }
            if self._base and (raw == self._base or raw.startswith(self._base + b"/")):
                raw = raw[len(self._base) :] or b"/"
            path = unquote(_SLASH.sub(b"~1", raw).decode("ascii", "replace"), errors="replace")
            scope = {**scope, "path": path, "raw_path": raw, "root_path": ""}
        await self._app(scope, receive, send)


def request_of(scope: Scope, config: ApiConfig) -> HttpRequest:
    """The request that a scope describes, without its body."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers and key != "cookie" else text
    address = scope["client"][0] if scope.get("client") else ""
    is_from_proxy = not address or _is_trusted(address, config)
    is_tls = scope.get("scheme") == "https"
    if _is_trusted(address, config):
        is_tls = headers.get("x-forwarded-proto", "https" if is_tls else "http").strip().lower() == "https"
        address = _behind_proxies(address, headers.get("x-forwarded-for", ""), config)
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    return HttpRequest(
        scope["method"],
        scope["path"],
        query,
        headers,
        b"",
        address,
        secrets.token_hex(8),
        is_tls=is_tls,
        is_from_proxy=is_from_proxy,
    )


def check_headers(request: HttpRequest) -> None:
    """Raises: ApiFault 43101 if they are too many to look at."""
    headers = request.headers
    if len(headers) > MOST_HEADERS or sum(len(name) + len(text) for name, text in headers.items()) > LARGEST_HEADERS:
        what = f"the headers are more than {MOST_HEADERS}, or larger than {LARGEST_HEADERS >> 10} KB"
        raise ApiFault(43101, what, headers={"Connection": "close"})


def check_length(request: HttpRequest, largest: int) -> None:
    """Raises: ApiFault 41301 if the body says that it is larger than `largest` bytes."""
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > largest:
        raise _too_large(largest)


async def receive_body(receive: Receive, largest: int) -> bytes:
    """The body of a request.

    Raises: ApiFault 41301 if it is larger than `largest` bytes, 40801 if it does not come within `SLOWEST_BODY_S`,
    40001 if its client has gone: the server then drops what has come, so nobody knows what it said.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(SLOWEST_BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ApiFault(40001, "the client has gone before its body was read; nothing was done")
                part = message.get("body", b"")
                parts.append(part)
                size += len(part)
                if size > largest:
                    raise _too_large(largest)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise ApiFault(40801, f"the body did not arrive within {SLOWEST_BODY_S:.0f} s") from None


def _too_large(largest: int) -> ApiFault:
    return ApiFault(41301, f"the body has more than {largest:,} bytes")


def _is_trusted(address: str, config: ApiConfig) -> bool:
    if not address:
        return bool(config.trusted_proxies)  # a socket of this host: only a proxy is behind it
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in config.trusted_proxies)


def _behind_proxies(address: str, forwarded: str, config: ApiConfig) -> str:
    """The last address that is not one of our proxies'."""
    chain = [each.strip() for each in forwarded.split(",") if each.strip()]
    while chain and _is_trusted(address, config):
        address = chain.pop()
    return address
