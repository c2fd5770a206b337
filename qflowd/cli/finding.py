"""One finding of `qflowd doctor`."""

from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

Level = Literal["ok", "note", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, and what to do about it.

    A note is worth knowing; a warning works, and may hurt later; only a fault makes doctor's exit code 1.
    """

    level: Level
    about: str
    message: str
    remedy: str = ""


ok: Final = partial(Finding, "ok")
note: Final = partial(Finding, "note")
warning: Final = partial(Finding, "warning")
fault: Final = partial(Finding, "fault")


def judge(is_good: object, about: str, message: str, remedy: str = "", otherwise: Level = "warning") -> Finding:
    """The finding `ok` where it is good, else that of the level `otherwise`, with its remedy."""
    return ok(about, message) if is_good else Finding(otherwise, about, message, remedy)
