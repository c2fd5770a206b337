"""Whether a request comes from where it seems to: hosts that are served here, and pages of our own where a browser vouches."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from qflowd.api.answers import JSON, ApiFault
from qflowd.api.call import Call, HttpRequest
from qflowd.api.routing import SAFE
from qflowd.config.records import ApiConfig
from qflowd.engine.access.digests import is_csrf_of
from qflowd.model.roles import Role

HEADER: Final = "x-qflowd-csrf"


def check_host(request: HttpRequest, config: ApiConfig) -> None:
    """A page elsewhere whose name was made to lead here would be of our origin; by an address nobody can do that.

    Raises: ApiFault 40304.
    """
    host = _name_of(request.headers.get("host", ""))
    served = {"localhost", config.bind.host.lower(), *(name.lower() for name in config.hosts)}
    if not host or host in served or _is_address(host) or (config.bind.socket is not None and not config.hosts):
        return
    raise ApiFault(40304, f"the host {host[:200]!r} is not served here; add it to `hosts` of [api]")


def check_origin(call: Call, role: Role) -> None:
    """Whether a request that a browser may have sent by itself is one of our page. `role`: of the route.

    Raises: ApiFault 40303.
    """
    request, caller = call.request, call.caller
    if request.method in SAFE or caller.token is not None:
        return
    if caller.principal == "" and role > Role.NONE:
        return  # nobody: refused elsewhere
    if site := request.headers.get("sec-fetch-site"):
        _need(site == "same-origin", f"Sec-Fetch-Site is {site[:60]}, not same-origin")
    if origin := request.headers.get("origin"):
        _need(_is_own(origin, request), f"Origin {origin[:200]} is not this server")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    _need(kind == JSON, f"Content-Type is not {JSON}")
    if role > Role.NONE:
        given = request.headers.get(HEADER, "")
        is_right = is_csrf_of(caller.secret, given) if caller.session else bool(given)
        _need(is_right, "X-Qflowd-CSRF is not the one that GET /api/v1/me gives for this session")


def _need(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - it is the condition
    if not is_so:
        raise ApiFault(40303, f"{otherwise}; programs send a token instead of a cookie")


def _is_own(origin: str, request: HttpRequest) -> bool:
    """Behind a proxy that is not trusted, TLS is not seen here: then the host alone counts."""
    try:
        parts = urlsplit(origin)
        own = urlsplit(f"{parts.scheme}://{request.headers.get('host', '')}")
        default = {"http": 80, "https": 443}.get(parts.scheme)
        is_same = (parts.hostname, parts.port or default) == (own.hostname, own.port or default)
    except ValueError:
        return False
    return (
        parts.hostname is not None and is_same and parts.scheme in (("https",) if request.is_tls else ("http", "https"))
    )


def _name_of(host: str) -> str:
    """Of `name:port`, `[::1]:port`."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
