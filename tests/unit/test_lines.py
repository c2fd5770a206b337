"""Lines: rows that run one after another in a worker share a slot, and no more lines are open than slots are held."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lines import Lines
from qflowd.engine.limits.slots import Freed, Moved

VENDOR = "vendor=1"


def keys(*ids: int) -> list[tuple[int, int]]:
    return [(number, 1) for number in ids]


@pytest.fixture
def lines() -> Lines:
    """Ids 1 to 6 were claimed, with slots for 3 and 6."""
    rows = [Claimed(number, 0, 1, 0, 0, 0, 0) for number in range(1, 7)]
    claim: Any = SimpleNamespace(lane=SimpleNamespace(key=SimpleNamespace(limits=VENDOR)), rows=rows, holders={3, 6})
    lines = Lines()
    lines.hold(claim)
    return lines


def test_no_more_lines_begin_than_slots_are_held(lines):
    assert lines.begin(VENDOR, keys(1, 2, 3))
    assert lines.begin(VENDOR, keys(4, 5))
    assert not lines.begin(VENDOR, keys(6))


def test_the_last_row_of_a_line_gives_its_slot_back(lines):
    lines.begin(VENDOR, keys(1, 2, 3))
    assert lines.end(keys(1, 2), set()) == ([], [])
    assert not lines.has_ended({3})
    assert lines.has_ended(set())
    assert lines.end(keys(3), set()) == ([Freed(3, VENDOR)], [])
    assert lines.free(VENDOR) == 1


def test_a_slot_moves_on_if_its_row_comes_back_before_the_others(lines):
    lines.begin(VENDOR, keys(1, 2, 3))
    unbegun = Freed(3, VENDOR, has_begun=False, has_slot=False)
    assert lines.end(keys(3), {3}) == ([unbegun], [Moved(3, 2, 1, VENDOR)])
    assert lines.end(keys(1, 2), set()) == ([Freed(2, VENDOR)], [])


def test_only_rows_with_slots_are_written_as_running(lines):
    assert [lines.may_run((number, 1)) for number in (1, 3, 99)] == [False, True, True]


def test_what_the_database_no_longer_calls_ours_leaves_its_line(lines):
    lines.begin(VENDOR, keys(1, 2, 3))
    lines.keep({(6, 1): (VENDOR, True)})
    assert lines.free(VENDOR) == 1
    assert lines.end(keys(1, 2, 3, 6), set()) == ([Freed(6, VENDOR)], [])
