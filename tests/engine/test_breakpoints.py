"""Breakpoints: where an instance stands, task by task, and what would start if it were resumed."""

from __future__ import annotations

from qflowd.client import Breakpoint, BreakpointInfo, Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.finishing.batch import Batch
from qflowd.model.ids import ORDINALS
from qflowd.model.workflow import Job
from tests.support.lab import CANCELLED, FAILED, SKIPPED, Lab
from tests.support.spawning import MERGED, daily

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
MARKET = {
    "bars": {"job": "work", "map": [f"s{i}" for i in range(10)], "max_parallel": 4},
    "check": {"job": "work", "after": "bars"},
}


def stands(lab: Lab, number: int) -> tuple[Breakpoint, dict[str, BreakpointInfo]]:
    """The breakpoint of an instance, and its tasks by name."""
    place = Client(DatabaseTransport(lab.store)).breakpoint(number)
    return place, {task.name: task for task in place.tasks}


def counts(row: Breakpoint | BreakpointInfo) -> tuple[int, int, int, int, int, int]:
    return row.total, row.done, row.failed, row.running, row.waiting, row.would_start


def test_a_paused_instance_says_who_paused_it_what_was_saved_and_what_resume_starts(lab):
    lab.workflow("load", {"bars": [], "news": [], "check": ["bars", "news"]})
    number = lab.start("load")
    bars, news = lab.claim()
    lab.finish(batch=Batch(checkpoints=[(bars.id, bars.fence, '{"page":12}')]))
    lab.ends([news])
    place, tasks = stands(lab, number)
    assert (place.state, counts(place)) == ("RUNNING", (3, 1, 0, 1, 1, 0))
    assert (tasks["bars"].state, tasks["bars"].checkpoint) == ("RUNNING", {"page": 12})
    lab.command("pause", number, requested_by="ada@desk", reason="the vendor is down")
    lab.finish(batch=Batch(released=[lab.released(bars)]))
    for _ in range(2):
        place, tasks = stands(lab, number)
        assert (place.state, place.checkpoints, place.progress) == ("PAUSED", 1, 0.3333)
        assert place.wait_reason.startswith("paused by ada@desk since 2026-11-20T09:30:00")
        assert place.wait_reason.endswith(": the vendor is down")
        assert counts(place) == (3, 1, 0, 0, 2, 1)
        assert [(key, task.state, task.would_start, task.wait_reason) for key, task in tasks.items()] == [
            ("bars", "HELD", 1, "the instance is paused by ada@desk"),
            ("news", "SUCCESS", 0, None),
            ("check", "PENDING", 0, "waits for tasks before it: bars"),
        ]
        assert (tasks["bars"].checkpoints, tasks["bars"].checkpoint) == (1, {"page": 12})
        lab.sweep_all()  # the rows say so as well: nothing changes
    lab.command("resume", number)
    lab.sweep_all()
    lab.run()
    place, tasks = stands(lab, number)
    assert (place.state, place.progress, counts(place)) == ("SUCCESS", 1.0, (3, 3, 0, 0, 0, 0))
    assert (place.checkpoints, tasks["bars"].checkpoint) == (0, None)


def test_a_map_that_is_half_done_counts_its_items_those_without_a_row_included(lab):
    lab.define("market", MARKET)
    number = lab.start("market")
    first, second, third, fourth = lab.claim()
    lab.finish(lab.final(first), lab.final(second, SKIPPED), lab.final(third, FAILED))
    place, tasks = stands(lab, number)
    bars = tasks["bars"]
    assert (bars.id, bars.kind, bars.state, bars.progress) == (number * ORDINALS, "head", "RUNNING", 0.3)
    assert counts(bars) == (10, 2, 1, 1, 6, 3)
    assert (bars.wait_reason, tasks["check"].wait_reason) == ("no daemon is running", "waits for tasks before it: bars")
    assert counts(place) == (11, 2, 1, 1, 7, 3)
    lab.ends([fourth])
    lab.run()
    _, tasks = stands(lab, number)
    assert (tasks["bars"].state, counts(tasks["bars"])) == ("FAILED", (10, 9, 1, 0, 0, 0))
    assert (tasks["check"].state, counts(tasks["check"])) == ("UPSTREAM_FAILED", (1, 0, 1, 0, 0, 0))


def test_items_of_a_terminated_map_that_never_had_a_row_have_failed_too(lab):
    lab.define("market", MARKET)
    number = lab.start("market")
    first, *others = lab.claim()
    lab.ends([first])
    lab.command("terminate", number)
    _, tasks = stands(lab, number)
    assert counts(tasks["bars"]) == (10, 1, 0, 3, 6, 1)
    lab.sweep_all()
    _, tasks = stands(lab, number)
    assert (tasks["bars"].state, counts(tasks["bars"])) == ("RUNNING", (10, 1, 6, 3, 0, 0))
    lab.ends(others, CANCELLED)
    lab.sweep_all()
    place, tasks = stands(lab, number)
    assert (tasks["bars"].state, counts(tasks["bars"])) == ("CANCELLED", (10, 1, 9, 0, 0, 0))
    assert (place.state, place.progress) == ("TERMINATED", 1.0)


