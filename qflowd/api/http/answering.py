"""From a request to an answer, in a thread: may the caller ask it, what does it say, what does the handler return."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from qflowd.api.access.csrf import check_origin
from qflowd.api.access.hidden import AWAY, sees_names
from qflowd.api.access.other_tenant import other_tenant
from qflowd.api.answers import (
    JSON,
    ApiAnswer,
    ApiFault,
    Text,
    Unanswered,
    Wait,
    enveloped,
    enveloped_fault,
    fault_of,
    weak_etag,
)
from qflowd.api.call import Call
from qflowd.api.codes import CODES
from qflowd.api.live.stream import STREAM_HEADERS, Live
from qflowd.api.reading import names_etag, quoted, read_body, read_path, read_query
from qflowd.api.routing import Endpoint
from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.model import jsontext
from qflowd.model.errors import GrantsMissing, QueryTooSlow, StoreUnavailable
from qflowd.model.roles import Role

log = logging.getLogger("qflowd.api")
LONGEST_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Sendable:
    """An answer as it goes over the wire. `body` may be parts, which are read while they are sent."""

    status: int
    headers: list[tuple[str, str]]
    body: Any
    principal: str = ""


def respond(endpoint: Endpoint, call: Call, params: dict[str, str]) -> Any:
    """Answer a request: a Sendable, or a Waiting. Never raises."""
    try:
        return _handled(call, endpoint, params)
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
        return failed(call, error)


def refuse_unread(endpoint: Endpoint, call: Call) -> None:
    """May the caller ask this at all, whatever the body says?

    Raises: ApiFault 40301, 40303, 40305.
    """
    call.refuse_below(endpoint.role, f"{endpoint.method} {endpoint.path}")
    check_origin(call, endpoint.role)
    if endpoint.is_write and call.config.read_only and endpoint.role > Role.NONE:
        raise ApiFault(40305, "this server only reads ([api] read_only); write through another one, by SQL or the CLI")


def _handled(call: Call, endpoint: Endpoint, params: dict[str, str]) -> Any:
    arguments: dict[str, Any] = read_path(params, endpoint.path_types, endpoint.path)
    pairs = _take_common(call)
    if endpoint.query is not None:
        arguments["query"] = read_query(pairs, endpoint.query)
    elif pairs:
        raise ApiFault(40002, f"{pairs[0][0]}: {endpoint.method} {endpoint.path} takes no such parameter")
    if endpoint.body is not None:
        content_type = call.request.headers.get("content-type", "")
        arguments["body"] = read_body(call.request.body, content_type, endpoint.body)
    with knowing(TenantToo(call.client.calendars)):
        returned = endpoint.handler(call, **arguments)
    if isinstance(returned, Wait):
        return Waiting(call, returned)
    return finished(call, returned)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that is not there yet; `look` and `give_up` are blocking functions, for a thread."""

    call: Call
    wait: Wait

    def look(self) -> Sendable | None:
        """The answer, if it is there. What cannot be read now may be there in a moment, and a write is not to be repeated."""
        answer = self._run(self.wait.ask)
        return None if self._is_unread(answer) else answer

    def give_up(self) -> Sendable:
        """The answer when the time is over."""
        answer = self._run(self.wait.otherwise)
        if self._is_unread(answer):
            answer = finished(self.call, self.wait.written)
        return answer or failed(self.call, AssertionError("a wait ended without an answer"))

    def _is_unread(self, answer: Sendable | None) -> bool:
        return answer is not None and answer.status == 503 and self.wait.written is not None

    def _run(self, ask: Callable[[], Any]) -> Sendable | None:
        try:
            returned = ask()
            return None if returned is None else finished(self.call, returned)
        except Exception as error:  # noqa: BLE001 - as in `respond`
            return failed(self.call, error)


def finished(call: Call, returned: Any) -> Sendable:
    """What a handler returned, as it is sent."""
    base = [("x-request-id", call.request.request_id)]
    who = call.caller.principal
    if isinstance(returned, Text):
        return Sendable(
            returned.status, [*base, ("content-type", returned.type), *returned.headers.items()], returned.parts, who
        )
    if isinstance(returned, Live):
        return Sendable(200, [*base, *STREAM_HEADERS], b"" if call.request.method == "HEAD" else returned, who)
    answer = returned if isinstance(returned, ApiAnswer) else ApiAnswer(returned)
    body = enveloped(answer.data, answer.message)
    headers = [*base, ("content-type", JSON), *answer.headers.items()]
    headers += [("set-cookie", cookie) for cookie in answer.cookies]
    if call.request.method in ("GET", "HEAD") and answer.status == 200:
        etag = quoted(answer.etag) if answer.etag else weak_etag(answer)
        headers.append(("etag", etag))
        if names_etag(call.request.headers.get("if-none-match", ""), etag):
            return Sendable(304, [pair for pair in headers if pair[0] != "content-type"], b"", who)
    elif answer.etag:
        headers.append(("etag", quoted(answer.etag)))
    return Sendable(answer.status, headers, body, who)


def failed(call: Call, error: Exception) -> Sendable:
    """An error, as it is sent; one that is a fault of qflowd itself is logged with all there is to know."""
    request_id = call.request.request_id
    fault = fault_of(error)
    if isinstance(error, StoreUnavailable) and not isinstance(error, (Unanswered, QueryTooSlow)):
        log.warning("request %s: %s", request_id, error)
        if not sees_names(call):
            fault = ApiFault(50301, AWAY, headers={"Retry-After": "2"})
    if isinstance(error, GrantsMissing):
        log.error("request %s: %s", request_id, error)
        if not sees_names(call):
            fault = ApiFault(50002, f"{CODES[50002]}; the server's log has it under request {request_id}")
    if fault is None:
        log.error("request %s: %s %s", request_id, call.request.method, call.request.path, exc_info=error)
        fault = ApiFault(50001, f"a fault of qflowd; the server's log has it under request {request_id}")
    headers = [("x-request-id", request_id), ("content-type", JSON), *fault.headers.items()]
    if fault.status == 401:
        headers.append(("www-authenticate", "Bearer"))
    return Sendable(fault.status, headers, enveloped_fault(fault, request_id), call.caller.principal)


def _take_common(call: Call) -> list[tuple[str, str]]:
    """The query parameters without those that every route knows: `wait` and `tenant`."""
    left = []
    for name, text in call.request.query:
        if jsontext.fault_in_text(name + text):
            raise ApiFault(40002, f"{jsontext.clean_text(name)}: is not UTF-8, or contains NUL, which is in no name")
        if name == "wait":
            call.wait_s = _seconds(text)
        elif name == "tenant":
            call.other_tenant = other_tenant(call, text)
        else:
            left.append((name, text))
    return left


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise ApiFault(40002, f"wait: must be seconds from 0 to {LONGEST_WAIT_S:.0f}, not {text[:60]!r}")
    return seconds
