"""What tasks have written: pages of lines in the order of their ids, and all of them as text."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS, instance_of, key_range
from qflowd.model.names import item_name

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LEVELS: Final = get_args(Level)
LOOKED_AT: Final = 2_000  # lines at once, where few of them are wanted; each may have a megabyte
GLANCED_AT: Final = 20_000  # where their messages need not be read
AT_ONCE: Final = 20_000  # ids of a log that is sent whole
PIECE: Final = 500  # lines of it that are in memory
PATIENCE_S: Final = 0.15  # for a page of lines that are looked for
FEW_TASKS: Final = 20_000  # whose ends are found in less time than all of a long log is read
MOST_COUNTED: Final = 200_000
LARGEST_PART: Final = 8 << 20  # bytes of lines that are read at once; the last of them may exceed it
NEAR: Final = 16  # the last lines of an instance are looked for among so many times as many ids


class LineItem(Item):
    """A line that a task wrote. `stream`: stdout, stderr or log; `level`, `logger` and `attributes` are set for the last."""

    id: int
    task_id: str
    task: str
    map_index: int | None
    label: str | None
    attempt: int
    at: datetime
    stream: str
    level: str | None
    logger: str | None
    message: str
    attributes: Any


class LogPage(Item):
    """A page of lines, the oldest first.

    `next`: give it as `after` for what comes later; `prev`: as `before` for what came earlier, null at the beginning.
    `lines`: how many there are, counted up to 200,000; with `first_at` only where neither `after` nor `before` was given.
    """

    items: Sequence[LineItem]
    next: int | None
    prev: int | None
    first_at: datetime | None
    lines: int | None


@dataclass(frozen=True, slots=True)
class LinesWanted:
    """Of a task, or without one of all tasks of an instance. `level`: the lowest one; `search`: part of the message."""

    instance_id: int
    task_id: int | None = None
    attempt: int = 0
    fence: int = 0
    level: str | None = None
    search: str | None = None

    @property
    def is_narrow(self) -> bool:
        return bool(self.attempt or self.fence or self.level or self.search)

    @property
    def at_once(self) -> int:
        """How many lines of a task are looked at together."""
        return LOOKED_AT if self.search else GLANCED_AT

    @property
    def conditions(self) -> dict[str, Any]:
        """Parameters that tell which lines of those looked at are meant."""
        levels = "" if self.level is None else f",{','.join(LEVELS[LEVELS.index(self.level) :])},"
        return {"attempt": self.attempt, "fence": self.fence, "levels": levels, "search": self.search or ""}

    @property
    def range(self) -> dict[str, int]:
        """The first and the last task whose lines are meant."""
        if self.task_id is not None:
            return {"first": self.task_id, "last": self.task_id}
        return key_range(self.instance_id)


def later(call: Call, wanted: LinesWanted, after: int, limit: int) -> LogPage:
    """The first lines after an id."""
    found, until, reached, left = list[Any](), time.monotonic() + PATIENCE_S, after, LARGEST_PART
    while len(found) < limit and left > 0:
        looked = _look_ahead(call, wanted, reached, limit)
        part = fitting(call, wanted, looked.ids, left)
        found += _lines(call, wanted, part.ids)
        left -= part.bytes
        reached = part.ids[-1] if part.is_cut else looked.reached
        if part.is_cut or not looked.has_more or time.monotonic() > until:
            break
    found = found[:limit]
    follows = found[-1].id if len(found) == limit else reached
    return _page(found, follows or None, found[0].id if found and after else after or None)


def earlier(call: Call, wanted: LinesWanted, before: int, limit: int) -> LogPage:
    """The last lines before an id."""
    found, until, reached, left = list[Any](), time.monotonic() + PATIENCE_S, before, LARGEST_PART
    has_more = True
    while len(found) <= limit and has_more and left > 0:
        looked = _look_back(call, wanted, reached, limit + 1)
        part = fitting(call, wanted, looked.ids, left)
        found = _lines(call, wanted, part.ids) + found
        left -= part.bytes
        has_more = part.is_cut or looked.has_more
        reached = part.ids[-1] if part.is_cut else looked.reached
        if part.is_cut or time.monotonic() > until:
            break
    has_more = has_more or len(found) > limit
    found = found[-limit:]
    first = found[0].id if found and len(found) == limit else reached
    return _page(found, found[-1].id if found else None, first if has_more else None)


def ends(call: Call, wanted: LinesWanted) -> tuple[int, int]:
    """The ids of the first and the last line; 0 where there is none."""
    if wanted.task_id is None:
        size = call.one("count_ordinals", instance_id=wanted.instance_id)
        name = "find_ends_by_task" if size is not None and size.ordinals <= FEW_TASKS else "find_ends_of_lines"
        row = call.one(name, instance_id=wanted.instance_id, **wanted.range)
        return row.first_id or 0, row.last_id or 0
    found = _ids(call, wanted, 0, None, 1) + _ids(call, wanted, None, ABOVE_ALL_IDS, 1)
    return (found[0], found[-1]) if found else (0, 0)


def extent(call: Call, wanted: LinesWanted, first_id: int) -> tuple[datetime | None, int]:
    """When the first line was written, and how many there are, counted up to MOST_COUNTED."""
    if not first_id:
        return None, 0
    first = _lines(call, LinesWanted(wanted.instance_id), [first_id])
    row = call.one("count_lines", instance_id=wanted.instance_id, **wanted.range, batch=MOST_COUNTED)
    return first[0].at if first else None, int(row.lines_found)


def as_text(call: Call, wanted: LinesWanted, after: int) -> Iterator[str]:
    """All lines after an id, a piece at a time: never more than some hundred are in memory."""
    while ids := _ids(call, wanted, after, None, AT_ONCE):
        for start in range(0, len(ids), PIECE):
            rest = ids[start : start + PIECE]
            while (part := fitting(call, wanted, rest, LARGEST_PART)).ids:
                lines = _lines(call, wanted, part.ids)
                yield "".join(_text(line, with_task=wanted.task_id is None) for line in lines)
                rest = rest[rest.index(part.ids[-1]) + 1 :]
        after = ids[-1]
        if len(ids) < AT_ONCE:
            return


@dataclass(frozen=True, slots=True)
class FittingLines:
    """The ids of lines that may be read at once, and how large they are; `is_cut`: more would have been wanted."""

    ids: Sequence[int]
    bytes: int
    is_cut: bool


def fitting(call: Call, wanted: LinesWanted, ids: Sequence[int], most: int) -> FittingLines:
    """Those of some lines that are wanted, in their order, which begin within `most` bytes, from 1: of any, one at least."""
    if not ids:
        return FittingLines((), 0, is_cut=False)
    rows = call.read("measure_lines", rows=[(id,) for id in ids], **wanted.conditions)
    sizes = {row.id: int(row.bytes) for row in rows}
    meant = [id for id in ids if id in sizes]
    count = count_fitting((sizes[id] for id in meant), most)
    return FittingLines(meant[:count], sum(sizes[id] for id in meant[:count]), is_cut=count < len(meant))


def count_fitting(sizes: Iterable[int], most: int) -> int:
    """How many lines of these sizes may be read at once: as many as begin within `most` bytes."""
    count = 0
    for size in sizes:
        if most <= 0:
            break
        count, most = count + 1, most - size
    return count


@dataclass(frozen=True, slots=True)
class LookedAt:
    """Ids of lines that may be wanted, in the order in which they were looked at, and the last id that was."""

    ids: Sequence[int]
    reached: int
    has_more: bool


def _look_ahead(call: Call, wanted: LinesWanted, after: int, limit: int) -> LookedAt:
    """Lines after an id, up to `limit` of those that are wanted. Of a task the database looks which ones these are."""
    if wanted.task_id is None or not wanted.is_narrow:
        batch = LOOKED_AT if wanted.is_narrow else limit
        ids = _ids(call, wanted, after, None, batch)
        return LookedAt(ids, ids[-1] if ids else after, has_more=len(ids) == batch)
    of: dict[str, Any] = {"instance_id": wanted.instance_id, "task_id": wanted.task_id}
    end = call.one("find_end_of_lines", **of, after=after, batch=wanted.at_once)
    # Known before the lines are looked at, since others may be written meanwhile.
    last = end.id if end else max([after, *_ids(call, wanted, None, ABOVE_ALL_IDS, 1)])
    within = {"after": after, "before": last + 1, "batch": limit} | wanted.conditions
    ids = [row.id for row in call.read("find_wanted_lines_of_task", **of, **within)]
    is_full = len(ids) == limit
    return LookedAt(ids, ids[-1] if is_full else last, has_more=is_full or end is not None)


def _look_back(call: Call, wanted: LinesWanted, before: int, limit: int) -> LookedAt:
    """As `_look_ahead`, before an id: the last one first."""
    if wanted.task_id is None or not wanted.is_narrow:
        batch = LOOKED_AT if wanted.is_narrow else limit
        ids = _ids(call, wanted, None, before, batch)[::-1]
        return LookedAt(ids, ids[-1] if ids else before, has_more=len(ids) == batch)
    of: dict[str, Any] = {"instance_id": wanted.instance_id, "task_id": wanted.task_id}
    start = call.one("find_start_of_lines", **of, before=before, batch=wanted.at_once)
    first = start.id if start else 1
    within = {"after": first - 1, "before": before, "batch": limit} | wanted.conditions
    ids = [row.id for row in call.read("find_last_wanted_lines_of_task", **of, **within)]
    is_full = len(ids) == limit
    return LookedAt(ids, ids[-1] if is_full else first, has_more=is_full or start is not None)


def _ids(call: Call, wanted: LinesWanted, after: int | None, before: int | None, batch: int) -> list[int]:
    """Ids in rising order: the first after an id, or the last before one."""
    where: dict[str, Any] = {"instance_id": wanted.instance_id, "batch": batch}
    where |= wanted.range if wanted.task_id is None else {"task_id": wanted.task_id}
    if before is None:
        name = "find_lines" if wanted.task_id is None else "find_lines_of_task"
        return [row.id for row in call.read(name, **where, after=after)]
    if wanted.task_id is not None:
        return [row.id for row in call.read("find_last_lines_of_task", **where, before=before)][::-1]
    found: list[Any] = []
    for lowest in (before - NEAR * batch, 0):
        found = call.read("find_last_lines", **where, before=before, after=max(lowest, 0))
        if len(found) == batch or lowest <= 0:
            break
    return [row.id for row in found][::-1]


def _lines(call: Call, wanted: LinesWanted, ids: Sequence[int]) -> list[Any]:
    if not ids:
        return []
    return sorted(
        call.read("list_lines", rows=[(id,) for id in ids], **wanted.conditions), key=lambda line: int(line.id)
    )


def _page(found: Sequence[Any], next_after: int | None, prev_before: int | None) -> LogPage:
    items = [LineItem(**fields_of(line, LineItem) | {"task_id": str(line.task_id)}) for line in found]
    return LogPage(items, next_after, prev_before, None, None)


def _text(line: Any, *, with_task: bool) -> str:
    at = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    task = item_name(line) if line.attempt <= 1 else f"{item_name(line)}#{line.attempt}"
    what = (line.level or "log") if line.stream == "log" else line.stream
    return f"{at} {f'{task} ' if with_task else ''}{what} {line.message}\n"


def of_task(task_id: int, **more: Any) -> LinesWanted:
    """The lines of one task."""
    return LinesWanted(instance_of(task_id), task_id, **more)
