"""What keys may look like. Each check answers with the text of the fault, or None where there is none."""

import unicodedata
from typing import Any, Final

LONGEST_KEY: Final = 200
RESERVED_TASK_KEYS: Final = frozenset({"params", "item", "tasks", "instance", "business_date", "fire_at"})
DEFAULT_TENANT: Final = "default"

_PUNCTUATION: Final = frozenset("_-./")
_IN_ADDRESSES: Final = frozenset("@+'")  # of mailboxes, beside those


def item_name(row: Any) -> str:
    """What people call a task: its key, with the label or the index of an item of a map: `bars[AAPL]`, `bars[17]`."""
    if row.map_index is None:
        return str(row.task)
    return f"{row.task}[{row.map_index if row.label is None else row.label}]"


def shown_name(row: Any) -> str:
    """As `item_name`; of the row that undoes a task: `undo bars[AAPL]`. No task can have such a key."""
    return f"undo {item_name(row)}" if row.kind == "compensation" else item_name(row)


def fault_in_key(key: object, what: str = "key") -> str | None:
    """Why `key` cannot name a workflow, a job, a pool or a tenant; `what` opens the sentence."""
    if not isinstance(key, str):
        return f"{what} must be text, not {type(key).__name__}"
    if not key:
        return f"{what} must not be empty"
    if fault := _too_long(key, what):
        return fault
    if key in (".", ".."):
        return f"{what} {key!r} is a folder to a browser; choose another name"
    for character in key:
        if not _may_stand_in_key(character):
            return f"{what} {key!r} contains {character!r}; use letters, digits and _ - . /"
    return None


def fault_in_principal(name: object) -> str | None:
    """Why `name` cannot name a principal: as other keys, or the address of a mailbox, as proxies that sign people in hand it over.

    Neither `@` nor `+` begins one: a spreadsheet would take it for a formula.
    """
    what = "the name of a principal"
    if not isinstance(name, str) or not set(name) & _IN_ADDRESSES:
        return fault_in_key(name, what)
    domain = name.partition("@")[2]
    if name[0] in _IN_ADDRESSES or (at := name.count("@")) > 1 or (at and not domain) or _IN_ADDRESSES & set(domain):
        return f"{what} {name!r} is neither a name nor an address such as ann+qflowd@example.com"
    return fault_in_key("".join(each for each in name if each not in _IN_ADDRESSES), what) or _too_long(name, what)


def fault_in_task_key(key: object) -> str | None:
    """Why `key` cannot name a task: as other keys, and not a word that expressions use themselves."""
    fault = fault_in_key(key, "task key")
    if fault is None and key in RESERVED_TASK_KEYS:
        return f"task key {key!r} is a word of the expression language; choose another"
    return fault


def fault_in_signal(name: object) -> str | None:
    """Why `name` cannot name a signal: as other keys; colons and `@` may stand in it as well."""
    if not isinstance(name, str):
        return fault_in_key(name, "the name of a signal")
    return fault_in_key(
        "".join(each for each in name if each not in ":@") or name, "the name of a signal"
    ) or _too_long(name, "the name of a signal")


def fault_in_dataset(name: object) -> str | None:
    """Why `name` cannot name a dataset: as other keys; `@` and the part that it is, with colons, may stand behind it."""
    what = "the name of a dataset"
    if not isinstance(name, str):
        return fault_in_key(name, what)
    series, at, part = name.partition("@")
    if at and not part:
        return f"{what} {name!r} ends in @; behind it stands which part it is, such as a date"
    fault = fault_in_key(series, what) or (fault_in_key(part.replace(":", "") or ":", what) if at else None)
    return fault or _too_long(name, what)


def _too_long(key: str, what: str) -> str | None:
    return f"{what} has {len(key)} characters; at most {LONGEST_KEY} are allowed" if len(key) > LONGEST_KEY else None


def _may_stand_in_key(character: str) -> bool:
    """Letters and the marks that belong to them in many scripts, decimal digits, and four signs."""
    category = unicodedata.category(character)
    return category[0] in "LM" or category == "Nd" or character in _PUNCTUATION


def series_and_name(name: str) -> dict[str, str]:
    """What a statement about one dataset or a series takes: of `bars@2026-11-20` both, of `bars` the series, and '' as a name."""
    series, at, _ = name.partition("@")
    return {"series": series, "name": name if at else ""}
