"""How large limits are: as a configuration or a command says, by a pattern such as `bank:*`, or one slot."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from qflowd.config.records import LimitConfig
from qflowd.model.limits import best_pattern
from qflowd.store.tx import Store, Tx

DERIVED = ("default", "pattern")  # sources: nobody has set the limit by its own name


class Size(NamedTuple):
    """How large a limit is, and who said so."""

    slots: int
    rates: str | None  # as a JSON list
    source: str


def sizes(tx: Tx, names: Iterable[str]) -> dict[str, Size]:
    """How large these limits are, those included that are not there yet."""
    wanted = [(name,) for name in sorted(set(names))]
    there = {row.name: Size(*row[1:]) for row in tx.run("load_limits", rows=wanted)}
    patterns = (
        {row.name: Size(row.capacity, row.rates, "pattern") for row in tx.run("list_patterns")}
        if len(there) < len(wanted)
        else {}
    )
    return {name: there.get(name) or _derived(name, patterns) for (name,) in wanted}


def make_limits(tx: Tx, names: Iterable[str]) -> None:
    """Insert those that are missing."""
    tx.run("add_limits", rows=[(name, *size) for name, size in sizes(tx, names).items()], now=tx.now)


def save_configured(store: Store, configured: Mapping[str, LimitConfig]) -> None:
    """Write the limits of a configuration; one that was set by a command keeps what the command said."""

    def save(tx: Tx) -> None:
        there = {row.name: Size(*row[1:]) for row in tx.run("list_limits")}
        wanted = {name: Size(limit.capacity, limit.rates, "config") for name, limit in configured.items()}
        changed = {
            name: size
            for name, size in wanted.items()
            if there.get(name) != size and there.get(name, size).source != "command"
        }
        write_sizes(tx, changed)

    if configured:
        store.transact(save)


def write_sizes(tx: Tx, changed: Mapping[str, Size]) -> None:
    """Set these limits or patterns, and what follows from patterns."""
    if not changed:
        return
    tx.run("set_limits", rows=[(name, *size) for name, size in sorted(changed.items())], now=tx.now)
    rows = tx.run("list_limits")
    patterns = {row.name: Size(row.capacity, row.rates, "pattern") for row in rows if row.name.endswith("*")}
    derived = {row.name: Size(*row[1:]) for row in rows if row.source in DERIVED}
    if moved := [(name, *new) for name, size in sorted(derived.items()) if (new := _derived(name, patterns)) != size]:
        tx.run("set_limits", rows=moved, now=tx.now)


def _derived(name: str, patterns: Mapping[str, Size]) -> Size:
    pattern = best_pattern(name, patterns)
    return Size(1, None, "default") if pattern is None else patterns[pattern]
