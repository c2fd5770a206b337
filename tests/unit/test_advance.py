"""What ended rows bring to their children: added up per child, sorted, nothing counted twice."""

import json
from types import SimpleNamespace
from typing import NamedTuple

from qflowd.define.workflow_file import parse
from qflowd.engine.commands.recount import recount
from qflowd.engine.commands.row_graph import RowGraph
from qflowd.engine.kinds import arrivals, closers
from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.plan import LEAST_FAN, compile_plan
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from qflowd.workers.wire import InstanceFacts

SUCCESS, FAILED, SKIPPED = TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED
FIRST = 5 * ORDINALS


class Row(NamedTuple):
    id: int
    state: int
    node: int
    kind: int = 0
    round: int = 0
    reason: int = 0


def plan_of(tasks):
    lines = ["workflow: w", "tasks:"]
    for key, after in tasks.items():
        edges = "{" + ", ".join(f"{parent}: {text}" for parent, text in after.items()) + "}" if after else "[]"
        lines.append(f"  {key}: {{job: j, after: {edges}}}")
    return compile_plan(1, parse("\n".join(lines), "yaml", "w.yaml"))


def ended(plan, key, state=SUCCESS, first=FIRST):
    node = plan.by_key[key].ordinal
    return LoadedInstance(first // ORDINALS, plan, "default", {}, {}, InstanceFacts("w"), {}, 0), [
        Row(first + node, state, node)
    ]


def _never(instance_id, parent, child):
    raise AssertionError("there is no condition to look at")


never = SimpleNamespace(holds=_never)


FAN_IN = plan_of({"a": {}, "b": {}, "c": {"a": "true", "b": "true"}})
CONDITIONAL = plan_of({"a": {}, "b": {"a": '"{{ a.output.go }}"'}, "c": {"a": "true"}})


def test_two_parents_in_one_batch_are_added_up():
    c = FIRST + FAN_IN.by_key["c"].ordinal
    assert arrivals([ended(FAN_IN, "a"), ended(FAN_IN, "b")], never) == ([(c, 2, 2, 0)], [c], [], [], [], [])


def test_good_and_bad_parents_in_one_batch_are_added_up():
    c = FIRST + FAN_IN.by_key["c"].ordinal
    assert arrivals([ended(FAN_IN, "a"), ended(FAN_IN, "b", FAILED)], never) == ([(c, 2, 1, 1)], [c], [], [], [], [])
    assert arrivals([ended(FAN_IN, "a", SKIPPED), ended(FAN_IN, "b", FAILED)], never) == (
        [(c, 2, 0, 1)],
        [c],
        [],
        [],
        [],
        [],
    )


def test_many_children_of_one_parent_are_named_by_one_list():
    wide = [f"m{i}" for i in range(LEAST_FAN)]
    plan = plan_of({"root": {}} | {key: {"root": "true"} for key in wide} | {"last": dict.fromkeys(wide, "true")})
    ordinals = sorted(plan.by_key[key].ordinal for key in wide)
    [(first, text)] = arrivals([ended(plan, "root")], never).fans
    assert (first, json.loads(text)) == (FIRST, ordinals)
    assert arrivals([ended(plan, "root")], never).rows == []
    failed = arrivals([ended(plan, "root", FAILED)], never)
    assert failed == ([(FIRST + i, 1, 0, 1) for i in ordinals], [FIRST + i for i in ordinals], [], [], [], [])


def test_a_child_with_another_parent_is_counted_beside_the_list():
    wide = {f"m{i}": {"root": "true"} for i in range(LEAST_FAN)}
    plan = plan_of({"root": {}, "side": {}} | wide | {"odd": {"root": "true", "side": "true"}})
    odd = FIRST + plan.by_key["odd"].ordinal
    found = arrivals([ended(plan, "root")], never)
    assert found.rows == [(odd, 1, 1, 0)]
    assert found.doubtful == [odd]
    assert len(json.loads(found.fans[0][1])) == LEAST_FAN


