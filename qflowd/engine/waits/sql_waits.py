"""Conditions in other databases: each daemon asks those that its configuration has a connection to.

Every connection is asked in a thread of its own, so a database that hangs holds up neither the others nor the daemon.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, ClassVar, Final, NamedTuple

from qflowd.config.records import ConnectionConfig
from qflowd.engine.service import Topics
from qflowd.engine.waits.aside import Aside
from qflowd.engine.waits.open_looks import OpenLooks, Seen, Sight
from qflowd.engine.waits.sql_judge import judge_value
from qflowd.engine.waits.wanted_query import WantedQuery
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import FactKind
from qflowd.store.clock import boottime
from qflowd.store.guests.guest import Guest, GuestFailed, visit
from qflowd.store.tx import Store

PATIENCE_S: Final = 0.2
VISIT_S: Final = 10.0  # after which a visit asks nothing more: what is left is asked first by the next one
HANGS_S: Final = 40.0  # more than the longest visit takes: it connects, asks, and its last query is stopped
Answers = Mapping[WantedQuery, Sight]


class WaitingTask(NamedTuple):
    """A task that waits for a condition, by its fence."""

    task_id: int
    fence: int
    tenant: str
    query: WantedQuery


class SqlWaits:
    """The service that asks other databases. What several tasks ask in the same words, as often, is asked once.

    `seconds`: a clock that nobody sets; of the time between two looks. `patience_s`: with a visit; the answers of one that
    takes longer are fetched at a later round.
    """

    name: ClassVar[str] = "sql_waits"
    topics: ClassVar[tuple[str, ...]] = ("look",)

    def __init__(
        self,
        store: Store,
        topics: Topics,
        connections: Mapping[str, ConnectionConfig],
        daemon: str,
        seconds: Callable[[], float] = boottime,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connections, self._daemon = connections, daemon
        self._seconds, self._patience_s = seconds, patience_s
        self._asides = {name: Aside[Answers](f"qflowd-ask-{name}") for name in connections}
        self._asked_s: dict[WantedQuery, float] = {}
        # Who waited when the visit began that is under way, or has just ended: its answers are for no later wait.
        self._waited: dict[str, frozenset[WaitingTask]] = {}
        self._open = OpenLooks(store, topics, FactKind.SQL, _read, daemon, seconds)

    def tick(self) -> float:
        """Raises: StoreUnavailable. What was answered may not have been written then, so all is asked again at once."""
        try:
            return self._open.tick(self._look)
        except StoreUnavailable:
            self._asked_s.clear()
            raise

    def _look(self, waiting: set[WaitingTask]) -> Seen[WaitingTask]:
        """What has been answered of what is waited for."""
        by_connection: dict[str, set[WaitingTask]] = defaultdict(set)
        unable: dict[WaitingTask, str] = {}
        for each in waiting:
            if why := self._why_unable(each.query.connection, each.tenant):
                unable[each] = why
            else:
                by_connection[each.query.connection].add(each)
        sights: dict[WaitingTask, Sight] = {}
        for name in sorted(by_connection):
            sights |= self._answers(name, by_connection[name])
        wanted = {each.query for each in waiting}
        self._asked_s = {query: at_s for query, at_s in self._asked_s.items() if query in wanted}
        return Seen(sights, unable)

    def _why_unable(self, name: str, tenant: str) -> str:
        """Why this daemon asks no such connection for a tenant; "" if it does."""
        if (connection := self._connections.get(name)) is None:
            return f"connection {name} is not under [connections] of its qflowd.toml"
        if connection.is_for(tenant):
            return ""
        return (
            f"connection {name} is not for tenant {tenant}: add it to [connections.{name}] tenants of its qflowd.toml"
        )

    def _answers(self, name: str, waiting: set[WaitingTask]) -> dict[WaitingTask, Sight]:
        """What a connection says of the queries whose time it is, perhaps of an earlier round; {} if it takes its time."""
        now_s = self._seconds()
        asked_s = {query: self._asked_s.get(query, now_s - query.every_s) for query in {each.query for each in waiting}}
        due = sorted(
            (query for query, at_s in asked_s.items() if now_s - at_s >= query.every_s),
            key=lambda query: (asked_s[query] + query.every_s, query),
        )
        aside = self._asides[name]
        if not due and not aside.late_s:
            return {}
        url = self._connections[name].url
        if not aside.late_s:
            self._waited[name] = frozenset(waiting)
        answers = aside.ask(lambda: _ask_all(url, f"qflowd {self._daemon}", due), self._patience_s)
        if answers is None:
            does_not = Sight(None, f"connection {name} does not answer")
            return dict.fromkeys(waiting, does_not) if aside.late_s > HANGS_S else {}
        waited = self._waited[name]
        too_late = {each.query for each in waiting - waited}
        self._asked_s.update(dict.fromkeys(answers.keys() - too_late, self._seconds()))
        return {each: answers[each.query] for each in waiting & waited if each.query in answers}


def _ask_all(url: str, name: str, queries: Sequence[WantedQuery]) -> Answers:
    """Ask one query after the other, as long as there is time. A session in which one has failed is not used again."""
    answers: dict[WantedQuery, Sight] = {}
    ends_s = monotonic() + VISIT_S
    rest = list(queries)
    while rest and (not answers or monotonic() < ends_s):
        try:
            with visit(url, name) as guest:
                while rest and (not answers or monotonic() < ends_s):
                    answers[rest[0]] = _ask(guest, rest[0])
                    del rest[0]
        except _Refused as error:
            answers[rest.pop(0)] = Sight(None, str(error))
        except GuestFailed as error:  # nobody gets in
            return answers | dict.fromkeys(rest, Sight(None, f"cannot connect: {error}"))
    return answers


class _Refused(Exception):
    """A query has failed, not the way to its database."""


def _ask(guest: Guest, query: WantedQuery) -> Sight:
    try:
        return judge_value(guest.first_value(query.sql, json.loads(query.params)))
    except GuestFailed as error:
        raise _Refused(str(error)) from error


def _read(row: Any) -> WaitingTask:
    return WaitingTask(row.task_id, row.fence, row.tenant, WantedQuery(*json.loads(row.wanted)))
