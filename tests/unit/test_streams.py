"""Pages that several streams of ids meet on: nothing is lost or shown twice, however short the time for each is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qflowd.api.finding.streams import IdStream, meet

STORED = {"of_one": range(1, 400, 7), "of_another": range(3, 900, 11), "of_nobody": range(0)}


def read(statement: str, before: int, lowest: int, batch: int, **_: Any) -> list[Any]:
    """What a statement would find."""
    found = [id for id in reversed(STORED[statement]) if lowest <= id < before]
    return [SimpleNamespace(id=id) for id in found[:batch]]


@pytest.mark.parametrize("patience_s", [0.0, 9.0])
@pytest.mark.parametrize("is_narrow", [False, True])
@pytest.mark.parametrize("limit", [1, 10, 500])
def test_pages_together_are_everything_newest_first(patience_s: float, is_narrow: bool, limit: int) -> None:
    before, found, pages = 1_000, list[int](), 0
    while before is not None:
        streams = [IdStream(name, {}, before, is_narrow=is_narrow, span=50) for name in STORED]
        page = meet(read, streams, limit, patience_s)
        assert page.before is None or page.before < before
        found, pages = found + page.ids, pages + 1
        before = page.before  # type: ignore[assignment]
    assert found == sorted({*STORED["of_one"], *STORED["of_another"]}, reverse=True)
    assert pages < 500


def test_a_page_without_time_is_short_and_says_where_to_continue() -> None:
    page = meet(read, [IdStream("of_one", {}, 10_000, is_narrow=True, span=50)], 10, 0.0)
    assert (page.ids, page.before) == ([], 9_950)
