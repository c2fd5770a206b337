"""One finding of `qflowd doctor`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, and what to do about it. Only a fault makes doctor's exit code 1."""

    about: str
    level: Level
    message: str
    remedy: str = ""


def ok(about: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(about, "ok", message)


def note(about: str, message: str, remedy: str = "") -> Finding:
    """Worth knowing, and not a fault."""
    return Finding(about, "note", message, remedy)


def warning(about: str, message: str, remedy: str = "") -> Finding:
    """It works, and may hurt later."""
    return Finding(about, "warning", message, remedy)


def fault(about: str, message: str, remedy: str = "") -> Finding:
    """It does not work like this."""
    return Finding(about, "fault", message, remedy)
