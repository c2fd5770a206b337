"""Readers of what only a configuration holds."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from qflowd.config.bind import Bind, Network
from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, key_text, mapping, shown, strings, text, whole
from qflowd.model.breaker import REASONS, Breaker, parse_failures
from qflowd.model.durations import parse_duration
from qflowd.model.limits import MOST_SLOTS
from qflowd.model.names import fault_in_key
from qflowd.model.rates import parse_rate

SHORTEST_LEASE_S: Final = 3.0
LONGEST_LEASE_S: Final = 3600.0

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\??")

_EXCEPTION: Final = re.compile(r"([A-Za-z_]\w*\.)*[A-Z_]\w*")
_BASE_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]+")
_slots: Final = whole(1, MOST_SLOTS)


def lease(value: Any) -> float:
    """A duration from 3 s to 1 h, in seconds."""
    seconds = parse_duration(value)
    if not SHORTEST_LEASE_S <= seconds <= LONGEST_LEASE_S:
        raise ValueError(f"must be from 3s to 1h, not {value!r}")
    return seconds


def path(value: Any) -> Path:
    """A path; `~` is the user's home."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a path in quotes, not {shown(value)}")
    return Path(value).expanduser()


def paths(value: Any) -> tuple[Path, ...]:
    """A list of paths; a single path counts as a list of one."""
    return tuple(map(path, value if isinstance(value, list) else [value]))


def quoted(value: Any) -> str:
    """A string; a number is not taken for one, since `3.10` would become 3.1."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string in quotes, not {shown(value)}")  # noqa: TRY004  read as a fault
    return value


def name(what: str) -> Reader[str]:
    """The name of a daemon or a pool."""
    read = key_text(what)
    return lambda value: read(quoted(value))


def bind(value: Any) -> Bind:
    """Where a server listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:/PATH`."""
    return Bind.parse(quoted(value))


def base_path(value: Any) -> str:
    """A path such as `/qflowd`, without a slash at its end; `/` is none."""
    found = quoted(value).rstrip("/")
    if found and not _BASE_PATH.fullmatch(found):
        raise ValueError(f"must be like /qflowd: letters, digits and -._~ between slashes, not {value!r}")
    return found


def header(value: Any) -> str:
    """The name of a header, in lower case."""
    found = quoted(value)
    if not _HEADER.fullmatch(found):
        raise ValueError(f"must be the name of a header, such as X-Forwarded-User, not {value!r}")
    return found.lower()


def networks(value: Any) -> tuple[Network, ...]:
    """Networks such as `10.2.0.0/16`, or addresses; a single one counts as a list of one."""
    try:
        return tuple(map(ip_network, names(value)))
    except ValueError as error:
        raise ValueError(f"{error}; write networks like 10.2.0.0/16") from None


def request_rate(value: Any) -> str:
    """A rate such as `20/s`."""
    parse_rate(found := text(value))
    return found


def names(value: Any) -> tuple[str, ...]:
    """A list of strings; a single one counts as a list of one."""
    return tuple(map(quoted, value if isinstance(value, list) else [value]))


def tenants(value: Any) -> tuple[str, ...]:
    """Names of tenants; a single one counts as a list of one."""
    found = names(value)
    if not found:
        raise ValueError("names nobody; give tenants, or leave it out for all of them")
    for each in found:
        if fault := fault_in_key(each, "tenant"):
            raise ValueError(fault)
    return found


def variables(value: Any) -> tuple[str, ...]:
    """Names of environment variables that a worker may see; one that ends in `?` need not be set."""
    found = names(value)
    for each in found:
        if not _VARIABLE.fullmatch(each):
            raise ValueError(f"{each[:30]!r} is not the name of an environment variable; give names, not values")
        if each.startswith("QFLOWD_"):
            raise ValueError(f"{each} stays with the daemon: workers must not reach its database")
    return found


def rates(value: Any) -> tuple[str, ...]:
    """Rates such as `200/min`; a single one counts as a list of one."""
    texts = strings(value)
    for rate in texts:
        parse_rate(rate)
    return texts


def slots(value: Any) -> int:
    """How many slots a limit has."""
    if value == 0 and value is not False:
        raise ValueError("must be at least 1; to let nothing begin, pause the limit: `qflowd limits pause NAME`")
    return _slots(value)


def breaker(value: Any) -> Breaker | None:
    """Failures such as `5/min`, alone or with what else a breaker is made of; False: none."""
    if value is False:
        return None
    document = Document(value if isinstance(value, dict) else {"failures": value})
    fields = Fields.of(document)
    failures = fields.need("failures", lambda failures: parse_failures(text(failures)), "1/min")
    usual = Breaker(failures)
    read = Breaker(failures, fields.take("open", parse_duration, usual.open_s), fields.take("on", _faults, usual.on))
    fields.close()
    if fields.faults:
        raise ValueError("; ".join(map(str, fields.faults)))
    return read


def _faults(value: Any) -> tuple[str, ...]:
    reasons = strings(value)
    for reason in reasons:
        if reason not in REASONS and not _EXCEPTION.fullmatch(reason):
            raise ValueError(f"{reason!r} is neither one of {', '.join(REASONS)} nor the name of an exception")
    if not reasons:
        raise ValueError(f"names nothing; give reasons ({', '.join(REASONS)}) or names of exceptions")
    return reasons


def options(value: Any) -> dict[str, str]:
    """Keys and strings."""
    return {key: text(item) for key, item in mapping(value).items()}


def secret(value: Any) -> str:
    """A string that no message repeats."""
    if not isinstance(value, str):
        raise ValueError("must be a string in quotes")  # noqa: TRY004  read as a fault
    return value
