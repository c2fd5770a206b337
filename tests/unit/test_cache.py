"""What the API remembers: bounded, the least used goes first, and many who ask at once cost as much as one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from qflowd.api.cache import LruCache, TtlCache


def test_the_least_recently_used_goes_first():
    cache = LruCache[str, int](2)
    cache.remember([("a", 1)])
    cache.remember([("b", 2)])
    assert cache.find("a") == 1
    cache.remember([("c", 3)])
    assert (cache.find("b"), cache.known("abc")) == (None, {"a": 1, "c": 3})


def test_the_bound_is_a_weight_and_the_newest_always_stays():
    cache = LruCache[str, str](10, len)
    cache.remember([("a", "x" * 6)])
    cache.remember([("b", "x" * 6)])
    assert cache.find("a") is None
    cache.remember([("b", "x")])
    cache.remember([("c", "x" * 9)])
    assert len(cache) == 2
    cache.remember([("d", "x" * 99)])
    assert (len(cache), cache.find("d")) == (1, "x" * 99)


def test_what_holds_for_a_while_is_made_once_for_all_who_ask_meanwhile():
    made, go_on = [], threading.Event()
    cache = TtlCache[str, int](60.0)

    def make() -> int:
        made.append(1)
        assert go_on.wait(10)
        return 7

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cache.get, "key", make) for _ in range(8)]
        go_on.set()
        assert [each.result() for each in asked] == [7] * 8
    assert len(made) == 1


def test_what_is_too_old_is_made_anew_and_a_fault_is_not_kept():
    cache, values = TtlCache[str, int](0.0), iter((1, 2))
    assert [cache.get("key", lambda: next(values)) for _ in range(2)] == [1, 2]
    kept = TtlCache[str, int](60.0)
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)
    assert kept.get("key", lambda: 3) == 3
