"""A cache bounded by the weight of its values, not by their number."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(OrderedDict[K, V]):
    """A dict that drops its oldest values once all together weigh more than `most`; the newest one always stays."""

    def __init__(self, most: int, weigh: Callable[[V], int]) -> None:
        super().__init__()
        self.most, self.weight, self._weigh = most, 0, weigh
        self._lock = threading.Lock()

    def remember(self, pairs: Iterable[tuple[K, V]], keep: Collection[K] = ()) -> None:
        """Add values, or replace them; what is in `keep` is not dropped for their sake."""
        with self._lock:
            weigh, weight = self._weigh, self.weight
            for key, value in pairs:
                if key in self:
                    weight -= weigh(self[key])
                self[key] = value
                weight += weigh(value)
            self.weight = weight
            for key in keep:
                if self.weight > self.most and key in self:
                    self.move_to_end(key)
            while self.weight > self.most and len(self) > 1 and next(iter(self)) not in keep:
                self.weight -= self._weigh(self.popitem(last=False)[1])

    def forget(self, keys: Iterable[K]) -> None:
        """Drop these, where they are there."""
        with self._lock:
            for key in keys:
                if key in self:
                    self.weight -= self._weigh(self.pop(key))

    def clear(self) -> None:
        with self._lock:
            super().clear()
            self.weight = 0
