"""What doctor finds about databases of others: whether each lets this host in and answers. All are tried at once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import monotonic
from typing import Final

from qflowd.cli.finding import Finding, ok, warning
from qflowd.config import connection_variable
from qflowd.config.records import Config
from qflowd.engine.waits.aside import Piece
from qflowd.store.guests.guest import GuestFailed, visit

PATIENCE_S: Final = 5.0


def _check_connections(config: Config) -> Iterator[Finding]:
    """One that does not answer is a warning: what waits for it waits on, and begins when it answers again."""
    faults = _try({name: connection.url for name, connection in config.connections.items()})
    for name, connection in config.connections.items():
        about = f"connection {name}"
        if (fault := faults[name]) is None:
            whose = "" if connection.tenants is None else f", for tenants {', '.join(connection.tenants)}"
            yield ok(about, f"{connection.shown} answers{whose}")
        else:
            where = f"[connections.{name}] or {connection_variable(name)}"
            remedy = f"check that the server is up and lets this account in from this host; it is named by {where}"
            yield warning(about, f"{connection.shown}: {fault}", remedy)


def _try(urls: dict[str, str]) -> dict[str, str | None]:
    """What is wrong with each; None where nothing is."""
    pieces = {name: Piece(partial(_fault, url), f"qflowd-try-{name}") for name, url in urls.items()}
    ends_s, late = monotonic() + PATIENCE_S, f"does not answer within {PATIENCE_S:g} s"
    return {
        name: piece.answer() if piece.has_ended(max(0.0, ends_s - monotonic())) else late
        for name, piece in pieces.items()
    }


def _fault(url: str) -> str | None:
    try:
        with visit(url, "qflowd doctor") as guest:
            guest.probe()
    except GuestFailed as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever a driver says of one, the others are tried
        return repr(error)
    return None


CHECKS: Final[Sequence[Callable[[Config], Iterator[Finding]]]] = (_check_connections,)
