"""A memory that is bounded by the weight of what it holds."""

from __future__ import annotations

from qflowd.engine.bounded_cache import BoundedCache


def memory(**values: str) -> BoundedCache[str, str]:
    found: BoundedCache[str, str] = BoundedCache(10, len)
    found.remember(values.items())
    return found


def test_the_first_ones_go_when_all_weigh_too_much():
    found = memory(a="xxxx", b="xxxx", c="xx")
    assert list(found) == ["a", "b", "c"]
    found.remember([("d", "xxx")])
    assert (list(found), found.weight) == (["b", "c", "d"], 9)


def test_one_that_weighs_more_than_all_together_is_alone():
    found = memory(a="x", b="x" * 20)
    assert (list(found), found.weight) == (["b"], 20)


def test_what_is_to_be_kept_stays_whatever_it_weighs():
    found = memory(a="xxxx", b="xxxx", c="xx")
    found.remember([("d", "xxxx")], keep={"a", "d"})
    assert (sorted(found), found.weight) == (["a", "c", "d"], 10)
    found.remember([("e", "xxxxxxxxx")], keep={"a", "d", "e"})
    assert sorted(found) == ["a", "d", "e"]


def test_a_value_that_is_replaced_or_forgotten_weighs_nothing():
    found = memory(a="xxxx")
    found.remember([("a", "x")])
    assert found.weight == 1
    found.forget(["a", "unknown"])
    assert (len(found), found.weight) == (0, 0)
    found.remember([("a", "xx")])
    found.clear()
    assert (len(found), found.weight) == (0, 0)
