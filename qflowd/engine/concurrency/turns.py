"""Turns: what waited for another instance begins when that one has ended, exactly once, whichever daemon looks first.

The look without a lock finds keys with a free place; the transaction that begins one has locked the key and counts again.
"""

import logging
from dataclasses import replace
from typing import Any, ClassVar, Final

from qflowd.engine.admission.begin import admission_again, begin
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.commands.control import LanesMissing
from qflowd.engine.concurrency.overlap import end_queued, lock_lines
from qflowd.engine.service import Topics, UnreadableLog, log_refused, report
from qflowd.model import jsontext
from qflowd.model.errors import QflowdError, RowsLocked, StoreUnavailable
from qflowd.model.states import InstanceState, Reason
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
QUEUED_S: Final = 1.0  # between looks while somebody waits: the daemon that ended the one before may be dead
IDLE_S: Final = 10.0


class Turns:
    """The service that begins instances whose turn has come."""

    name: ClassVar[str] = "turns"
    topics: ClassVar[tuple[str, ...]] = ("turn",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs, topics: Topics) -> None:
        self._store, self._plans, self._lanes, self._jobs, self._topics = store, plans, lanes, jobs, topics
        self._unreadable = UnreadableLog()

    def tick(self) -> float:
        queues = self._store.read(lambda tx: tx.run("list_queues"))
        begun = [row for row in queues if self._has_place(row) and self._begin_next(row)]
        if begun:
            self._topics.publish("ready", "timer", "child")
            return 0
        return QUEUED_S if queues else IDLE_S

    def _has_place(self, row: Any) -> bool:
        try:
            plan = self._store.read(lambda tx: self._plans.of_version(tx, row.version_id))
        except StoreUnavailable:
            raise
        except QflowdError as error:
            self._unreadable.warn_once("queued instance", row.id, error)
            return False
        return plan.workflow.concurrency is not None and row.running < plan.workflow.concurrency.most

    def _begin_next(self, row: Any) -> bool:
        """Begin the first in a queue. False if there is none any more, or no place."""
        try:
            return self._store.transact(lambda tx: self.begin_next(tx, row), name="begin_next")
        except LanesMissing as missing:
            self._lanes.ensure(missing.lanes)
            return self._begin_next(row)
        except RowsLocked as locked:
            report(f"turn of instance {row.id}", locked, QUEUED_S)
            return False
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, those behind it must get their turn
            log_refused("instance %d cannot begin: %s", row.id, error)
            text = jsontext.clean_text(f"could not begin: {error}")[:2000]
            self._store.transact(
                lambda tx: end_queued(tx, row.id, InstanceState.FAILED, Reason.ERROR, text), name="end_queued"
            )
            return True

    def begin_next(self, tx: Tx, row: Any) -> bool:
        """Begin the first in the queue of a row of `list_queues`. False if there is none any more, or no place.

        Raises: LanesMissing; Refused if its submission no longer fits.
        """
        key, definition = row.concurrency_key, tx.one("find_workflow", tenant=row.tenant, workflow=row.workflow)
        if definition.paused_at is not None:
            return False
        line = lock_lines(tx, [key])[key]
        if line.queued is None:
            return False
        admission = admission_again(tx, line.queued, self._plans, self._jobs)
        concurrency = admission.plan.workflow.concurrency
        if concurrency is None or len(line.running) >= concurrency.most:
            return False
        return begin(tx, replace(admission, concurrency_key=key), self._lanes)
