"""Lists by keyset: a page ends with a cursor, which holds the last key and fits only the query that made it."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from qflowd.api.answers import ApiFault, Item
from qflowd.api.reading import Query
from qflowd.model import jsontext
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.instants import within_bounds

T = TypeVar("T")
K = TypeVar("K")
Id = Annotated[int, msgspec.Meta(ge=0, le=ABOVE_ALL_IDS)]
Small = Annotated[int, msgspec.Meta(ge=-(1 << 15), le=(1 << 31) - 1)]  # a place, a fence, or a priority
LARGEST_PAGE = 500
MOST_COUNTED = 10_000  # what `?total=1` counts to: an exact count of millions takes a minute


class PageQuery(Query):
    """Base of the parameters of a list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PAGE)] = 50
    cursor: str | None = None
    total: bool = False


class ListPage(Item, Generic[T]):
    """A page of a list. `next`: the cursor of the page after it; null at the end. `total` is counted if it is asked for.

    `more`: there are more than the `total` that was counted.
    """

    items: Sequence[T]
    next: str | None = None
    total: int | None = None
    more: bool | None = None


def cursor_of(query: PageQuery, *key: Any) -> str:
    """The cursor of the page behind the row with this key, for the same query."""
    return base64.urlsafe_b64encode(msgspec.json.encode([_digest(query), *key])).decode().rstrip("=")


def read_cursor(query: PageQuery, kind: type[K]) -> K | None:
    """The key that the cursor of a query holds, a tuple of this kind; None for its first page.

    Raises: ApiFault 40003 for a cursor of another query, or of nobody.
    """
    if query.cursor is None:
        return None
    try:
        text = query.cursor.encode("ascii")
        parts: Any = jsontext.parse(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)), is_sent=True)
        digest, *plain = parts
    except (ValueError, TypeError):
        raise foreign_cursor() from None
    if digest != _digest(query):
        raise ApiFault(40003, "the cursor belongs to a query with other filters; begin again without it")
    try:
        key: Any = msgspec.convert(plain, kind)
    except msgspec.ValidationError:
        raise foreign_cursor() from None
    return type(key)(within_bounds(each) if isinstance(each, datetime) else each for each in key)  # type: ignore[no-any-return]


def foreign_cursor() -> ApiFault:
    """What is said of a cursor that no page has ended with."""
    return ApiFault(40003, "the cursor is not one that a page ended with; begin again without it")


def page_of(
    query: PageQuery,
    rows: Sequence[Any],
    *key: str,
    make: Callable[[Any], T] = lambda row: row,
    total: int | None = None,
) -> ListPage[T]:
    """Of `limit + 1` rows the page, with a cursor where there are more. `key`: the attributes that order the rows."""
    page = ListPage([make(row) for row in rows[: query.limit]], total=total, more=None if total is None else False)
    if len(rows) > query.limit:
        page.next = cursor_of(query, *[getattr(rows[query.limit - 1], name) for name in key])
    return page


def _digest(query: PageQuery) -> str:
    """Of what the query asks for, whatever page it asks for."""
    plain = msgspec.structs.asdict(query) | {"limit": None, "cursor": None, "total": None}
    text = msgspec.json.encode([type(query).__name__, plain], order="sorted")
    return hashlib.blake2b(text, digest_size=6).hexdigest()
