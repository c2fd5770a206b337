"""Finish and advance on real databases: counters, races of parents, replays, results that come too late."""

from __future__ import annotations

import itertools
import threading

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import ORDINALS
from qflowd.model.rules import settle
from qflowd.model.states import Reason, TaskState
from tests.support.lab import FAILED, SKIPPED, SUCCESS, Lab

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def fan_in(lab, parents):
    """An instance whose task `last` waits for so many; its parents are claimed."""
    keys = [f"p{i:02}" for i in range(parents)]
    lab.workflow(f"fan{parents}", {key: [] for key in keys} | {"last": keys})
    number = lab.start(f"fan{parents}")
    return number, lab.claim()


def test_the_statement_and_the_pure_rule_agree_everywhere(lab):
    """Every combination of small counters, in one row set: what the database does is what `settle` says."""
    lane = lab.sql(
        "INSERT INTO qflow.lane (tenant, pool, job, limits) VALUES ('t', 'p', 'j', '')", "SELECT id FROM qflow.lane"
    )
    cases = []
    for state, open_parents, need, bad in itertools.product(TaskState, (1, 2, 3), (0, 1, 2), (0, 1)):
        for arrivals, gain, worse in [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1), (2, 2, 0), (2, 0, 0)]:
            if arrivals <= open_parents:
                cases.append((state, (open_parents, need, bad), arrivals, gain, worse))
    rows = [
        f"({i}, {i}, {int(state)}, {lane[0][0]}, 0, {open_parents}, {need}, {bad})"
        for i, (state, (open_parents, need, bad), *_) in enumerate(cases, 1)
    ]
    columns = "id, node, state, lane, priority, open_parents, need, bad_parents"
    lab.sql(f"INSERT INTO qflow.task_instance ({columns}) VALUES {', '.join(rows)}")
    sent = [(i, arrivals, gain, worse) for i, (_, _, arrivals, gain, worse) in enumerate(cases, 1)]
    lab.store.transact(lambda tx: tx.run("advance_tasks", rows=sent, now=tx.now))
    closed = lab.store.read(lambda tx: tx.run("find_ended_unrun", rows=[row[:1] for row in sent]))
    stored = lab.sql(
        "SELECT state, open_parents, need, bad_parents, ready_at, finished_at FROM qflow.task_instance ORDER BY id"
    )
    for case, (code, *counters, ready_at, finished_at) in zip(cases, stored, strict=True):
        state, before, arrivals, gain, worse = case
        after = settle(state, before, arrivals, gain, worse)
        assert TaskState(code) is after, case
        assert tuple(counters) == (before[0] - arrivals, before[1] - gain, before[2] + worse), case
        moved = after is not state
        assert (ready_at is not None, finished_at is not None) == (
            moved and after is TaskState.READY,
            moved and after.is_final,
        )
    ends = {
        i
        for i, (state, counters, arrivals, *more) in enumerate(cases, 1)
        if settle(state, counters, arrivals, *more) in (SKIPPED, TaskState.UPSTREAM_FAILED) and counters[0] == arrivals
    }
    assert {row.id for row in closed} == ends


def test_a_fan_is_moved_as_its_children_would_be_one_by_one(lab):
    lab.sql("INSERT INTO qflow.lane (tenant, pool, job, limits) VALUES ('t', 'p', 'j', '')")
    cases = list(itertools.product(TaskState, (1,), (0, 1), (0,)))
    columns = "id, node, state, lane, priority, open_parents, need, bad_parents"
    fans = []
    for first in (ORDINALS, 2 * ORDINALS):
        rows = [f"({first + i}, {i}, {int(case[0])}, 1, 0, {case[1]}, {case[2]}, 0)" for i, case in enumerate(cases)]
        lab.sql(f"INSERT INTO qflow.task_instance ({columns}) VALUES {', '.join(rows)}")
        fans.append((first, f"[{','.join(map(str, range(len(cases))))}]"))
    lab.store.transact(lambda tx: tx.run("advance_fans", rows=fans, now=tx.now))
    stored = lab.sql("SELECT state, open_parents, need, bad_parents, ready_at FROM qflow.task_instance ORDER BY id")
    for (state, *before), (code, *counters, ready_at) in zip(cases * 2, stored, strict=True):
        after = settle(state, tuple(before), 1, 1, 0)
        assert TaskState(code) is after
        assert counters == [before[0] - 1, before[1] - 1, 0]
        assert (ready_at is not None) == (after is not state)


