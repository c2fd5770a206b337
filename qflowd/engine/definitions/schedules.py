"""Schedules: what is due is submitted through the inbox, once per instant, whatever the number of daemons."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.calendars.replanning import replan
from qflowd.engine.definitions.due_fires import GRACE_S
from qflowd.engine.definitions.firing import FiredSchedule, fire_schedules, key_of
from qflowd.engine.service import Topics
from qflowd.model.errors import NotFound, OutsideCalendar
from qflowd.model.instruments import ScheduleFired
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
BATCH: Final = 1000  # schedules in a round
AT_ONCE: Final = 1000  # in a transaction: what is admitted meanwhile takes the time of the rest
IDLE_S: Final = 10.0  # versions with other schedules are published by programs that wake nobody
AFTER_FAULT_S: Final = 1.0


class Schedules:
    """The service that submits what schedules fire."""

    name: ClassVar[str] = "schedules"
    topics: ClassVar[tuple[str, ...]] = ("schedule",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics
        self._books = CalendarBooks()
        # Schedule -> why this daemon cannot compute it; "": that is not shown yet, as another daemon may know more.
        self._broken: dict[tuple[int, str], str] = {}
        self._is_planned = False

    def tick(self) -> float:
        if not self._is_planned:
            self._store.transact(replan, name="replan")
            self._is_planned = True
        # What is broken stays due, and must not crowd out the rest.
        most = BATCH + len(self._broken)
        heads, now = self._store.read(lambda tx: (tx.run("list_due_schedules", now=tx.now, batch=most), tx.now))
        heads.sort(key=key_of)
        pauses = [self._fire(heads[start : start + AT_ONCE], now) for start in range(0, len(heads), AT_ONCE)]
        if len(heads) == most:
            return 0
        next_at = self._store.read(lambda tx: tx.one("next_schedule", now=now)).next_fire_at
        if next_at is not None:
            pauses.append(max(0.0, (next_at - self._store.clock.now()).total_seconds()))
        return min([IDLE_S, *pauses])

    def _fire(self, heads: Sequence[Any], now: datetime) -> float:
        """Fire some schedules; returns after how many seconds they must be looked at again. None delays the others."""
        try:
            outcomes = self._store.transact(lambda tx: fire_schedules(tx, heads, self._books), name="fire_schedules")
        except DataRefused:
            if len(heads) > 1:
                return min(self._fire([head], now) for head in heads)
            log.exception("schedule of workflow %s cannot be fired", heads[0].workflow)
            return AFTER_FAULT_S
        by_key = {key_of(head): head for head in heads}
        pauses = [self._note(by_key[key_of(outcome.row)].workflow, outcome, now) for outcome in outcomes]
        if has_fired := any(outcome.submissions for outcome in outcomes):
            self._topics.publish("submission")
        if len(outcomes) < len(heads):  # the others were too many for a transaction, or another daemon is at them
            return 0 if has_fired else AFTER_FAULT_S
        return min(pauses)

    def _note(self, workflow: str, outcome: FiredSchedule, now: datetime) -> float:
        """Tell what became of one schedule; returns after how many seconds it must be looked at again."""
        row, due, error = outcome.row, outcome.due, outcome.error
        if isinstance(error, NotFound | OutsideCalendar):
            if now - row.next_fire_at <= timedelta(seconds=GRACE_S):
                self._broken.setdefault(key_of(row), "")
                return AFTER_FAULT_S
            self._show(row, workflow, f"schedule {_times(row)} by calendar {row.calendar}: {error}")
            return IDLE_S
        if due is None:
            why = f"no next instant can be computed: {error!r}; is the time zone data of this host complete?"
            self._show(row, workflow, f"schedule {_times(row)} in {row.timezone}: {why}")
            return IDLE_S
        if outcome.submissions:
            late_s = (now - due.fires[-1].at).total_seconds()
            self._store.instruments.emit(ScheduleFired(workflow, outcome.submissions, late_s))
        self._show(row, workflow, None)
        return 0 if due.next_at is not None and due.next_at <= now else IDLE_S

    def _show(self, row: Any, workflow: str, error: str | None) -> None:
        """Log and show once why a schedule does not fire, and take it back when it does again."""
        key = key_of(row)
        if self._broken.get(key) == error:
            return

        def show_schedule_error(tx: Tx) -> None:
            tx.run("set_schedule_error", definition_id=row.definition_id, error=error, now=tx.now)

        self._store.transact(show_schedule_error)
        if error is None:
            del self._broken[key]
        else:
            log.error("workflow %s: %s", workflow, error)
            self._broken[key] = error


def _times(row: Any) -> str:
    return repr(row.session_time or row.cron)
