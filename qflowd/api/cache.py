"""What is remembered in this process so that nobody need be asked again; the least recently used goes first."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, up to a weight of `most` together; 1 each unless `weigh` says otherwise. Threads may share it."""

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        self._most, self._weigh, self._weight = most, weigh, 0
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which now counts as used; None if it is not remembered."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def known(self, keys: Iterable[K]) -> dict[K, V]:
        """Those that are remembered."""
        return {key: value for key in keys if (value := self.get(key)) is not None}

    def put(self, key: K, value: V) -> None:
        """Remember a value in place of an older one; the newest always stays."""
        with self._lock:
            if key in self._values:
                self._weight -= self._weigh(self._values.pop(key))
            self._values[key] = value
            self._weight += self._weigh(value)
            while self._weight > self._most and len(self._values) > 1:
                self._weight -= self._weigh(self._values.popitem(last=False)[1])

    def drop(self, key: K) -> None:
        """Remember it no more; it may be one that is not remembered."""
        with self._lock:
            if key in self._values:
                self._weight -= self._weigh(self._values.pop(key))


class ForAWhile(Generic[K, V]):
    """Values that hold for some seconds: many who ask at once cost as much as one."""

    def __init__(self, seconds: float, most: int = 1000) -> None:
        self._seconds = seconds
        self._values: Remembered[K, tuple[float, V]] = Remembered(most)
        self._making: Remembered[K, threading.Lock] = Remembered(most)
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value, made anew where the last one is too old; others who want it meanwhile wait for that."""
        with self._lock:
            making = self._making.get(key) or threading.Lock()
            self._making.put(key, making)
        with making:
            found = self._values.get(key)
            if found is not None and found[0] > time.monotonic():
                return found[1]
            value = make()
            self._values.put(key, (time.monotonic() + self._seconds, value))
            return value
