"""A task with `trigger_rule: always` and no `after` waits for the ends of its workflow."""

import pytest

from qflowd.define import workflow_file
from qflowd.model.errors import InvalidWorkflow


def after(tasks: str, task: str) -> list[str]:
    workflow = workflow_file.parse(f"workflow: w\ntasks:\n{tasks}", "yaml", "w.yaml")
    [found] = [found for found in workflow.tasks if found.key == task]
    return [edge.parent for edge in found.after]


FINALLY = "{job: j, trigger_rule: always}"


def test_it_waits_for_the_tasks_that_nothing_else_waits_for():
    tasks = f"  end: {FINALLY}\n  a: {{job: j}}\n  b: {{job: j, after: a}}\n  c: {{job: j}}"
    assert after(tasks, "end") == ["b", "c"]


def test_it_waits_for_parents_that_a_task_with_any_success_does_not_wait_for():
    tasks = (
        f"  end: {FINALLY}\n  a: {{job: j}}\n  b: {{job: j}}\n  c: {{job: j, after: [a, b], trigger_rule: any_success}}"
    )
    assert after(tasks, "end") == ["a", "b", "c"]


def test_it_does_not_wait_for_another_one_or_for_what_comes_after_one():
    tasks = f"  a: {{job: j}}\n  end: {FINALLY}\n  other: {FINALLY}\n  report: {{job: j, after: [a, end]}}"
    assert after(tasks, "end") == ["a"]
    assert after(tasks, "other") == ["a"]


def test_a_task_that_names_its_parents_waits_for_these():
    tasks = "  a: {job: j}\n  b: {job: j}\n  end: {job: j, after: a, trigger_rule: always}"
    assert after(tasks, "end") == ["a"]


@pytest.mark.parametrize("rule", ["all_done", "any_success", "none_failed", "always"])
def test_a_rule_without_a_task_to_look_at_is_a_fault(rule):
    with pytest.raises(InvalidWorkflow) as caught:
        after(f"  a: {{job: j, trigger_rule: {rule}}}", "a")
    assert (
        str(caught.value)
        == f"w.yaml:3: tasks.a.trigger_rule: {rule} looks at the tasks before this one, and there is none"
    )


def test_an_unknown_rule_names_those_there_are():
    with pytest.raises(
        InvalidWorkflow, match="must be one of all_success, all_done, any_success, none_failed, always, not 'one'"
    ):
        after("  a: {job: j}\n  b: {job: j, after: a, trigger_rule: one}", "b")
