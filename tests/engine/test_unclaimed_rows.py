"""Rows that no pool claims are read lane by lane, some at a time, and whoever has many of them delays no one else."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from qflowd.engine.claiming.unclaimed import UnclaimedRows
from qflowd.model.workflow import WAIT_POOL
from tests.support.lab import Lab

WAITS = {"wait_for": {"signal": "bars.ready"}}
MANY, FEW, BATCH = 7, 2, 3


@pytest.fixture
def lanes(lab: Lab) -> tuple[int, int]:
    """Instances whose tasks are about to wait: of one with many, each of its own priority, and of one with few."""
    job = WAITS | {"job": "work"}
    lab.define("many", {f"t{number}": job | {"priority": (number * 3) % MANY} for number in range(MANY)})
    lab.define("few", {f"t{number}": WAITS for number in range(FEW)})
    return lab.start("many"), lab.start("few")


def ids(found: list[list[Any]]) -> list[int]:
    return [row.id for rows in found for row in rows]


def whole_round(rows: UnclaimedRows) -> list[list[int]]:
    """What each call of a round has found."""
    calls, has_more = list[list[int]](), True
    while has_more:
        found, has_more = rows.next()
        calls.append(ids(found))
    return calls


def test_a_round_reads_every_row_and_comes_to_an_end_and_so_does_the_next_one(lab: Lab, lanes: tuple[int, int]) -> None:
    rows = UnclaimedRows(lab.store, WAIT_POOL, BATCH)
    everything = [row[0] for row in lab.sql("SELECT id FROM qflow.task_instance ORDER BY id")]
    assert len(everything) == MANY + FEW
    for _ in range(3):
        assert sorted(set(chain.from_iterable(whole_round(rows)))) == everything


def test_lanes_take_turns(lab: Lab, lanes: tuple[int, int]) -> None:
    calls = whole_round(UnclaimedRows(lab.store, WAIT_POOL, BATCH))
    few = {row[0] for row in lab.sql(f"SELECT id FROM qflow.tasks WHERE instance_id = {lanes[1]}")}
    assert few <= set(calls[0] + calls[1])
    assert max(map(len, calls)) < BATCH * 2


def test_the_rows_of_a_lane_come_by_priority(lab: Lab, lanes: tuple[int, int]) -> None:
    calls = whole_round(UnclaimedRows(lab.store, WAIT_POOL, BATCH))
    many = [
        row[0]
        for row in lab.sql(f"SELECT id FROM qflow.task_instance WHERE id >> 20 = {lanes[0]} ORDER BY priority, id")
    ]
    assert [number for number in chain.from_iterable(calls) if number in many][:MANY] == many
    assert many != sorted(many)


def test_rows_that_stay_hide_none_that_come_behind_them(lab: Lab, lanes: tuple[int, int]) -> None:
    rows = UnclaimedRows(lab.store, WAIT_POOL, BATCH)
    before = whole_round(rows)
    more = lab.start("many")
    new = {row[0] for row in lab.sql(f"SELECT id FROM qflow.tasks WHERE instance_id = {more}")}
    after = whole_round(rows)
    assert set(chain.from_iterable(after)) == set(chain.from_iterable(before)) | new


def test_however_long_the_lanes_are_a_round_ends(lab: Lab) -> None:
    lengths = (4, 7, 8)
    for name, length in zip("abc", lengths, strict=True):
        lab.define(name, {f"t{number}": WAITS | {"job": f"work_{name}"} for number in range(length)})
        lab.start(name)
    rows = UnclaimedRows(lab.store, WAIT_POOL, BATCH)
    for _ in range(3):
        calls = whole_round(rows)
        assert len(set(chain.from_iterable(calls))) == sum(lengths)
        assert len(calls) <= sum(lengths)


def test_nothing_is_read_where_nothing_is_ready(lab: Lab) -> None:
    assert UnclaimedRows(lab.store, WAIT_POOL, BATCH).next() == ([], False)
