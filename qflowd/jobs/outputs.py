"""What the items of a map returned, for the job of a task behind it: a list that is read page by page."""

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import msgspec


class OutputPage(msgspec.Struct, frozen=True):
    """Outputs of neighbouring items, and how many items there are in all."""

    items: int
    outputs: list[Any]


_decode = msgspec.json.Decoder(OutputPage).decode


class MapOutputs(Sequence[Any]):
    """Has a length, indexes, slices and an order as any list; `list(outputs)` loads all of it. One page is kept.

    Args:
        fetch: the page that begins with the item of this index, as JSON text.
    """

    def __init__(self, fetch: Callable[[int], bytes]) -> None:
        self._fetch = fetch
        self._start, self._page = 0, _decode(fetch(0))

    def __len__(self) -> int:
        return self._page.items

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        if not self._start <= place < self._start + len(self._page.outputs):
            self._start, self._page = place, _decode(self._fetch(place))
        return self._page.outputs[place - self._start]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<outputs of {len(self)} items>"
