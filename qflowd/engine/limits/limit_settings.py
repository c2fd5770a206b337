"""How large limits are: as a command or a configuration says, by a pattern such as `bank:*`, or one slot, in this order.

What a command has set stays until it is unset; what the configuration says meanwhile is kept beside it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from qflowd.config.records import LimitConfig
from qflowd.model.limits import best_pattern
from qflowd.store.tx import Store, Tx

SET_BY_HAND = ("command", "quota")  # what a configuration does not change
DERIVED = ("default", "pattern")  # sources: nobody has set the limit by its own name


class Size(NamedTuple):
    """How large a limit is, and who said so."""

    slots: int
    rates: str | None  # as a JSON list
    source: str
    breaker: str | None = None  # as it is stored


def sizes(tx: Tx, names: Iterable[str]) -> dict[str, Size]:
    """How large these limits are, those included that are not there yet."""
    wanted = [(name,) for name in sorted(set(names))]
    there = {row.name: _size(row) for row in tx.run("load_limits", rows=wanted)}
    patterns = (
        {row.name: Size(row.capacity, row.rates, "pattern", row.breaker) for row in tx.run("list_patterns")}
        if len(there) < len(wanted)
        else {}
    )
    return {name: there.get(name) or _derived(name, patterns) for (name,) in wanted}


def etag_of(size: Size) -> str:
    """What stands for the settings of a limit, whether it is there or not: other settings, another text."""
    return hashlib.blake2b(json.dumps(size).encode(), digest_size=10).hexdigest()


def make_limits(tx: Tx, names: Iterable[str]) -> None:
    """Insert those that are missing."""
    tx.run("add_limits", rows=[(name, *size) for name, size in sizes(tx, names).items()], now=tx.now)


def save_configured(store: Store, configured: Mapping[str, LimitConfig]) -> None:
    """Write the limits of a configuration; one that was set by a command keeps what the command said."""
    sizes_by_name = {name: size_of(limit, "config") for name, limit in sorted(configured.items())}
    notes = {name: _note(limit) for name, limit in sorted(configured.items())}

    def save(tx: Tx) -> None:
        tx.run("add_limits", rows=[(name, *size) for name, size in sizes_by_name.items()], now=tx.now)
        # What a command sets meanwhile is seen here, or waits and comes after it.
        tx.run("lock_limits", rows=[(name,) for name in sizes_by_name])
        there = {row.name: row for row in tx.run("list_limits")}
        # One that a command has taken away since it was found is made anew.
        changed = {
            name: size
            for name, size in sizes_by_name.items()
            if (row := there.get(name)) is None or (row.source not in SET_BY_HAND and _size(row) != size)
        }
        write_sizes(tx, changed)
        if fresh := [(name, note) for name, note in notes.items() if name in changed or there[name].configured != note]:
            tx.run("note_configured", rows=fresh)

    if configured:
        store.transact(save)


def size_of(limit: LimitConfig, source: str) -> Size:
    """What is written of a limit that was read from a configuration or a command."""
    return Size(limit.capacity, limit.rates, source, None if limit.breaker is None else limit.breaker.text)


def write_sizes(tx: Tx, changed: Mapping[str, Size], set_by: str | None = None, note: str | None = None) -> None:
    """Set these limits or patterns, and what follows from patterns."""
    if changed:
        rows = [(name, *size) for name, size in sorted(changed.items())]
        tx.run("set_limits", rows=rows, set_by=set_by, note=note, now=tx.now)
    derive(tx)


def derive(tx: Tx) -> None:
    """Set the limits that nobody has set by their names to what patterns say now."""
    if moved := moved_by_patterns(tx):
        tx.run("lock_limits", rows=[(name,) for name in moved])
        moved = {name: size for name, size in moved_by_patterns(tx).items() if name in moved}
    if moved:
        rows = [(name, *size) for name, size in moved.items()]
        tx.run("set_limits", rows=rows, set_by=None, note=None, now=tx.now)


def moved_by_patterns(tx: Tx) -> dict[str, Size]:
    """What `derive` is to set: by name, in their order, how large limits are to be that differ from their patterns."""
    rows = tx.run("list_limits")
    patterns = {row.name: _size(row)._replace(source="pattern") for row in rows if row.name.endswith("*")}
    derived = {row.name: _size(row) for row in rows if row.source in DERIVED}
    return {name: new for name, size in sorted(derived.items()) if (new := _derived(name, patterns)) != size}


def unset(tx: Tx, row: Any) -> None:
    """Let a limit or pattern be what it is without the command that set it. `row`: of `find_limit`."""
    if row.configured is not None:
        write_sizes(tx, {row.name: _configured(row.configured)})
    elif row.name.endswith("*"):
        tx.run("delete_limit", name=row.name)
        derive(tx)
    else:
        size = Size(row.capacity, row.rates, "default")
        tx.run("set_limits", rows=[(row.name, *size)], set_by=None, note=None, now=tx.now)
        derive(tx)


def _note(limit: LimitConfig) -> str:
    return json.dumps({"slots": limit.capacity, "rates": limit.rates, "breaker": limit.breaker and limit.breaker.text})


def _configured(note: str) -> Size:
    return Size(**json.loads(note), source="config")


def _size(row: Any) -> Size:
    return Size(row.capacity, row.rates, row.source, row.breaker)


def _derived(name: str, patterns: Mapping[str, Size]) -> Size:
    pattern = best_pattern(name, patterns)
    return Size(1, None, "default") if pattern is None else patterns[pattern]
