"""Order, cycles and ancestors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.model import dag
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Edge, Task, Workflow


def workflow(parents):
    return Workflow("w", tuple(Task(key, "job", after=tuple(map(Edge, above))) for key, above in parents.items()))


def ordered(parents):
    return [task.key for task in dag.order(workflow(parents))]


def test_tasks_stand_by_level_and_then_as_written():
    assert ordered({"z": "", "c": "ab", "b": "a", "a": "", "d": "z"}) == ["z", "a", "b", "d", "c"]


def test_a_cycle_is_named_in_the_direction_of_work():
    with pytest.raises(InvalidWorkflow, match="cycle: x -> x"):
        ordered({"x": "x"})
    with pytest.raises(InvalidWorkflow, match="cycle: a -> b -> c -> a"):
        ordered({"a": "c", "b": "a", "c": "b", "d": "c"})
    with pytest.raises(InvalidWorkflow, match="cycle: a -> b -> c -> a"):
        ordered({"a": "c", "b": "a", "c": "b"})


def test_a_chain_of_ten_thousand_is_not_a_problem():
    parents = {str(n): ([str(n - 1)] if n else []) for n in range(10_000)}
    assert [task.key for task in dag.order(workflow(parents))] == list(parents)


@given(st.data())
def test_parents_always_come_first(data):
    size = data.draw(st.integers(1, 12))
    names = [f"t{n}" for n in data.draw(st.permutations(range(size)))]
    parents = {
        name: data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }
    shuffled = {name: parents[name] for name in data.draw(st.permutations(names))}
    found = ordered(shuffled)
    assert sorted(found) == sorted(names)
    level = dag.levels(shuffled)
    for name, above in parents.items():
        assert all(found.index(parent) < found.index(name) for parent in above)
        assert level[name] == max((level[parent] + 1 for parent in above), default=0)


def ancestors(parents):
    """Task key -> all tasks above it; the names stand in topological order."""
    above = {}
    for name, direct in parents.items():
        above[name] = set(direct).union(*(above[parent] for parent in direct))
    return above


@given(st.data())
def test_walking_upwards_on_demand_agrees_with_all_ancestors(data):
    names = [f"t{n}" for n in range(data.draw(st.integers(1, 12)))]
    parents = {
        name: data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }
    level, above = dag.levels(parents), ancestors(parents)
    for name in names:
        walk = dag.Above(parents, level, parents[name])
        assert {other for other in names if other in walk} == above[name] == set(walk.nearest(99))
        assert len(walk.nearest(1)) == min(1, len(above[name]))
    assert "unknown" not in walk
