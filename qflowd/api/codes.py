"""Every code that an answer may carry. The HTTP status is the code without its last two digits."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SUCCESS: Final = 0

CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        SUCCESS: "success",
        40001: "the body is not JSON",
        40002: "a query parameter is unknown, or its value cannot be read",
        40003: "the cursor belongs to another query",
        40004: "the request is not HTTP",
        40101: "no credentials",
        40102: "the token is unknown, expired or revoked",
        40103: "the session has ended",
        40301: "the role does not allow it",
        40302: "the job or workflow is not on the caller's list",
        40303: "the request does not prove that it comes from the dashboard",
        40304: "the Host header names a host that is not served here",
        40305: "this server only reads",
        40401: "there is no such thing",
        40501: "the path has no such method",
        40801: "the body did not arrive in time",
        40901: "the state does not allow it",
        40902: "the name is taken",
        40903: "it is in use",
        40904: "the version is not a DRAFT",
        40905: "the idempotency key was used with other content",
        40906: "a file owns it",
        40907: "the set has changed since the dry run",
        40908: "another instance of the workflow holds the business date",
        41201: "If-Match names an older state",
        41301: "the body is too large",
        41501: "the body is not application/json",
        42201: "params do not fit their schema",
        42202: "the document or body has faults",
        42203: "the tasks form a cycle",
        42204: "a job, type or other name is unknown",
        42205: "an expression cannot be used",
        42206: "the search must be narrowed",
        42801: "If-Match is missing",
        42901: "too many requests",
        42902: "a quota is used up",
        42903: "too many streams",
        43101: "the headers are too large",
        50001: "a fault of qflowd; the request id finds it in the log",
        50002: "the server's account of the database lacks a grant",
        50301: "the database cannot be reached",
        50302: "the query took too long",
        50303: "the server is not ready: its database has another schema",
        50304: "the server has too many connections",
    }
)


def status_of(code: int) -> int:
    """The HTTP status of an answer with this code, which is not 0."""
    return code // 100
