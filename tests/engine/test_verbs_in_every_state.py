"""Every action on instances and tasks in every state: it is done, or refused with what is the case and what is possible."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from qflowd.engine.commands.bulk import REFUSALS
from qflowd.engine.commands.control import TASK_VERBS, VERBS, one_instance
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Ending, outcome_of
from qflowd.model.states import InstanceState, Intent, Reason, SagaState, TaskState
from qflowd.model.workflow import Job, Settings
from tests.support.kept_plans import rows_of
from tests.support.lab import FAILED, SKIPPED, Lab

Build = Callable[[Lab], int]


def started(lab: Lab, workflow: str = "chain", **columns: Any) -> int:
    return lab.start(workflow, **columns)


def ended(lab: Lab, outcomes: Mapping[str, TaskState] | None = None, workflow: str = "chain") -> int:
    number = lab.start(workflow)
    lab.run(outcomes)
    return number


def commanded(lab: Lab, number: int, action: str, **columns: Any) -> int:
    assert lab.command(action, number, **columns)[0] == "DONE"
    lab.sweep_all()
    return number


def claimed(lab: Lab, *, is_short: bool = False) -> int:
    number = lab.start("chain")
    lab.claim()
    if is_short:
        lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.RESERVED)} WHERE id = {number << 20}")
    return number


def rearmed(lab: Lab, settings: Settings) -> int:
    number = lab.start("chain")
    [row] = [row for row in lab.claim() if row.id >> 20 == number]
    now = lab.clock.now()
    ending = Ending(row, 1, settings, Reason.ERROR, now, now, error="ConnectionError: no route to the vendor")
    lab.finish(batch=_batch(outcome_of(ending, random.random)))
    return number


def _batch(outcome: Any) -> Batch:
    batch = Batch()
    batch.add(outcome)
    return batch


def undone(lab: Lab, rounds: int, outcomes: Mapping[str, TaskState] | None = None) -> int:
    """A saga whose task b has failed, and so many rounds of its compensation."""
    number = ended(lab, {"b": FAILED}, "saga")
    for _ in range(rounds):
        lab.compensate.tick()
        lab.run(outcomes, rounds=1000 if rounds > 1 else 0)
    return number


def queued(lab: Lab) -> int:
    lab.start("one_by_one")
    return lab.start("one_by_one")


def with_items(lab: Lab) -> int:
    number = lab.start("mapped")
    lab.claim()
    return number


def with_child(lab: Lab) -> int:
    number = lab.start("parent")
    lab.children.tick()
    return number


INSTANCES: Mapping[str, Build] = {
    "held": lambda lab: started(lab, hold=1),
    "queued": queued,
    "running": started,
    "paused": lambda lab: commanded(lab, started(lab), "pause"),
    "terminating": lambda lab: commanded(lab, claimed(lab), "terminate"),
    "succeeded": ended,
    "failed": lambda lab: ended(lab, {"a": FAILED}),
    "terminated": lambda lab: commanded(lab, started(lab), "terminate"),
    "about to be compensated": lambda lab: undone(lab, 0),
    "being compensated": lambda lab: undone(lab, 1),
    "compensated": lambda lab: undone(lab, 2),
    "compensation failed": lambda lab: undone(lab, 2, {"a": FAILED}),
}
TASKS: Mapping[str, tuple[str, Build]] = {
    "of a held instance": ("a", INSTANCES["held"]),
    "waits for tasks": ("b", started),
    "waits for a retry": ("a", lambda lab: rearmed(lab, Settings(retries=1, retry_delay=3600.0))),
    "waits for a person": ("a", lambda lab: rearmed(lab, Settings(retry="manual"))),
    "waits for its items": ("m", with_items),
    "waits for its instance": ("c", with_child),
    "ready": ("a", started),
    "held with its instance": ("a", INSTANCES["paused"]),
    "held by itself": ("a", lambda lab: commanded(lab, started(lab), "pause", task="a")),
    "reserved": ("a", lambda lab: claimed(lab, is_short=True)),
    "running": ("a", claimed),
    "succeeded": ("a", ended),
    "failed": ("a", INSTANCES["failed"]),
    "skipped by its job": ("a", lambda lab: ended(lab, {"a": SKIPPED})),
    "skipped by a person": ("a", lambda lab: commanded(lab, started(lab), "skip", task="a", reason="holiday")),
    "without a parent": ("b", INSTANCES["failed"]),
    "cancelled": ("a", INSTANCES["terminated"]),
    "of one that is terminated": ("b", INSTANCES["terminating"]),
    "of one that is compensated": ("a", INSTANCES["being compensated"]),
    "unknown": ("z", started),
}


@pytest.fixture
def lab_of_all(lab: Lab) -> Lab:
    lab.jobs.own["undo"] = Job(name="undo", module="", file="work.py", hash="h")
    lab.workflow("chain", {"a": [], "b": ["a"]})
    lab.workflow("one_by_one", {"a": [], "b": ["a"]}, concurrency="sequential")
    lab.workflow("saga", {"a": [], "b": ["a"]}, {"a": {"compensate": "undo"}}, saga=True)
    lab.define("mapped", {"m": {"job": "work", "map": [1, 2], "params": {}}})
    lab.define("parent", {"c": {"workflow": "chain"}})
    return lab


ON_INSTANCES = sorted(action for action, verb in VERBS.items() if verb.needs is one_instance)
ALL = sorted({*ON_INSTANCES, *TASK_VERBS, "trigger"})
ARGS = {"priority": {"priority": 7}}  # what an action cannot do without
# A refusal says what is possible: actions, or what to wait for.
REMEDY = re.compile(
    r"; possible now: \w+|; only |wait (until|for) |`\w+` |; submit it again|; (retry|rerun|skip) \w+|; there are |resume it first|it waits for instance"
)
NOT_OF_STATE = re.compile(
    r"(rerun|skip|trigger) needs a task|is not for single tasks; leave out the task$|has no task 'z'"
)


OF_TASKS = {"task_instance": "id", "timer": "task_id", "failure": "task_id", "task_stop": "task_id"}
FACTS = (
    f"SELECT i.*, p.*, {', '.join(f'{table}.*' for table in OF_TASKS)} FROM qflow.workflow_instance i "
    "LEFT JOIN qflow.paused_task p ON p.instance_id = i.id LEFT JOIN ("
    + " UNION ".join(
        f"SELECT {column} AS id FROM qflow.{table} WHERE {column} BETWEEN ? AND ?" for table, column in OF_TASKS.items()
    )
    + ") found ON 1 = 1 "
    + " ".join(f"LEFT JOIN qflow.{table} {table} ON {table}.{column} = found.id" for table, column in OF_TASKS.items())
    + " WHERE i.id = ?"
)


def facts(lab: Lab, number: int) -> list[Any]:
    """All that a command may change of an instance."""
    of_tasks = (number << 20, (number + 1 << 20) - 1) * len(OF_TASKS)
    return sorted(rows_of(lab.store, FACTS, *of_tasks, number), key=repr)


def ask(lab: Lab, action: str, number: int, task: str | None = None) -> None:
    """Command it: the answer is DONE and something has changed, or REJECTED with the state and a remedy, and nothing has."""
    before, states = facts(lab, number), {lab.state(number), *(lab.states(number).values() or ["PENDING"])}
    args = json.dumps(ARGS[action]) if action in ARGS else None
    state, answer = lab.command(action, number, task=task, args=args, reason="because", requested_by="ann@desk")
    if state == "NEW":  # in a moment: what undoes the instance is being added
        assert lab.column("workflow_instance", "intent", number) == Intent.COMPENSATE
        lab.compensate.tick()
        lab.commands.tick()
        [(state, answer)] = lab.sql(
            "SELECT state, COALESCE(error, 'done') FROM qflow.commands ORDER BY id DESC LIMIT 1"
        )
    else:
        assert (state == "DONE") or facts(lab, number) == before, "a refusal changes nothing"
    assert state in ("DONE", "REJECTED")
    if state == "DONE":  # who asks again for what is so already is told that
        assert (facts(lab, number) == before) == ("already" in answer), answer
    elif not NOT_OF_STATE.search(answer):
        assert any(re.search(rf"\b{each}\b", answer) for each in states), answer
        assert REMEDY.search(answer), answer
    assert "could not be carried out" not in answer


@pytest.mark.parametrize("action", ALL)
def test_an_action_on_an_instance_in_any_state_is_done_or_says_what_is_possible(lab_of_all: Lab, action: str) -> None:
    for build in INSTANCES.values():
        ask(lab_of_all, action, build(lab_of_all))
    lab_of_all.check()


@pytest.mark.parametrize("action", ALL)
def test_an_action_on_a_task_in_any_state_is_done_or_says_what_is_possible(lab_of_all: Lab, action: str) -> None:
    for task, build in TASKS.values():
        ask(lab_of_all, action, build(lab_of_all), task)
    lab_of_all.check()


# Built in this order: what runs ends with the next ones that do.
MANY = ("succeeded", "failed", "compensated", "compensation failed", "being compensated", "terminating", "terminated")
MANY += ("held", "queued", "paused", "running")
PARTLY = (
    "waits for a person",
    "skipped by a person",
    "waits for its items",
    "waits for its instance",
    "held by itself",
)


def for_many(lab: Lab, action: str, args: Mapping[str, Any], **columns: Any) -> dict[str, Any]:
    """What a command for all instances comes to."""
    number = lab.ask(action, filter='{"workflow": "*"}', args=json.dumps(args), **columns)
    while lab.answer(number)[0] == "NEW":
        lab.commands.tick()
    state, result = lab.answer(number)
    assert state == "DONE", result
    return dict(result)


@pytest.mark.parametrize("action", sorted(action for action, verb in VERBS.items() if verb.batch))
def test_a_dry_run_says_of_each_instance_what_is_then_done_and_changes_nothing(lab_of_all: Lab, action: str) -> None:
    lab = lab_of_all
    ended(lab, workflow="saga")
    for build in [*(INSTANCES[name] for name in MANY), *(TASKS[name][1] for name in PARTLY)]:
        build(lab)
    numbers = [number for (number,) in lab.sql("SELECT id FROM qflow.workflow_instance ORDER BY id")]
    before = {number: facts(lab, number) for number in numbers}
    columns = {"task": "a"} if VERBS[action].needs_task else {}
    args = {"set": {"day": "today"}} if action == "rerun" else ARGS.get(action, {})
    rehearsed = for_many(lab, action, args | {"dry_run": True}, **columns)
    assert {number: facts(lab, number) for number in numbers} == before
    first = rehearsed["instances"][0]
    alone = lab.command(action, first["id"], args=json.dumps(args | {"dry_run": True}), **columns)
    assert alone == ("DONE", {"instance_id": first["id"], **first["result"], "dry_run": True})
    done = for_many(lab, action, args, reason="because", **columns)
    changed = [number for number in numbers if facts(lab, number) != before[number]]
    assert [row["id"] for row in rehearsed["instances"]] == changed
    assert dict(list(rehearsed["refusals"].items())[:REFUSALS]) == done["refusals"]
    of_dry_runs = ("instances", "refusals", "dry_run", "digest", "tasks")
    assert rehearsed == done | {name: rehearsed[name] for name in of_dry_runs}
    assert changed
    assert done["refused"] or action == "handle", "it matches nothing that it cannot handle"


def test_the_situations_cover_all_states(lab_of_all: Lab) -> None:
    lab = lab_of_all
    states, sagas = set(), set()
    for build in INSTANCES.values():
        number = build(lab)
        states.add(InstanceState[lab.state(number)])
        sagas.add(SagaState(lab.column("workflow_instance", "saga_state", number)))
    assert (states, sagas) == ({*InstanceState}, {*SagaState})
    tasks = {lab.states(build(lab)).get(task) for task, build in TASKS.values()}
    assert tasks - {None} == {state.name for state in TaskState}


def test_an_action_for_whole_instances_does_not_take_a_task_for_its_instance(lab_of_all: Lab) -> None:
    number = started(lab_of_all)
    for columns in ({"task": "b"}, {"task_id": number << 20}):
        answer = lab_of_all.command("compensate", number, **columns)
        assert answer == ("REJECTED", "compensate is not for single tasks; leave out the task")
    assert lab_of_all.column("workflow_instance", "saga_state", number) == 0


@pytest.mark.parametrize("action", sorted(VERBS.keys() - {*ALL}))
def test_an_action_on_something_else_does_not_take_an_instance_for_it(lab_of_all: Lab, action: str) -> None:
    number = started(lab_of_all)
    before = facts(lab_of_all, number)
    state, answer = lab_of_all.command(action, number, reason="because")
    assert (state, "could not be carried out" in answer, facts(lab_of_all, number)) == ("REJECTED", False, before)
    assert re.search(r"needs a (workflow|task)|limit: is missing|is missing|has no use for instance_id", answer), answer
