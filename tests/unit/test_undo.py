"""Undo: whatever the DAG, and whatever of it started, each compensation waits for exactly those that must come before it."""

from __future__ import annotations

import json
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from qflowd.define.workflow_file import parse
from qflowd.engine.plans.plan import Plan, compile_plan
from qflowd.engine.sagas.compensations import settings_of
from qflowd.engine.sagas.undo import Undo, undo
from qflowd.engine.spawning.spawn_tree import SpawnTree
from qflowd.model.states import TaskState
from qflowd.model.workflow import Settings


class Row(NamedTuple):
    ordinal: int
    node: int
    state: int = TaskState.SUCCESS


class Case(NamedTuple):
    plan: Plan
    rows: list[Row]
    undone: set[int]
    tree: SpawnTree


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A random DAG of up to eight nodes, some with parts, some that spawned tasks; of all rows, some are to be undone."""
    size = draw(st.integers(1, 8))
    tasks: dict[str, dict[str, object]] = {}
    for i in range(size):
        after = draw(st.lists(st.sampled_from(sorted(tasks)), unique=True, max_size=3)) if tasks else []
        tasks[f"t{i}"] = {"job": "work"} | ({"after": after} if after else {})
    plan = compile_plan(1, parse(json.dumps({"workflow": "w", "tasks": tasks}), "json", "w"))
    nodes = [*range(size), *draw(st.lists(st.integers(0, size - 1), max_size=6))]
    states = draw(
        st.lists(st.sampled_from([TaskState.SUCCESS, TaskState.FAILED]), min_size=len(nodes), max_size=len(nodes))
    )
    rows = [Row(i, node, int(state)) for i, (node, state) in enumerate(zip(nodes, states, strict=True))]
    heads = {node for i, node in enumerate(nodes) if i != node}
    spawned: dict[int, list[int]] = {}
    edges: list[tuple[int, int]] = []
    for _ in range(draw(st.integers(0, 3))):
        if not (may_spawn := [row for row in rows if row.ordinal not in heads and row.ordinal not in spawned]):
            break
        spawner = draw(st.sampled_from(may_spawn))
        tasks = [Row(len(rows) + i, spawner.node) for i in range(draw(st.integers(1, 3)))]
        rows += tasks
        spawned[spawner.ordinal] = [task.ordinal for task in tasks]
        pairs = [(one.ordinal, other.ordinal) for i, other in enumerate(tasks) for one in tasks[:i]]
        edges += [pair for pair in pairs if draw(st.booleans())]
    undone = draw(st.sets(st.sampled_from([row.ordinal for row in rows])))
    return Case(plan, rows, undone, SpawnTree(spawned, edges))


def came_after(case: Case) -> dict[int, set[int]]:
    """Ordinal -> all rows that came after it, the slow way."""
    parts: dict[int, set[int]] = {}
    for row in case.rows:
        if row.ordinal != row.node and row.ordinal not in case.tree.spawner:
            parts.setdefault(row.node, set()).add(row.ordinal)
    before = {
        row.ordinal: parts.get(row.node, set()) | set(case.plan.parents[row.node])
        if row.ordinal == row.node
        else set(case.plan.parents[row.node])
        for row in case.rows
    }
    for ordinal, ones in before.items():
        if (spawner := case.tree.spawner.get(ordinal)) is not None:
            ones = set(case.tree.before(ordinal))  # noqa: PLW2901
        before[ordinal] = ones | case.tree.below(ones) | ({spawner} if spawner is not None else set())
    above: dict[int, set[int]] = {}

    def all_above(ordinal: int) -> set[int]:
        if ordinal not in above:
            above[ordinal] = set().union(*({one} | all_above(one) for one in before[ordinal]))
        return above[ordinal]

    return {one: {row.ordinal for row in case.rows if one in all_above(row.ordinal)} for one in before}


def waited_for(found: Undo) -> dict[int, set[int]]:
    """Ordinal -> all ordinals whose steps come before its own, by the edges; links are seen through."""
    direct: dict[int, set[int]] = {}
    for before, after in found.edges:
        direct.setdefault(after, set()).add(before)
    total: dict[int, set[int]] = {}
    for place in range(len(found.steps)):  # steps stand in an order that keeps to the edges
        total[place] = set().union(*({one} | total[one] for one in direct.get(place, ())))
    return {
        found.steps[place].row.ordinal: {found.steps[one].row.ordinal for one in ones} for place, ones in total.items()
    }


@given(cases())
def test_each_waits_for_the_compensations_of_all_that_came_after_and_for_no_other(case):
    found = undo(case.plan, case.rows, lambda row: row.ordinal in case.undone, serial=False, tree=case.tree)
    after, waits = came_after(case), waited_for(found)
    assert {step.row.ordinal for step in found.steps if not step.is_link} == case.undone
    assert {one: waits[one] & case.undone for one in case.undone} == {
        one: after[one] & case.undone for one in case.undone
    }


@given(cases())
def test_counters_say_for_how_many_a_step_waits_and_a_link_is_between_two_others(case):
    found = undo(case.plan, case.rows, lambda row: row.ordinal in case.undone, serial=False, tree=case.tree)
    for place, step in enumerate(found.steps):
        assert step.waits == sum(after == place for _, after in found.edges)
        if step.is_link:
            assert step.waits
            assert any(before == place for before, _ in found.edges)


@given(cases())
def test_in_series_each_waits_for_one_and_the_order_is_the_same(case):
    found = undo(case.plan, case.rows, lambda row: row.ordinal in case.undone, serial=True, tree=case.tree)
    after = came_after(case)
    order = [step.row.ordinal for step in found.steps]
    assert set(order) == case.undone
    assert list(found.edges) == [(place, place + 1) for place in range(len(order) - 1)]
    for place, ordinal in enumerate(order):
        assert after[ordinal] & case.undone <= set(order[:place])


@given(cases())
def test_failed_rows_that_need_not_wait_come_before_all_that_succeeded(case):
    found = undo(case.plan, case.rows, lambda row: row.ordinal in case.undone, serial=True, tree=case.tree)
    after, order = came_after(case), [step.row for step in found.steps]
    succeeded = [place for place, row in enumerate(order) if row.state == TaskState.SUCCESS]
    for place, row in enumerate(order):
        if row.state == TaskState.FAILED and not after[row.ordinal] & case.undone:
            assert all(place < other for other in succeeded)


def test_a_compensation_that_fails_does_not_wait_for_a_person():
    document = {"workflow": "w", "saga": {"retries": 2}, "defaults": {"retry": "manual"}, "tasks": {"t": {"job": "j"}}}
    plan = compile_plan(1, parse(json.dumps(document), "json", "w"))
    settings = settings_of(plan, Settings(retry="manual", retries=1), None)
    assert (settings.retry, settings.retries) == ("automatic", 2)
