"""Time zones by the newest rules that this host has: the system's, or those of the package `tzdata`.

zoneinfo takes the system's wherever there are any. A system that is not updated then fires an hour off in a zone whose
rules have changed since, so whichever of the two names the later release is asked first.
"""

import zoneinfo
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Releases(NamedTuple):
    """Releases of the IANA time zone database, such as `2026f`; "" where there is none, or it does not say."""

    system: str
    package: str


@cache
def releases() -> Releases:
    """What this host has."""
    try:
        package = str(import_module("tzdata").IANA_VERSION)
    except ImportError:
        package = ""
    return Releases(next(filter(None, map(_release_in, zoneinfo.TZPATH)), ""), package)


def _release_in(folder: str) -> str:
    """`tzdata.zi` begins with the line `# version 2026f`."""
    try:
        with (Path(folder) / "tzdata.zi").open(encoding="ascii", errors="replace") as file:
            words = file.readline().split()
    except OSError:
        return ""
    return words[2] if words[:2] == ["#", "version"] else ""


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The zone of a name such as `Asia/Shanghai`, by the newest rules.

    Raises: KeyError (ZoneInfoNotFoundError), ValueError or OSError if there is none of that name.
    """
    system = ZoneInfo(name)  # checks the name; it falls back on the package
    release = releases()
    return packaged(name) if release.package and release.package > release.system else system


def differs(name: str, since: datetime, days: int = 366) -> bool:
    """Do the system's rules and the package's give another offset on one of the next days?

    Raises: KeyError, ValueError or OSError if one of them does not have the zone.
    """
    system, package = ZoneInfo(name), packaged(name)
    instants = (since + timedelta(days=day) for day in range(days))
    return any(at.astimezone(system).utcoffset() != at.astimezone(package).utcoffset() for at in instants)


def packaged(name: str) -> ZoneInfo:
    """The zone by the rules of the package. Raises: OSError if it has none of that name."""
    with files("tzdata.zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
