"""The lock order is watched in all tests of this folder; here: that the watch sees, and that no statement escapes it."""

from __future__ import annotations

import re

import pytest

from qflowd import resources
from qflowd.store.catalog import split
from tests.support.lock_order import LEVELS, NEVER_WAIT, SHARED

LOCKED = (
    *("task_instance", "workflow_instance", "dataset", "tenant", "limit_key", "run_key", "dated_run"),
    *("workflow_definition", "paused_task"),
)


def test_every_statement_that_locks_what_others_wait_for_has_a_place_in_the_order():
    found = set()
    for folder in ("common", "postgres", "mysql", "sqlite"):
        for file in (resources.folder("sql") / folder).glob("*.sql"):
            for name, text in split(file):
                first = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
                tables = re.search(
                    r"(?:UPDATE|INSERT INTO|DELETE FROM|\{(?:update|delete):)\s+(?:\{rows[^}]*\} \w+\s+STRAIGHT_JOIN )?(?:\{each[^}]*\} AS n\s+STRAIGHT_JOIN )?qflow\.(\w+)",
                    first,
                )
                locks = "FOR UPDATE" in first or "FOR SHARE" in first
                if (tables and tables[1] in LOCKED) or (
                    locks and re.search(r"_instance|limit_key|workflow_definition|paused_task|qflow\.tenant x", first)
                ):
                    found.add(name)
    assert found == LEVELS.keys() | NEVER_WAIT.keys() | SHARED.keys()


def test_a_step_back_is_seen(lab):
    def backwards(tx):
        tx.run("lock_instance", id=1)
        tx.run("lock_tasks", first=0, last=1)

    with pytest.raises(AssertionError, match="lock_tasks locks after what comes behind it"):
        lab.store.transact(backwards)


def test_a_shared_lock_that_is_to_become_an_own_one_is_seen(lab):
    def upgrade(tx):
        tx.run("find_workflow", tenant="default", workflow="daily")
        tx.run("pause_definition", id=1, now=tx.now, paused_by=None, pause_reason=None)

    with pytest.raises(AssertionError, match="pause_definition wants for itself what it shares"):
        lab.store.transact(upgrade)


def test_rows_out_of_order_are_seen(lab):
    with pytest.raises(AssertionError, match="not in the order of their ids"):
        lab.store.transact(lambda tx: tx.run("advance_tasks", rows=[(2, 1, 1, 0), (1, 1, 1, 0)], now=tx.now))
