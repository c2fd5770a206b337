"""Slots of limits: taken in the claim, given back in the transaction in which a row loses its owner.

`used` of a limit so is what RUNNING rows hold, at any moment and on every daemon. A waiting row holds nothing, and neither
does a RESERVED one: it shares the slot of a row that does (`lines.py`). Of a rate, tokens are spent in the claim; only a row
that is given back before it began returns them.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from qflowd.engine.limits.breakers import may_try
from qflowd.model.limits import MOST_SLOTS, of_lane
from qflowd.model.near_names import did_you_mean
from qflowd.model.rates import Spent, parse_rates
from qflowd.store.clock import from_microseconds, to_microseconds
from qflowd.store.tx import Tx

log = logging.getLogger("qflowd")
Pause = tuple[int, str, datetime, str | None]  # task that asked for it, limit, until, why


class Freed(NamedTuple):
    """A row that loses its owner, in a lane with limits. Not `has_begun`: it was given back before it ran."""

    id: int
    limits: str
    has_begun: bool = True
    has_slot: bool = True


class Moved(NamedTuple):
    """A slot of a row that loses its owner, and the row that is RUNNING on it from then on."""

    id: int
    to: int
    fence: int  # of `to`
    limits: str


class LockedLimits:
    """Limits, locked until the transaction ends. What is taken of them is kept here, for `write` to write it all at once."""

    def __init__(self, tx: Tx, names: Iterable[str]) -> None:
        self.tx, self.now_us = tx, to_microseconds(tx.now)
        self.rows = {row.name: row for row in tx.run("lock_limits", rows=[(name,) for name in sorted(set(names))])}
        # Of those whose breaker is not closed: may one task try?
        self.may_try = {name: may_try(tx, row) for name, row in self.rows.items() if row.tripped_at is not None}
        self._taken: Counter[str] = Counter()  # slots
        self._spent: dict[str, dict[str, Spent]] = {}  # of limits whose tokens were spent here
        self._probes: list[tuple[str, int, int]] = []

    def free(self, name: str) -> int:
        """How many slots are free, unless a pause lets nothing begin."""
        return max(0, int(self.rows[name].capacity - self.rows[name].used) - self._taken[name])

    def left(self) -> dict[str, int]:
        """Limit of which slots were taken here -> how many are left; none where a rate says how many may begin."""
        return {name: 0 if self.rows[name].rates else self.free(name) for name in self._taken}

    def spent(self, name: str) -> Mapping[str, Spent]:
        """Rate as it is written -> what has been spent of it."""
        return self._spent.get(name) or json.loads(self.rows[name].spent or "{}")

    def take(self, name: str, slots: int, tokens: int) -> None:
        """So many slots are in use from now on, and so many tokens are spent."""
        self._taken[name] += slots
        if rates := parse_rates(self.rows[name].rates):
            before = self.spent(name)
            self._spent[name] = {
                text: rate.spend(before.get(text, ()), tokens, self.now_us) for text, rate in rates.items()
            }

    def probe(self, name: str, row: Any) -> None:
        """This claimed row is the one that tries whether the breaker may close."""
        self.may_try[name] = False
        self._probes.append((name, row.id, row.fence))

    def write(self) -> None:
        """Write what was taken since the limits were locked."""
        if self._taken:
            self.tx.run("move_slots", rows=sorted(self._taken.items()))
        if self._spent:
            self.tx.run("save_spent", rows=[self._spent_row(name) for name in sorted(self._spent)])
        if self._probes:
            self.tx.run("save_probes", rows=sorted(self._probes))

    def _spent_row(self, name: str) -> tuple[str, str, datetime | None]:
        spent, rates = self._spent[name], parse_rates(self.rows[name].rates)
        frees_us = max(rate.frees_us(spent[text], 1, self.now_us) for text, rate in rates.items())
        return name, json.dumps(spent), from_microseconds(frees_us) if frees_us > self.now_us else None


class Slots:
    """What the limits of a lane allow now.

    `free`: how many more of its rows may run at once. `tokens`: how many may begin, as far as rates and breakers allow.
    `opens_in_s`: if one of them is none, seconds until a pause ends or a rate allows the next one; None if it is not for
    these, or if no time will do. `has_breaker`: one of them is told how attempts end; `is_probing`: a breaker is half-open, so one row may try.
    `open_breaker`: the limit whose breaker is open; None if there is none.
    """

    def __init__(self, locked: LockedLimits, limits: str) -> None:
        self._locked, self._limits = locked, of_lane(limits)
        rows = {name: locked.rows[name] for name, _ in self._limits if name in locked.rows}
        self._tripped = [name for name, row in rows.items() if row.tripped_at is not None]
        self.has_breaker = any(row.breaker is not None for row in rows.values())
        self.is_probing = bool(self._tripped)
        now = locked.tx.now
        self.open_breaker = next((name for name in sorted(self._tripped) if rows[name].retries_at > now), None)
        # A limit that was deleted by hand gives nothing until `limit_repair.py` has made it again.
        self.free = self.tokens = 0
        if len(rows) == len(self._limits):
            self.free = min(self._free(rows[name], slots) for name, slots in self._limits)
            self.tokens = min(self._tokens(rows[name], slots) for name, slots in self._limits)
        waits = [self._opens_in_s(rows[name], slots) if name in rows else None for name, slots in self._limits]
        known = [wait for wait in waits if wait is not None]
        self.opens_in_s = max(known) if not (self.free and self.tokens) and len(known) == len(waits) else None

    @property
    def used_up(self) -> list[str]:
        """Those of its limits whose slots are all in use."""
        return [name for name, _ in self._limits if name in self._locked.rows and not self._locked.free(name)]

    def take(self, rows: Sequence[Any], running: int) -> None:
        """These rows of the lane were claimed, and so many of them run at once. While it is probing, the first one tries."""
        for name, slots in self._limits:
            self._locked.take(name, slots * running, slots * len(rows))
        for name in self._tripped:
            self._locked.probe(name, rows[0])

    def _free(self, row: Any, slots: int) -> int:
        if row.resumes_at is not None and row.resumes_at > self._locked.tx.now:
            return 0
        return self._locked.free(row.name) // slots

    def _tokens(self, row: Any, slots: int) -> int:
        if not self._locked.may_try.get(row.name, True):
            return 0
        spent, now_us = self._locked.spent(row.name), self._locked.now_us
        tokens = [rate.free(spent.get(text, ()), now_us) for text, rate in parse_rates(row.rates).items()]
        allowed = min(tokens, default=MOST_SLOTS) // slots
        return min(1, allowed) if self.is_probing else allowed

    def _opens_in_s(self, row: Any, slots: int) -> float | None:
        locked = self._locked
        if locked.free(row.name) < slots:
            return None
        if not locked.may_try.get(row.name, True) and row.retries_at <= locked.tx.now:
            return None
        spent, rates = locked.spent(row.name), parse_rates(row.rates)
        if any(rate.most < slots for rate in rates.values()):  # it was lowered since the rows were accepted
            return None
        at_us = [rate.frees_us(spent.get(text, ()), slots, locked.now_us) for text, rate in rates.items()]
        if row.resumes_at is not None:
            at_us.append(to_microseconds(row.resumes_at))
        if row.tripped_at is not None:
            at_us.append(to_microseconds(row.retries_at))
        return max(0.0, (max(at_us, default=0) - locked.now_us) / 1e6)


def give_back(tx: Tx, freed: Sequence[Freed], pauses: Sequence[Pause] = ()) -> frozenset[str]:
    """Slots of rows that have just lost their owner, and pauses that they asked for. After tasks, before instances.

    Returns: the limits that are locked with it.
    """
    slots = _count(row for row in freed if row.has_slot)
    unspent = _count(row for row in freed if not row.has_begun)
    names = sorted(slots.keys() | unspent.keys() | {name for _, name, *_ in pauses})
    if len(names) > 1 or unspent:  # an UPDATE locks them in any order
        rows = {row.name: row for row in tx.run("lock_limits", rows=[(name,) for name in names])}
        now_us = to_microseconds(tx.now)
        if refunds := [
            _refund(rows[name], unspent[name], now_us)
            for name in names
            if name in rows and rows[name].spent and unspent[name]
        ]:
            tx.run("save_spent", rows=refunds)
    if slots:
        tx.run("move_slots", rows=[(name, -count) for name, count in sorted(slots.items())])
    if pauses:
        latest = {name: (name, until, why) for _, name, until, why in sorted(pauses, key=lambda pause: pause[2])}
        if tx.count("pause_limits", rows=sorted(latest.values())) < len(latest):
            _note_unknown(tx, pauses)
    return frozenset(names)


def _note_unknown(tx: Tx, pauses: Sequence[Pause]) -> None:
    """Tasks that asked to pause a limit that does not exist say so while they wait."""
    names = {row.name for row in tx.run("list_limits")}
    notes = {
        task: f"{why + '; ' if why else ''}nothing is paused: there is no limit {limit!r}{did_you_mean(limit, names)}"
        for task, limit, _, why in pauses
        if limit not in names
    }
    if not notes:  # it has been made a moment ago
        return
    tx.run("note_timers", rows=sorted(notes.items()))
    log.warning("task %d asked for a pause; %s", *min(notes.items()))


def holders_of(rows: Sequence[Any], places: int) -> list[Any]:
    """Of claimed rows that share slots: what runs alone, and the last ones of even parts."""
    alone, others = [row for row in rows if row.solo][:places], [row for row in rows if not row.solo]
    size = -(-len(others) // max(1, places - len(alone)))
    ends = range(size - 1, len(others) + size - 1, size) if len(alone) < places and others else ()
    return alone + [others[min(end, len(others) - 1)] for end in ends]


def _count(freed: Iterable[Freed]) -> Counter[str]:
    """Limit -> slots of these rows."""
    counts: Counter[str] = Counter()
    for limits, tasks in Counter(row.limits for row in freed).items():
        for name, slots in of_lane(limits):
            counts[name] += slots * tasks
    return counts


def _refund(row: Any, tokens: int, now_us: int) -> tuple[str, str, None]:
    before, rates = json.loads(row.spent or "{}"), parse_rates(row.rates)
    spent = {text: rate.refund(before.get(text, ()), tokens, now_us) for text, rate in rates.items()}
    return row.name, json.dumps(spent), None
