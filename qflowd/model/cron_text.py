"""The grammar of cron expressions. What croniter reads otherwise than crontab, or not at all, is refused here."""

import re
from typing import Final

ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_FIELDS: Final = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day of the month": (1, 31),
    "month": (1, 12),
    "weekday": (0, 7),
}
_NAMES: Final = {  # a name's place is its number
    "month": ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_SPECIAL: Final = {
    "day of the month": re.compile(r"l|([1-9]|[12][0-9]|3[01])w", re.ASCII),
    "weekday": re.compile(r"([0-7]|sun|mon|tue|wed|thu|fri|sat)#[1-5]|l[0-7]", re.ASCII),
}
_ITEM: Final = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>[0-9]+))?", re.ASCII)
_NUMBER: Final = re.compile(r"(?<!#)[0-9]", re.ASCII)


def expand_alias(cron: str) -> str:
    """The fields that an alias such as `@daily` stands for; anything else as it is."""
    return ALIASES.get(cron.lower(), cron)


def check(text: object) -> str:
    """`text` with its blanks tidied.

    Raises: ValueError with what is wrong and what to write.
    """
    tidy = " ".join(str(text).split())
    if tidy.startswith("@"):
        if tidy.lower() not in ALIASES:
            raise ValueError(f"{tidy!r} is not a cron alias; use {', '.join(ALIASES)} or five fields")
        return tidy.lower()
    fields = tidy.lower().split(" ")
    if len(fields) not in (5, 6):
        count = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        raise ValueError(f"{tidy!r} has {count}; use five, or six with the seconds first")
    for name, field in zip(list(_FIELDS)[-len(fields) :], fields, strict=True):
        for item in field.split(","):
            _check_item(tidy, name, item, field)
    _check_days(tidy, fields[-3], fields[-1])
    if len(fields) == 6 and "?" in (fields[3], fields[5]) and _NUMBER.search(fields[5]):
        raise ValueError(
            f"{tidy!r} looks like Quartz, where weekday 1 is Sunday; here it is Monday, so write weekdays by name, "
            "as in mon-fri or fri#2"
        )
    return tidy


def _check_item(cron: str, name: str, item: str, field: str) -> None:
    if name in _SPECIAL and (item == field == "?" or _SPECIAL[name].fullmatch(item)):
        return
    match = _ITEM.fullmatch(item)
    if not match:
        raise ValueError(f"{cron!r}: the {name} cannot be {item!r}{_hint(item)}")
    smallest, largest = _FIELDS[name]
    low = _number(cron, name, match["low"], item) if match["low"] else smallest
    high = _number(cron, name, match["high"], item) if match["high"] else largest
    if name == "weekday" and match["high"] and low % 7 == high % 7 and item != "0-7":
        raise ValueError(f"{cron!r}: {item!r} is one day or all seven; write the day alone, or *")
    if match["high"] and low == high:
        # croniter reads 0-0 as the whole range.
        raise ValueError(f"{cron!r}: {item!r} begins and ends at the same {name}; write {match['low']}")
    if not match["step"]:
        return
    if not 1 <= int(match["step"]) <= largest:
        raise ValueError(f"{cron!r}: the step of the {name} cannot be {match['step']}; use 1 to {largest}")
    if low > high:
        raise ValueError(f"{cron!r}: {item!r} runs past the end and has a step; write the values out")
    if name == "weekday" and match["low"] and not match["high"]:
        raise ValueError(f"{cron!r}: {item!r} is read in two ways (with or without Sunday); write the days out")


def _check_days(cron: str, day: str, weekday: str) -> None:
    """The two day fields together: either may match, except in cases that programs read differently."""
    if day in ("*", "?") or weekday in ("*", "?"):
        return
    if "*" in (day[0], weekday[0]):
        raise ValueError(
            f"{cron!r}: a day field that begins with * beside another one means both to some programs and either to"
            " others; write the days out, as in 1-31/2"
        )
    if "#" in weekday or "l" in day + weekday.replace("jul", "") or "w" in day:
        raise ValueError(f"{cron!r}: L, W and # cannot be combined with another day field; use two workflows")


def _number(cron: str, name: str, word: str, item: str) -> int:
    smallest, largest = _FIELDS[name]
    names = _NAMES.get(name, ())
    value = names.index(word) if word in names else int(word) if word.isdecimal() else -1
    if not smallest <= value <= largest:
        hint = _hint(item) or f"; use {smallest} to {largest}"
        raise ValueError(f"{cron!r}: the {name} cannot be {item!r}{hint}")
    return value


def _hint(item: str) -> str:
    if item == "lw":
        return "; the last working day of a month cannot be written"
    if item[:1] in ("h", "r"):
        return "; H and R (random times) are not supported"
    if item.endswith("l"):
        return "; the last Friday of a month is written L5, the last Sunday L0 (Quartz counts from 1, qflowd from 0)"
    return ""