def test_thousands_of_children_become_ready_at_once_and_meet_again(lab):
    wide = [f"m{i:04}" for i in range(2_000)]
    lab.workflow("wide", {"root": []} | {key: ["root"] for key in wide} | {"odd": ["root", wide[0]], "last": wide})
    number = lab.start("wide")
    [root] = lab.claim()
    lab.finish(lab.final(root, SUCCESS))
    states = lab.states(number)
    assert {states[key] for key in wide} == {"READY"}
    assert (states["odd"], states["last"]) == ("PENDING", "PENDING")
    lab.succeeds(number)


@pytest.mark.parametrize("parents", [2, 50])
def test_all_parents_in_one_batch_make_the_child_ready_once(lab, parents):
    number, rows = fan_in(lab, parents)
    lab.ends(rows)
    assert lab.states(number)["last"] == "READY"
    lab.check()
    lab.succeeds(number)


def test_failure_spreads_level_by_level_to_the_end(lab):
    chain = {"t0": []} | {f"t{i}": [f"t{i - 1}"] for i in range(1, 20)}
    lab.workflow("chain", chain)
    number = lab.start("chain")
    lab.run({"t3": FAILED})
    states = list(lab.states(number).values())
    assert states == ["SUCCESS"] * 3 + ["FAILED"] + ["UPSTREAM_FAILED"] * 16
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_two_branches_of_different_length_meet_in_a_failure(lab):
    lab.workflow("legs", {"a": [], "b": ["a"], "c": ["b"], "x": [], "end": ["c", "x"]})
    number = lab.start("legs")
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.finish(lab.final(rows["a"], FAILED), lab.final(rows["x"], SKIPPED))
    assert lab.states(number)["end"] == "UPSTREAM_FAILED"
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_a_skip_is_not_a_failure(lab):
    lab.workflow("diamond", DIAMOND)
    number = lab.start("diamond")
    lab.run({"b": SKIPPED})
    assert lab.states(number) == {"a": "SUCCESS", "b": "SKIPPED", "c": "SUCCESS", "d": "SKIPPED"}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_false_condition_skips_and_a_broken_one_lets_through(lab):
    tasks = {
        "a": [],
        "yes": {"a": "{{ a.output.n > 1 }}"},
        "no": {"a": "{{ a.output.n > 9 }}"},
        "odd": {"a": "{{ a.output.x }}"},
    }
    lab.workflow("conditions", tasks)
    number = lab.start("conditions")
    [row] = lab.claim()
    lab.finish(lab.final(row, SUCCESS, {"n": 5}))
    # What has no value is told when it is claimed, as the row's own error.
    assert lab.states(number) == {"a": "SUCCESS", "yes": "READY", "no": "SKIPPED", "odd": "READY"}
    lab.check()


def test_conditions_read_outputs_that_were_too_large_for_the_row(lab):
    lab.workflow("large", {"a": [], "b": {"a": "{{ a.output.go }}"}})
    number = lab.start("large")
    [row] = lab.claim()
    lab.finish(lab.final(row, SUCCESS, {"go": True, "text": "x" * 200_000}))
    assert lab.states(number)["b"] == "READY"