def test_spawned_tasks_count_with_the_task_that_asked_for_them(lab):
    number = daily(lab, MERGED)
    lab.ends(lab.claim()[:1])
    _, tasks = stands(lab, number)
    assert (tasks["scan"].kind, tasks["scan"].state, counts(tasks["scan"])) == ("task", "RUNNING", (4, 1, 0, 1, 2, 0))


def test_a_saga_shows_what_is_undone_beside_what_was_done(lab):
    lab.jobs.own = {
        "work": Job(name="work", module="", file="work.py", hash="h", compensation="undo"),
        "undo": Job(name="undo", module="", file="work.py", hash="h"),
    }
    lab.workflow("load", CHAIN, saga=True)
    number = lab.start("load")
    lab.run({"b": FAILED})
    lab.compensate.tick()
    [undo_b] = lab.claim()
    lab.ends([undo_b])
    place, tasks = stands(lab, number)
    assert (place.state, place.total) == ("RUNNING", 5)
    assert {key: (task.kind, task.state, task.would_start) for key, task in tasks.items()} == {
        "a": ("task", "SUCCESS", 0),
        "b": ("task", "FAILED", 0),
        "c": ("task", "UPSTREAM_FAILED", 0),
        "undo b": ("compensation", "SUCCESS", 0),
        "undo a": ("compensation", "READY", 1),
    }
    lab.ends(lab.claim(), FAILED)
    _, tasks = stands(lab, number)
    assert (tasks["undo a"].state, tasks["a"].state) == ("FAILED", "SUCCESS")


def test_a_held_instance_says_what_starting_it_would_begin(lab):
    lab.workflow("wide", {"a": [], "b": [], "c": ["a", "b"]})
    number = lab.start("wide", hold=1)
    place, tasks = stands(lab, number)
    assert (place.state, place.progress, place.wait_reason) == ("READY", 0.0, "held until it is resumed")
    assert counts(place) == (3, 0, 0, 0, 3, 2)
    assert {key: (task.state, task.would_start) for key, task in tasks.items()} == {
        "a": ("PENDING", 1),
        "b": ("PENDING", 1),
        "c": ("PENDING", 0),
    }
    lab.command("start", number)
    _, begun = stands(lab, number)
    assert {key: task.id for key, task in begun.items()} == {key: task.id for key, task in tasks.items()}
    assert {key: (task.state, task.would_start) for key, task in begun.items()} == {
        "a": ("READY", 1),
        "b": ("READY", 1),
        "c": ("PENDING", 0),
    }


def test_a_single_job_stands_like_a_workflow_of_one_task(lab):
    held, number = lab.start(job="work", hold=1), lab.start(job="work")
    for each, state in ((held, "PENDING"), (number, "READY")):
        place, tasks = stands(lab, each)
        assert (counts(place), list(tasks), tasks["work"].state) == ((1, 0, 0, 0, 1, 1), ["work"], state)


def test_a_task_that_is_paused_by_itself_is_not_what_resume_starts(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    lab.command("pause", number, task="a", requested_by="ada@desk")
    _, tasks = stands(lab, number)
    assert (tasks["a"].state, tasks["a"].would_start) == ("HELD", 0)
    assert tasks["a"].wait_reason.startswith("task a is paused by ada@desk")
    assert (tasks["b"].state, tasks["b"].would_start) == ("READY", 1)


def test_what_waits_for_its_time_says_until_when(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[lab.rearmed(row, 20 * 365 * 86400)]))
    place, tasks = stands(lab, number)
    assert (tasks["a"].state, place.would_start) == ("PENDING", 0)
    assert tasks["a"].wait_reason.startswith("waits until 2046-11-15T09:30:00")


def test_of_many_tasks_those_are_listed_that_need_looking_at(lab):
    wide = 150
    lab.workflow("wide", {f"t{i}": [] for i in range(wide)})
    number = lab.start("wide")
    rows = lab.claim()
    lab.ends(rows[:-2])
    place, tasks = stands(lab, number)
    assert (counts(place), len(place.tasks)) == ((wide, wide - 2, 0, 2, 0, 0), 100)
    assert [key for key, task in tasks.items() if task.state == "RUNNING"] == [f"t{wide - 2}", f"t{wide - 1}"]
    assert [task.id for task in place.tasks] == sorted(task.id for task in place.tasks)
