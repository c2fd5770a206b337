"""Priority of an instance: what has not begun is claimed in the new order, and what has ended or runs stays as it is."""

from __future__ import annotations

import json

from tests.support.lab import FAILED, Lab


def give(lab: Lab, number: int, priority: object) -> tuple[str, object]:
    return lab.command("priority", number, args=json.dumps({"priority": priority}))


def test_an_instance_overtakes_those_that_came_before(chains):
    first, second = chains.start("chain"), chains.start("chain", priority=5)
    third = chains.start("chain")
    assert give(chains, third, 100) == ("DONE", {"instance_id": third, "priority": 100, "before": 0})
    assert [row.id >> 20 for row in chains.claim()] == [third, second, first]
    assert chains.sql(f"SELECT priority FROM qflow.workflow_instance WHERE id = {third}") == [(100,)]
    chains.check()


def test_tasks_keep_their_distance_and_rows_that_run_stay(lab):
    lab.workflow("mixed", {"a": [], "b": ["a"]}, of_task={"b": {"priority": 7}})
    number = lab.start("mixed", priority=3)
    lab.claim()
    give(lab, number, -10)
    rows = lab.sql("SELECT priority FROM qflow.task_instance ORDER BY id")
    assert rows == [(-3,), (3,)], "stored negated: -(-10 + 7)"
    give(lab, number, 1000)
    assert lab.sql("SELECT priority FROM qflow.task_instance ORDER BY id") == [(-3,), (-1007,)]


def test_one_that_has_ended_and_a_priority_that_is_none_are_refused(chains):
    number = chains.start("chain")
    assert "args.priority" in give(chains, number, "high")[1]
    assert "args.priority" in give(chains, number, 1001)[1]
    chains.run({"a": FAILED})
    assert give(chains, number, 1)[1].startswith(f"instance {number} is FAILED; only one that has not ended")


def test_one_that_was_submitted_with_hold_begins_with_it(chains):
    number = chains.start("chain", hold=1)
    assert give(chains, number, 9)[0] == "DONE"
    chains.command("start", number)
    assert chains.sql("SELECT priority FROM qflow.task_instance ORDER BY id")[0] == (-9,)


def test_a_quota_bounds_it(chains):
    number = chains.start("chain")
    chains.sql(
        "INSERT INTO qflow.quota (tenant, name, value, updated_at) "
        f"SELECT tenant, 'priority_max', '50', created_at FROM qflow.workflow_instance WHERE id = {number}"
    )
    assert "quota priority_max of tenant default is 50" in give(chains, number, 51)[1]
    assert give(chains, number, 50)[0] == "DONE"
