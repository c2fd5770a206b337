"""Pages of ids that come from several indexes: each is a stream of falling ids, and a page is where they meet.

A filter that no index serves is a condition on the rows of a stream. It is asked of a span of ids at a time, so that a filter
that nothing matches costs many short statements and not a long one; when the time is up, the page is short and says where
to continue.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from qflowd.api.finding.when import Read
from qflowd.api.paging import MOST_COUNTED, Id, ListPage, PageQuery, cursor_of, read_cursor

T = TypeVar("T")

FIRST_SPAN: Final = 2_000  # ids whose rows are looked at by the first statement of a stream with conditions
QUICK_S: Final = 0.003  # a statement that took less may look at four times as much next time
PATIENCE_S: Final = (
    0.025  # for a page; then it is returned as it is. With the statement under way, and the items: 50 ms
)


class FoundIds(NamedTuple):
    """Ids in falling order. `before`: where the next page continues; None where all that there is has been seen."""

    ids: list[int]
    before: int | None


@dataclass(slots=True)
class IdStream:
    """What one statement finds, newest first. `lowest`: no id below it is looked for."""

    statement: str
    params: dict[str, Any]
    before: int
    lowest: int = 0
    is_narrow: bool = False  # it has conditions that its index does not serve
    span: int = FIRST_SPAN
    ids: list[int] = field(default_factory=list)

    @property
    def is_exhausted(self) -> bool:
        return self.before <= self.lowest

    def advance(self, read: Read, batch: int) -> None:
        """Look at the next part; `before` then says how far all ids are known."""
        lowest = max(self.lowest, self.before - self.span) if self.is_narrow else self.lowest
        began = time.monotonic()
        rows = read(self.statement, **self.params, before=self.before, lowest=lowest, batch=batch)
        if time.monotonic() - began < QUICK_S:
            self.span *= 4
        self.ids += [row.id for row in rows]
        self.before = rows[-1].id if len(rows) == batch else lowest


def meet(read: Read, streams: Sequence[IdStream], limit: int, patience_s: float = PATIENCE_S) -> FoundIds:
    """The first `limit` ids of all streams together. Each is looked at once at least: a next page continues below this one."""
    until, start = time.monotonic() + patience_s, max((stream.before for stream in streams), default=0)
    while True:
        known = max((stream.before for stream in streams if not stream.is_exhausted), default=0)
        found = sorted({id for stream in streams for id in stream.ids if id >= known}, reverse=True)
        if len(found) > limit:
            return FoundIds(found[:limit], found[limit - 1])
        if not known:
            return FoundIds(found, None)
        if known < start and time.monotonic() > until:
            return FoundIds(found, known)
        next(stream for stream in streams if stream.before == known and not stream.is_exhausted).advance(
            read, limit + 1
        )


def page_of_ids(
    query: PageQuery,
    find: Callable[[int | None, int], FoundIds],
    items_of: Callable[[list[int]], Sequence[T]],
    count: Callable[[int], tuple[int, bool]] | None = None,
) -> ListPage[T]:
    """A page of what `find` finds: at most so many ids below one, or the newest. They are counted if that is asked for.

    `count`: says how many there are, up to a number, and whether there are more; without it they are looked for.
    """
    [before] = read_cursor(query, tuple[Id]) or [None]
    found = find(before, query.limit)
    page = ListPage(items_of(found.ids), None if found.before is None else cursor_of(query, found.before))
    if query.total and count is not None:
        page.total, page.more = count(MOST_COUNTED)
    elif query.total:
        counted = find(None, MOST_COUNTED)
        page.total, page.more = len(counted.ids), counted.before is not None
    return page
