"""The cookie of a session: its name and its attributes. Over TLS its prefix keeps other hosts and plain HTTP from setting it."""

from typing import Final

from qflowd.api.call import HttpRequest
from qflowd.engine.access.sessions import LONGEST

OVER_TLS: Final = "__Host-qflowd"
PLAIN: Final = "qflowd"


def session_of(request: HttpRequest) -> str:
    """The secret of the session that a request names; empty if it names none."""
    return request.cookies.get(_name(request), "")


def session_cookie(request: HttpRequest, secret: str) -> str:
    """Set-Cookie for a session that has begun."""
    return _cookie(request, secret, int(LONGEST.total_seconds()))


def no_session_cookie(request: HttpRequest) -> str:
    """Set-Cookie for one that has ended."""
    return _cookie(request, "", 0)


def _cookie(request: HttpRequest, value: str, age_s: int) -> str:
    secure = "; Secure" if request.is_tls else ""
    return f"{_name(request)}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}"


def _name(request: HttpRequest) -> str:
    return OVER_TLS if request.is_tls else PLAIN
