"""Joins that no run can reach, and those that one can."""

import pytest

from qflowd.define import workflow_file
from qflowd.define.branches import unreachable


def found(tasks: str) -> list[str]:
    return [task for task, _, _ in unreachable(workflow_file.parse(f"workflow: w\ntasks:\n{tasks}", "yaml", "f"))]


def branches(one: str, other: str) -> str:
    return f"""
  look: {{job: j}}
  up: {{job: j, after: {{look: '{one}'}}}}
  down: {{job: j, after: {{look: '{other}'}}}}
  after_down: {{job: j, after: down}}
  join: {{job: j, after: [up, after_down]}}
  below: {{job: j, after: join}}
"""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("look.output.ok", "not look.output.ok"),
        ("look.output > 5", "look.output <= 5"),
        ('look.output == "up"', 'look.output == "down"'),
        ("look.output.ok == true", "{{ look.output.ok == false }}"),
        ('look.output in ["a", "b"]', 'look.output not in ["a", "b"]'),
        ("look.output.ok and params.x > 1", "not look.output.ok"),
    ],
)
def test_a_join_behind_both_sides_of_an_either_or_is_named_once(one, other):
    assert found(branches(one, other)) == ["join"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("look.output > 5", "look.output > 7"),
        ("look.output.a", "look.output.b"),
        ('look.output.x == "up"', 'look.output.y == "down"'),
        ("look.output.ok or params.x", "not look.output.ok"),
    ],
)
def test_conditions_that_may_both_hold_are_fine(one, other):
    assert found(branches(one, other)) == []


def fallback(join: str) -> str:
    return f"""
  bars: {{job: j}}
  archive: {{job: j, after: {{bars: {{on: breaker_open}}}}}}
  factors: {{job: j, after: bars}}
  join: {{job: j, {join}}}
"""


def test_a_task_behind_another_one_and_its_fallback_never_runs_unless_a_rule_says_so():
    assert found(fallback("after: [bars, archive]")) == ["join"]
    assert found(fallback("after: [factors, archive]")) == ["join"]
    assert found(fallback("after: [bars, archive], trigger_rule: any_success")) == []
    assert found(fallback("after: [bars, factors]")) == []
