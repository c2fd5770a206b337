"""Starts on facts: what schedules with `start_on` submit, once for each fact, whatever the number of daemons.

Who makes a fact says nothing of it, so ending an instance or a task costs no more. Whoever looks sees all facts that were
committed before, and which of them have started something; so one that is committed late, or whose daemon was killed, is
seen by the next look (docs/decisions/0064-facts-start-by-a-look.md).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from qflowd.define.fact_starts import FACT_PARAM
from qflowd.engine.definitions.firing import key_of
from qflowd.engine.definitions.start_cycles import starts_of, would_never_end
from qflowd.engine.definitions.workflow_store import load_workflow
from qflowd.engine.service import Place, Topics, UnreadableLog
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import FactKind
from qflowd.model.workflow import Json
from qflowd.store.clock import boottime
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Store, Tx

TRIGGER: Final = "fact"  # `trigger_type` of what it submits
BATCH: Final = 200  # facts in a round
LOOK_S: Final = 0.5  # between looks while a schedule starts on facts
SHARE: Final = 20  # so many times as long as a look has taken, at least
LONGEST_S: Final = 60.0  # and at most
LONG_S: Final = LOOK_S / SHARE  # a look that takes longer is not repeated before that time, whoever wakes it
IDLE_S: Final = 5.0  # versions with other schedules are published by programs that wake nobody
LOOKS: Final = {
    FactKind.WORKFLOW: "list_workflow_facts",
    FactKind.DATASET: "list_dataset_facts",
    FactKind.SIGNAL: "list_signal_facts",
}
_After = tuple[int, int, str]  # the last row of a round: fact, definition and name of the schedule
_START: Final[_After] = (-(1 << 63), 0, "")
_MOMENT: Final = timedelta(microseconds=1)


class FactStarts:
    """The service that submits what schedules start on facts. `seconds`: a clock that nobody sets; of how long looks take."""

    name: ClassVar[str] = "fact_starts"
    topics: ClassVar[tuple[str, ...]] = ("schedule", "fact")

    def __init__(self, store: Store, topics: Topics, seconds: Callable[[], float] = boottime) -> None:
        self._store, self._topics, self._seconds = store, topics, seconds
        self._unreadable = UnreadableLog()
        self._rests_until_s = self._began_s = 0.0
        self._places: dict[FactKind, Place[_After]] = {}  # of the kinds whose facts this look has not all seen

    def tick(self) -> float:
        if (left_s := self._rests_until_s - self._seconds()) > 0:
            return left_s
        if not self._places:
            self._places = {kind: Place(_START) for kind in self._store.read(_kinds)}
            self._began_s = self._seconds()
        if not self._places:
            return IDLE_S
        for kind, place in list(self._places.items()):
            facts = self._store.read(lambda tx, kind=kind, place=place: _facts(tx, kind, place.after))  # type: ignore[misc]
            self._start(facts)
            if not place.move(facts, BATCH, _after):
                del self._places[kind]
        if self._places:
            return 0
        took_s = self._seconds() - self._began_s
        pause_s = min(LONGEST_S, max(LOOK_S, SHARE * took_s))
        if took_s > LONG_S:
            self._rests_until_s = self._began_s + took_s + pause_s
        return pause_s

    def _start(self, facts: Sequence[Any]) -> None:
        """Submit what these facts start; one that cannot be read, or that the database refuses, does not delay the others."""
        if not facts:
            return
        try:
            started = self._store.transact(lambda tx: start_on_facts(tx, facts), name="start_on_facts")
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others start
            if len(facts) > 1:
                for fact in facts:
                    self._start([fact])
            else:
                self._unreadable.warn_once(_start_on(facts[0]), facts[0].fact_id, error)
            return
        if started:
            self._topics.publish("submission")

    def is_any_left(self, tx: Tx) -> bool:
        """Whether there is a fact now on which a schedule is still to start its workflow; safe from any thread.

        One that this daemon cannot read is for another one, so nobody waits here until it has started something.
        """
        kinds = _kinds(tx)
        starts = starts_of(tx.run("list_workflow_starts")) if kinds else {}
        facts = (fact for kind in kinds for fact in _all_facts(tx, kind) if not would_never_end(starts, fact))
        return any(not self._unreadable.has_warned(_start_on(fact), fact.fact_id) for fact in facts)


def start_on_facts(tx: Tx, facts: Sequence[Any]) -> int:
    """Submit what facts start, rows of the statements in `LOOKS`, unless that was done already. Returns how many.

    The schedules are locked. What would start what has made it, also by way of others, is left alone: publishing refuses
    that, except where several are published at once.
    """
    wanted = sorted({(*key_of(fact), fact.fact_kind, fact.fact_name) for fact in facts})
    locked = {key_of(row): row for row in tx.run("lock_fact_schedules", rows=wanted)}
    starts = starts_of(tx.run("list_workflow_starts"))
    instants = {key: max(tx.now, (row.last_fire_at or tx.now) + _MOMENT) for key, row in locked.items()}
    fires: list[tuple[Any, datetime]] = []
    for fact in facts:
        key = key_of(fact)
        if key in locked and not would_never_end(starts, fact):
            fires.append((fact, instants[key]))
            instants[key] += _MOMENT
    if not fires:
        return 0
    rows = [(*key_of(fact), at, _day(fact), fact.fact_kind, fact.fact_id) for fact, at in fires]
    tx.run("insert_fact_fires", rows=rows, now=tx.now)
    mine = [(*row[:3], *row[4:]) for row in rows]
    new = {(*key_of(row), row.fire_at) for row in tx.run("find_fact_fires", rows=mine)}
    links = [
        (*key_of(fact), at, _submit(tx, fact, locked[key_of(fact)].params))
        for fact, at in fires
        if (*key_of(fact), at) in new
    ]
    if links:
        tx.run("link_fires", rows=links)
        tx.run("note_fact_fires", rows=sorted({key[:2]: key[:3] for key in sorted(links)}.values()))
    return len(links)


def _kinds(tx: Tx) -> list[FactKind]:
    """On which kinds of facts schedules start; others are for a newer qflowd."""
    return [FactKind(row.fact_kind) for row in tx.run("find_fact_starts") if row.fact_kind in LOOKS]


def _facts(tx: Tx, kind: FactKind, after: _After) -> Sequence[Any]:
    """Facts of a kind on which schedules are still to start their workflows, a round of them behind a row."""
    more: dict[str, Any] = {"now": tx.now} if kind is FactKind.SIGNAL else {}
    number, definition_id, name = after
    return tx.run(LOOKS[kind], batch=BATCH, after_id=number, after_definition_id=definition_id, after_name=name, **more)


def _all_facts(tx: Tx, kind: FactKind) -> Iterator[Any]:
    place, has_more = Place(_START), True
    while has_more:
        facts = _facts(tx, kind, place.after)
        yield from facts
        has_more = place.move(facts, BATCH, _after)


def _after(fact: Any) -> _After:
    return fact.fact_id, *key_of(fact)


def _start_on(fact: Any) -> str:
    """What is to be started, in words."""
    return f"start of {fact.workflow} by schedule {fact.name} on {FactKind(fact.fact_kind).name.lower()} {fact.subject}"


def _submit(tx: Tx, fact: Any, params: str | None) -> int:
    given: dict[str, Json] = {} if params is None else json.loads(params)
    if FACT_PARAM in (load_workflow(tx, fact.active_version).params or {}):
        given = {FACT_PARAM: _about(fact)} | given
    columns = {
        "tenant": fact.tenant,
        "workflow": fact.workflow,
        "params": jsontext.dump(given) if given else params,
        "submitted_by": f"schedule:{fact.workflow}",
        "trigger_type": TRIGGER,
        "business_date": _day(fact),
    }
    return int(tx.one("insert_submission", **(SUBMISSION | columns)).id)


def _about(fact: Any) -> Json:
    """The fact as the run sees it, in its param."""
    if fact.fact_kind == FactKind.WORKFLOW:
        return {"workflow": fact.subject, "instance_id": fact.fact_id}
    if fact.fact_kind == FactKind.DATASET:
        return {"dataset": fact.subject, "version": 1}
    return {"signal": fact.subject, "payload": None if fact.payload is None else json.loads(fact.payload)}


def _day(fact: Any) -> str | None:
    return None if fact.business_date is None else str(fact.business_date)[:10]