def test_children_come_sorted_and_apart_by_instance():
    rows = [ended(FAN_IN, "a", first=9 * ORDINALS), ended(FAN_IN, "a", FAILED, first=3 * ORDINALS), ended(FAN_IN, "a")]
    found = arrivals(rows, never).rows
    assert [number // ORDINALS for number, *_ in found] == [3, 5, 9]
    assert [tuple(rest) for _, *rest in found] == [(1, 0, 1), (1, 1, 0), (1, 1, 0)]


def test_rows_without_children_bring_nothing():
    assert arrivals([ended(FAN_IN, "c")], never) == ([], [], [], [], [], [])


def test_only_a_child_whose_one_parent_succeeded_is_certain_not_to_have_ended():
    chain = plan_of({"a": {}, "b": {"a": "true"}})
    b = FIRST + chain.by_key["b"].ordinal
    assert arrivals([ended(chain, "a")], never) == ([(b, 1, 1, 0)], [], [], [], [], [])
    assert arrivals([ended(chain, "a", SKIPPED)], never) == ([(b, 1, 0, 0)], [b], [], [], [], [])


def test_a_condition_is_asked_for_its_own_edge_only():
    asked = []

    def holds(instance_id, parent, child):
        asked.append((parent.node, child))
        return False

    b, c = CONDITIONAL.by_key["b"].ordinal, CONDITIONAL.by_key["c"].ordinal
    found = arrivals([ended(CONDITIONAL, "a")], SimpleNamespace(holds=holds)).rows
    assert asked == [(CONDITIONAL.by_key["a"].ordinal, b)]
    assert sorted(found) == sorted([(FIRST + b, 1, 0, 0), (FIRST + c, 1, 1, 0)])


def test_the_condition_of_a_parent_that_failed_is_not_asked():
    b, c = CONDITIONAL.by_key["b"].ordinal, CONDITIONAL.by_key["c"].ordinal
    found = arrivals([ended(CONDITIONAL, "a", FAILED)], never).rows
    assert sorted(found) == sorted([(FIRST + b, 1, 0, 1), (FIRST + c, 1, 0, 1)])


def test_closers_are_nodes_that_nothing_waits_for():
    rows = [ended(CONDITIONAL, "a"), ended(CONDITIONAL, "b"), ended(CONDITIONAL, "c"), ended(FAN_IN, "c", first=0)]
    assert closers(rows) == {5: 2, 0: 1}


# ------------------------------------------------------------------------------------------------ starting anew

#   a ─ b ─ d      c has no part in b
#   └── c ──┘
DIAMOND = plan_of({"a": {}, "b": {"a": "true"}, "c": {"a": "true"}, "d": {"b": "true", "c": "true"}})


def nodes(plan, *keys):
    return {plan.by_key[key].ordinal for key in keys}


def states(plan, **by_key):
    return {plan.by_key[key].ordinal: state for key, state in by_key.items()}


def graph_of(plan):
    return RowGraph(plan, {node: node for node in range(len(plan.tasks))}, {}, {})


def test_what_is_behind_a_task_is_all_that_waits_for_it():
    assert graph_of(DIAMOND).behind(nodes(DIAMOND, "b")) == nodes(DIAMOND, "d")
    assert graph_of(DIAMOND).behind(nodes(DIAMOND, "a")) == nodes(DIAMOND, "b", "c", "d")
    assert graph_of(DIAMOND).behind(nodes(DIAMOND, "d")) == set()


def test_counters_are_worked_out_from_the_present_states_of_parents():
    before = states(DIAMOND, a=SUCCESS, b=FAILED, c=SUCCESS, d=TaskState.UPSTREAM_FAILED)
    b, d = (DIAMOND.by_key[key].ordinal for key in "bd")
    found = recount(graph_of(DIAMOND), before, nodes(DIAMOND, "b", "d"), lambda parent, child: True)
    assert found == [(b, TaskState.READY, 0, 0, 0), (d, TaskState.PENDING, 1, 1, 0)]
    assert before[b] is FAILED  # it looks, and changes nothing


def test_a_bad_parent_that_is_not_restarted_still_counts():
    before = states(DIAMOND, a=SUCCESS, b=FAILED, c=FAILED, d=TaskState.UPSTREAM_FAILED)
    d = DIAMOND.by_key["d"].ordinal
    found = recount(graph_of(DIAMOND), before, nodes(DIAMOND, "b", "d"), lambda parent, child: True)
    assert found[-1] == (d, TaskState.PENDING, 1, 2, 1)


def test_a_row_whose_conditions_turn_out_false_is_skipped_and_so_is_what_follows():
    plan = plan_of({"a": {}, "b": {"a": '"{{ a.output.go }}"'}, "c": {"b": "true"}})
    before = states(plan, a=SUCCESS, b=TaskState.CANCELLED, c=TaskState.CANCELLED)
    found = recount(graph_of(plan), before, nodes(plan, "b", "c"), lambda parent, child: False)
    assert [row.state for row in found] == [SKIPPED, SKIPPED]
