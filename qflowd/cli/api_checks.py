"""What doctor looks at of the HTTP API: its address, its certificate, the dashboard's files."""

import http.client
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from qflowd import resources
from qflowd.api.http import neighbour
from qflowd.cli.finding import Finding, fault, judge, note, ok, warning
from qflowd.config.records import Config


def _check_address(config: Config) -> Iterator[Finding]:
    """Whether `qflowd api` can listen where it should, or does already."""
    api = config.api
    if not api.enabled:
        yield ok("api", f"off; `qflowd api`, or enabled = true in [api], serves it on {api.bind}")
        return
    if api.bind.socket is not None or not api.bind.port:
        yield ok("api", f"on {api.bind}")
        return
    remedy = "set [api] bind to another address"
    try:
        answer = neighbour.health_at(api.bind, is_tls=api.tls_cert is not None)
    except ConnectionRefusedError:
        yield note("api", f"nothing listens on {api.bind} now", "qflowd run, or qflowd api")
    except (http.client.HTTPException, ssl.SSLError, ConnectionError, TimeoutError):
        yield fault("api", f"another program listens on {api.bind}", remedy)
    except OSError as error:
        yield fault("api", f"{api.bind}: {error}", remedy)
    else:
        is_ours = answer == b"ok\n"
        who = "qflowd" if is_ours else "another program"
        yield judge(is_ours, "api", f"{who} answers on {api.bind}", remedy, "fault")


def _check_reach(config: Config) -> Iterator[Finding]:
    """Who can reach it, and whether what they send can be read on the way."""
    api = config.api
    if api.tls_cert is not None and api.tls_key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(api.tls_cert, api.tls_key, password="")
        except (OSError, ssl.SSLError) as error:
            yield fault(
                "api", f"{api.tls_cert} and {api.tls_key} cannot be used: {error}", "give a certificate and its key"
            )
    elif not api.bind.is_local:
        message = f"{api.bind} speaks without TLS, and other hosts can reach it"
        yield warning("api", message, "let the proxy in front be the only one: a firewall, or bind it to loopback")
        if not api.trusted_proxies:
            message = "behind a proxy that is not in trusted_proxies, cookies are not bound to TLS, and all addresses are its own"
            yield warning("api", message, "set [api] trusted_proxies: docs/behind-a-proxy.md")


def _check_dashboard(config: Config) -> Iterator[Finding]:
    """The dashboard's files are there."""
    if config.api.enabled:
        try:
            resources.folder("web")
        except FileNotFoundError:
            message = "the dashboard was not built; the API works without it"
            yield warning("dashboard", message, "make web in the checkout, or install a package that holds it")


CHECKS: Final[Sequence[Callable[[Config], Iterator[Finding]]]] = (_check_address, _check_reach, _check_dashboard)
