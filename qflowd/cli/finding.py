"""One finding of `qflowd doctor`."""

from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, and what to do about it. Only a fault makes doctor's exit code 1."""

    about: str
    level: Literal["ok", "note", "warning", "fault"] = field(kw_only=True)
    message: str
    remedy: str = ""


ok: Final = partial(Finding, level="ok")  # it is as it should be
note: Final = partial(Finding, level="note")  # worth knowing, and not a fault
warning: Final = partial(Finding, level="warning")  # it works, and may hurt later
fault: Final = partial(Finding, level="fault")  # it does not work like this
