"""Limits of a task: names of what is shared, and how many slots each attempt takes of it."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

Limits = tuple[tuple[str, int], ...]  # name -> slots, sorted by name

MOST_SLOTS: Final = 1_000_000
LONGEST_TEXT: Final = 160  # characters of all limits of a task together, as `lane_text` writes them
LONGEST_NAME: Final = 100
# In the place of a lane's limits. Its rows are put into their own lanes when they are claimed.
UNSETTLED: Final = "?"
# Before a lane's limits: the same, where nobody knew the job and that may ask for more.
OF_UNKNOWN_JOB: Final = "??"
# Beside a lane's limits: while the breaker of one is open, its rows end, and others run instead.
FALLBACK: Final = "!"

_PUNCTUATION: Final = frozenset("_-./:")


def fault_in_limit(name: object, *, may_be_pattern: bool = False) -> str | None:
    """Why `name` cannot name a limit; None if it can. A pattern such as `bank:*` stands for all names that begin so."""
    if may_be_pattern and isinstance(name, str) and name.endswith("*"):
        name = name[:-1] or "*"
    if not isinstance(name, str) or not name:
        return f"the name of a limit must be a string such as vendor:tushare, not {name!r}"
    if len(name) > LONGEST_NAME:
        return f"limit {name[:20]}… has {len(name)} characters; at most {LONGEST_NAME} are allowed"
    for character in name:
        category = unicodedata.category(character)
        if not (category[0] in "LM" or category == "Nd" or character in _PUNCTUATION):
            return f"limit {name!r} contains {character!r}; use letters, digits and _ - . / :"
    return None


def lane_text(limits: Limits | None) -> str:
    """The limits as part of a lane's key: `bank:icbc=1 vendor:tushare=2`; empty if there are none."""
    return " ".join(f"{name}={slots}" for name, slots in limits or ())


@lru_cache(maxsize=4096)
def of_lane(text: str) -> Limits:
    """The limits that `lane_text` wrote."""
    pairs = (part.rpartition("=") for part in text.split() if "=" in part)
    return tuple((name, int(slots)) for name, _, slots in pairs)


def taken_of(text: str) -> Limits:
    """What each row of a lane takes of its limits; nothing while its rows are to be put into lanes of their own."""
    return () if text.startswith(UNSETTLED) else of_lane(text)


def known_part(text: str) -> str:
    """The limits of a lane without those that a job may ask for that was not known."""
    return text.removeprefix(OF_UNKNOWN_JOB).lstrip()


def best_pattern(name: str, patterns: Iterable[str]) -> str | None:
    """The longest of these patterns that `name` fits."""
    return max((pattern for pattern in patterns if name.startswith(pattern[:-1])), key=len, default=None)


def merged(inner: Limits, outer: Limits) -> Limits:
    """Both together; where both name a limit, the slots of the inner level."""
    return tuple(sorted((dict(outer) | dict(inner)).items()))
