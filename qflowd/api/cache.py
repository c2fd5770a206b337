"""What is remembered in this process so that nobody need be asked again; the least recently used goes first."""

import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from qflowd.engine.bounded_cache import BoundedCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(BoundedCache[K, V]):
    """A cache whose values weigh 1 each unless `weigh` says otherwise. Threads may share it."""

    def __init__(self, most: int, weigh: Callable[[V], int] = lambda _: 1) -> None:
        super().__init__(most, weigh)

    def find(self, key: K) -> V | None:
        """The value, which now counts as used; None if it is not remembered."""
        with self._lock:
            if key not in self:
                return None
            self.move_to_end(key)
            return self[key]

    def known(self, keys: Iterable[K]) -> dict[K, V]:
        """Those that are remembered."""
        return {key: value for key in keys if (value := self.find(key)) is not None}


class TtlCache(Generic[K, V]):
    """Values that hold for some seconds: many who ask at once cost as much as one."""

    def __init__(self, seconds: float, most: int = 1000) -> None:
        self._seconds = seconds
        self._values: LruCache[K, tuple[float, V]] = LruCache(most)
        self._making: LruCache[K, threading.Lock] = LruCache(most)
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value, made anew where the last one is too old; others who want it meanwhile wait for that."""
        with self._lock_of(key):
            found = self._values.find(key)
            if found is not None and found[0] > time.monotonic():
                return found[1]
            value = make()
            self._keep(key, value)
            return value

    def put(self, key: K, value: V) -> None:
        """Have those who ask from now on get this one: nothing older."""
        with self._lock_of(key):
            self._keep(key, value)

    def _lock_of(self, key: K) -> threading.Lock:
        with self._lock:
            making = self._making.find(key) or threading.Lock()
            self._making.remember([(key, making)])
            return making

    def _keep(self, key: K, value: V) -> None:
        self._values.remember([(key, (time.monotonic() + self._seconds, value))])
