"""Answers that are errors: which exception says the same as over a database, and whether asking again may help."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from qflowd.model.errors import (
    AccessDenied,
    GrantsMissing,
    InvalidExpression,
    InvalidParams,
    InvalidRequest,
    NotFound,
    QflowdError,
    QueryTooSlow,
    Rejected,
    StoreUnavailable,
)

# What is over in a moment: too many requests, no database, starting or stopping; and what proxies say of it.
PASSING: Final = frozenset({42901, 50301, 50303, 50304})
PASSING_STATUS: Final = frozenset({429, 502, 503, 504})
_KINDS: Final[Mapping[int, type[QflowdError]]] = MappingProxyType(
    {
        42201: InvalidParams,
        42205: InvalidExpression,
        42902: Rejected,
        50002: GrantsMissing,
        50302: QueryTooSlow,
        401: AccessDenied,
        403: AccessDenied,
        404: NotFound,
        409: Rejected,
        429: StoreUnavailable,
        502: StoreUnavailable,
        503: StoreUnavailable,
        504: StoreUnavailable,
    }
)


class ApiReply(msgspec.Struct):
    """What the API answers; the server's own text is bounded, and so is what is shown of it."""

    code: int
    message: str
    data: msgspec.Raw = msgspec.Raw(b"null")


def read_reply(status: int, body: bytes, where: str) -> ApiReply:
    """The envelope of an answer; of one that is not the API's, what can be told from its status.

    `where`: the address that was asked, for messages.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        said = " ".join(body[:200].decode("utf-8", "replace").split())
        return ApiReply(status * 100, f"{where} answers {status}, and not as a qflowd API does: {said or 'nothing'}")


def is_passing(status: int, reply: ApiReply) -> bool:
    """May the same request be answered in a moment?"""
    return reply.code in PASSING or (reply.code == status * 100 and status in PASSING_STATUS)


def error_of(status: int, reply: ApiReply) -> QflowdError:
    """The error that a client raises for an answer."""
    if status >= 500 and reply.code not in _KINDS and status not in _KINDS:
        return QflowdError(reply.message)
    kind: Any = _KINDS.get(reply.code) or _KINDS.get(status, InvalidRequest)
    return kind(reply.message)  # type: ignore[no-any-return]


_DECODER: Final = msgspec.json.Decoder(ApiReply)