def test_a_result_with_an_old_fence_is_dropped_and_the_rest_of_its_batch_kept(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    first, second = lab.claim()
    assert lab.finish(lab.final(first._replace(fence=first.fence - 1)), lab.final(second)) == []
    assert sorted(lab.states(number).values()) == ["RUNNING", "SUCCESS"]
    lab.check()
    assert lab.finish(lab.final(first)) == [number]
    lab.check(drained=True)


def test_a_batch_whose_commit_was_applied_but_not_answered_changes_nothing_when_it_comes_again(lab):
    """The reply to COMMIT is lost: the executor still has the batch and writes it once more."""
    number, rows = fan_in(lab, 5)
    batch = Batch(final=[lab.final(row) for row in rows])

    def lose_reply(transaction, point):
        if (transaction, point) == ("finish", "after_commit"):
            raise StoreUnavailable("the reply was lost")

    lab.store._fault = lose_reply
    with pytest.raises(StoreUnavailable):
        lab.finish(batch=batch)
    lab.store._fault = None
    for _ in range(3):
        assert lab.finish(batch=batch) == []
    assert lab.states(number)["last"] == "READY"
    assert lab.sql(f"SELECT open_parents, need FROM qflow.task_instance WHERE id = {rows[-1].id + 1}") == [(0, 0)]
    lab.check()


@pytest.fixture
def strict_lab(open_lab):
    """PostgreSQL: the others store numbers that are too large, or cut them."""
    lab = open_lab("postgres")
    yield lab
    lab.close()


def test_a_batch_that_the_database_refuses_fails_the_guilty_task_alone(strict_lab):
    lab = strict_lab
    lab.workflow("two", {"a": [], "b": [], "c": ["a"], "d": ["b"]})
    number = lab.start("two")
    rows = {lab.key(row.id): row for row in lab.claim()}
    bad = lab.final(rows["a"], SUCCESS, "a")._replace(reason=1 << 40)
    lab.finish(bad, lab.final(rows["b"]))
    assert lab.states(number) == {"a": "FAILED", "b": "SUCCESS", "c": "UPSTREAM_FAILED", "d": "READY"}
    [attempt, _] = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert attempt.error.startswith("the database refused the result of this task")
    lab.check()


class Unspeakable:
    def __str__(self):
        raise RuntimeError("there are no words for it")


def unwritable(lab, row):
    """An attempt with something in it that no driver knows how to send."""
    return lab.failed_attempt(row, "")._replace(error=Unspeakable())


def test_what_our_own_code_cannot_write_fails_the_guilty_task_alone(lab):
    lab.workflow("two", {"a": [], "b": [], "c": ["a"], "d": ["b"]})
    number = lab.start("two")
    rows = {lab.key(row.id): row for row in lab.claim()}
    batch = Batch(final=[lab.final(row) for row in rows.values()], attempts=[unwritable(lab, rows["a"])])
    lab.finish(batch=batch)
    assert lab.states(number) == {"a": "FAILED", "b": "SUCCESS", "c": "UPSTREAM_FAILED", "d": "READY"}
    assert batch.effects.has_advanced, "who wrote it looks for what is ready now"
    [attempt, *_] = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert "the result of this task" in attempt.error
    lab.check()


def test_with_manual_retries_what_cannot_be_written_waits_for_a_person(lab):
    lab.workflow("two", {"a": [], "b": []}, {"a": {"retry": "manual"}})
    number = lab.start("two")
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.finish(batch=Batch(final=[lab.final(row) for row in rows.values()], attempts=[unwritable(lab, rows["a"])]))
    assert lab.states(number) == {"a": "PENDING", "b": "SUCCESS"}
    [failure] = lab.sql("SELECT task, error FROM qflow.failures")
    assert failure[0] == "a"
    assert "the result of this task" in str(failure[1])
    lab.check()


def test_a_claim_that_fails_in_a_finish_is_not_the_fault_of_its_results(lab):
    number = lab.start(job="work")
    [row] = lab.claim()

    def claim(tx):
        raise ZeroDivisionError

    batch = Batch(final=[lab.final(row)])
    assert finish_and(lab.store, lab.instances, batch, lab.owner, claim) == ([number], None)
    assert lab.states(number) == {"work": "SUCCESS"}
    lab.check(drained=True)


def test_a_retry_whose_error_cannot_be_written_is_a_retry_all_the_same(lab):
    number = lab.start(job="work")
    [row] = lab.claim()
    again = Rearmed(row.id, row.fence, 1, int(Reason.ERROR), lab.clock.now())
    lab.finish(batch=Batch(rearmed=[again], attempts=[unwritable(lab, row)]))
    assert lab.states(number) == {"work": "PENDING"}
    assert lab.column("task_instance", "attempt", row.id) == 1
    [attempt] = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert "the result of this task" in attempt.error
    lab.check()


def test_a_result_that_cannot_be_written_even_as_a_failure_is_left_to_reconciliation(strict_lab):
    lab = strict_lab
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    first, second = lab.claim()
    lab.finish(lab.final(first)._replace(attempt=1 << 40), lab.final(second))
    assert sorted(lab.states(number).values()) == ["RUNNING", "SUCCESS"]


def test_an_output_that_was_not_accepted_is_not_remembered(lab):
    lab.workflow("pair", {"a": [], "b": ["a"]})
    number = lab.start("pair")
    [row] = lab.claim()
    lab.sql(f"UPDATE qflow.task_instance SET fence = fence + 1 WHERE id = {row.id}")
    lab.finish(lab.final(row, SUCCESS, {"stale": True}))
    assert (row.id, row.round) not in lab.instances.outputs
    assert lab.states(number)["a"] == "RUNNING"


def test_a_child_never_starts_before_all_its_parents_are_accepted(lab):
    number, rows = fan_in(lab, 10)
    for row in rows[:-1]:
        lab.ends([row])
        assert lab.claim() == []
    lab.ends(rows[-1:])
    [last] = lab.claim()
    assert last.id == number * ORDINALS + 10


# ------------------------------------------------------------------------------------------------ two connections


@pytest.fixture(params=["postgres", "mariadb"])
def server_lab(request, open_lab):
    """SQLite has one writer at a time: there is nothing to race."""
    lab = open_lab(request.param)
    yield lab
    lab.close()


@pytest.mark.parametrize("parents", [2, 3, 10, 50])
def test_parents_that_finish_at_once_over_two_connections_make_the_child_ready(server_lab, parents):
    """Both transactions have begun before either finishes a row; done with a count of open parents, one arrival is lost."""
    barrier = threading.Barrier(2)

    def meet(transaction, point):
        if (transaction, point) == ("finish", "begin") and not barrier.broken:
            barrier.wait(20)

    number, rows = fan_in(server_lab, parents)
    halves = [rows[0::2], rows[1::2]]
    race(server_lab, halves, meet)
    assert server_lab.states(number)["last"] == "READY"
    server_lab.check()
    server_lab.run()
    assert server_lab.state(number) == "SUCCESS"
    server_lab.check(drained=True)


@pytest.mark.parametrize("outcomes", [(SUCCESS, FAILED), (FAILED, SUCCESS), (SKIPPED, FAILED), (FAILED, FAILED)])
def test_good_and_bad_parents_at_once_end_the_child_once(server_lab, outcomes):
    barrier = threading.Barrier(2)

    def meet(transaction, point):
        if (transaction, point) == ("finish", "begin") and not barrier.broken:
            barrier.wait(20)

    number, rows = fan_in(server_lab, 2)
    race(server_lab, [[row] for row in rows], meet, outcomes)
    assert server_lab.states(number)["last"] == "UPSTREAM_FAILED"
    assert server_lab.state(number) == "FAILED"
    server_lab.check(drained=True)


def test_a_parent_that_finishes_while_the_other_has_not_committed_waits_for_it(server_lab):
    """The second one's update of the child waits for the first one's COMMIT, and then sees its arrival."""
    first_has_written, second_has_begun = threading.Event(), threading.Event()
    number, rows = fan_in(server_lab, 2)

    def first(transaction, point):
        if (transaction, point) == ("finish", "before_commit"):
            first_has_written.set()
            assert second_has_begun.wait(20)

    def second(transaction, point):
        if (transaction, point) == ("finish", "begin"):
            second_has_begun.set()

    early = threading.Thread(target=finish_apart, args=(server_lab, rows[:1], first, SUCCESS))
    early.start()
    assert first_has_written.wait(20)
    finish_apart(server_lab, rows[1:], second, SUCCESS)
    early.join(30)
    assert server_lab.states(number)["last"] == "READY"
    server_lab.check()


def test_leaves_that_finish_at_once_close_the_instance_once(server_lab):
    barrier = threading.Barrier(2)

    def meet(transaction, point):
        if (transaction, point) == ("finish", "begin") and not barrier.broken:
            barrier.wait(20)

    for _ in range(5):
        barrier.reset()
        number = len(server_lab.sql("SELECT id FROM qflow.submissions"))
        server_lab.workflow(f"leaves{number}", {"a": [], "b": []})
        number = server_lab.start(f"leaves{number}")
        rows = server_lab.claim()
        closed = race(server_lab, [rows[:1], rows[1:]], meet)
        assert sorted(closed) == [number]
    server_lab.check(drained=True)


def finish_apart(lab, rows, fault, outcome):
    """Finish rows over a connection of another daemon's. Returns the instances that it closed."""
    other = Lab(lab.url, fault=fault)
    try:
        return other.finish(*(other.final(row, outcome) for row in rows))
    finally:
        other.close()


def race(lab, parts, fault, outcomes=(SUCCESS, SUCCESS)):
    """Finish two sets of rows in two threads at once. Returns the instances that they closed."""
    closed: list[int] = []
    threads = [
        threading.Thread(
            target=lambda rows=rows, outcome=outcome: closed.extend(finish_apart(lab, rows, fault, outcome))
        )
        for rows, outcome in zip(parts, outcomes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return closed


def test_what_a_batch_brings_about_is_known_though_some_of_its_rows_were_lost(lab):
    """Its other rows are written as another batch; the executor asks the one that it gave."""
    lab.workflow("two", {"a": [], "b": [], "c": ["a"], "d": ["b"]})
    number = lab.start("two")
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.finish(lab.final(rows["a"]))
    batch = Batch(final=[lab.final(row) for row in rows.values()])
    lab.finish(batch=batch)
    assert lab.states(number) == {"a": "SUCCESS", "b": "SUCCESS", "c": "READY", "d": "READY"}
    assert batch.effects.has_advanced


def test_a_task_that_ended_twice_in_one_batch_ends_once(lab):
    number = lab.start(job="work")
    [row] = lab.claim()
    batch = Batch(final=[lab.final(row), lab.final(row, FAILED)], released=[Released(row.id, row.fence, 0, 0)])
    lab.finish(batch=batch)
    assert lab.states(number) == {"work": "SUCCESS"}
    lab.check(drained=True)
