"""Random workflows, random ends, in random order: the engine does what a plain model says, and its counters are true.

The model is plain Python over a whole DAG (tests/support/dags.py); the engine works with three counters per row, in
batches, with replays, lost rows and late results in between (tests/support/drive.py).
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qflowd.engine.finishing.batch import Batch
from qflowd.model.states import Intent
from qflowd.store.tx import Tx
from tests.support.dags import Dag, dags, is_below
from tests.support.drive import Drive
from tests.support.invariants import violations
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab
from tests.support.rules import BAD

TWICE = Dag(  # n1, n2 and n4 run after a termination; n2 may be cancelled before, and end a second time
    parents=[{}, {0: False}, {1: False}, {0: True, 1: False, 2: False}, {2: False, 3: False}],
    ends=[FAILED, SUCCESS, SUCCESS, FAILED, SUCCESS],
    holds=[frozenset(nodes) for nodes in ((0, 1, 2, 3, 4), (1, 2, 4), (2, 4), (), (0, 2, 3, 4))],
    rules=["all_success", "always", "always", "all_success", "always"],
    tolerated=frozenset(),
    whens=[True, None, None, 2, None],
    last=frozenset({1, 2, 4}),
    spawns=[()] * 5,
)
EXAMPLES = {"sqlite": 100, "postgres": 20, "mariadb": 20}


def ended(lab: Lab, number: int) -> tuple[str, str | None]:
    [(state, reason)] = lab.sql(f"SELECT state, reason FROM qflow.instances WHERE id = {number}")
    return state, reason


def examples(kind, share=1):
    """Few on servers, where each takes long; always the same ones, so that a failure can be seen again."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=EXAMPLES[kind] // share,
        suppress_health_check=quiet,
        derandomize=True,
        database=None,
    )


KINDS = pytest.mark.parametrize("kind", list(EXAMPLES))


@KINDS
def test_every_workflow_ends_as_the_model_says(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind)
    @given(dags(), st.integers(0, 1 << 32))
    def prove(dag, seed):
        drive = Drive(lab, dag, seed)
        numbers = [drive.lab.start("dag") for _ in range(2)]
        for _ in range(2000):
            if not drive.step():
                break
            drive.lab.check()
        for number in numbers:
            assert drive.lab.states(number) == dag.model()
            assert ended(drive.lab, number) == dag.instance()
        drive.end()

    prove()


@KINDS
def test_a_retry_ends_as_if_nothing_had_failed(kind, open_lab):
    """What failed is retried until it succeeds: every task ends as it would have without a failure."""
    lab = open_lab(kind)

    @examples(kind)
    @given(dags(ends=(SUCCESS, SUCCESS, FAILED, SKIPPED)), st.integers(0, 1 << 32))
    def prove(dag, seed):
        drive = Drive(lab, dag, seed)
        number = drive.lab.start("dag")
        drive.to_the_end()
        if ended(drive.lab, number) == ("SUCCESS", None):
            assert drive.lab.command("retry", number)[0] == "REJECTED"
            drive.close()
            return
        assert drive.lab.command("retry", number)[0] == "DONE"
        drive.lab.check()
        drive.dag = dag.repaired()
        drive.to_the_end()
        assert drive.lab.states(number) == drive.dag.model()
        assert drive.lab.state(number) == drive.dag.instance()[0]
        drive.end()

    prove()


@KINDS
def test_a_rerun_of_any_task_at_any_moment_changes_no_end(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind, share=2)
    @given(dags(), st.integers(0, 1 << 32), st.integers(0, 12))
    def prove(dag, seed, moment):
        drive = Drive(lab, dag, seed)
        number = drive.lab.start("dag")
        drive.steps(moment)
        for _ in range(2):
            key = drive.chance.choice(sorted(drive.lab.states(number)))
            drive.lab.command("rerun", number, task=key)  # rejected where it is being run, or has not ended
            drive.lab.check()
            drive.to_the_end()
            assert drive.lab.states(number) == dag.model()
            assert ended(drive.lab, number) == dag.instance()
        drive.end()

    prove()


@KINDS
def test_what_a_person_skips_counts_as_done(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind, share=2)
    @given(dags(ends=(SUCCESS, SUCCESS, FAILED, SKIPPED), asks=False), st.integers(0, 1 << 32))
    def prove(dag, seed):
        drive = Drive(lab, dag, seed)
        number = drive.lab.start("dag")
        drive.to_the_end()
        for _ in range(3):
            bad = [(key, state) for key, state in sorted(drive.lab.states(number).items()) if state in BAD]
            if not bad:
                break
            key, state = drive.chance.choice(bad)
            if drive.lab.command("skip", number, task=key, reason="not today")[0] == "DONE":
                drive.passed[key] = state == "FAILED"
            else:
                assert any(is_below(key, name) for name in drive.passed), "it counts already"
            drive.lab.check()
            drive.to_the_end()
            assert drive.lab.states(number) == dag.model(drive.passed)
            assert drive.lab.state(number) == dag.instance(drive.passed)[0]
        drive.end()

    prove()


@KINDS
def test_a_termination_at_any_moment_ends_and_can_be_retried(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind)
    @example(TWICE, 2450, 6)
    @example(TWICE, 2451, 6)
    @given(dags(last=True), st.integers(0, 1 << 32), st.integers(0, 12))
    def prove(dag, seed, moment):
        drive = Drive(lab, dag, seed)
        number = drive.lab.start("dag")
        drive.steps(moment)
        if drive.lab.command("terminate", number)[0] == "REJECTED":
            assert drive.lab.state(number) in ("SUCCESS", "FAILED")
            drive.close()
            return
        end_terminated(drive, number)
        assert drive.lab.state(number) == "TERMINATED"
        states = drive.lab.states(number)
        assert "CANCELLED" not in {states[f"n{node}"] for node in dag.last}
        drive.lab.check(drained=True)
        if drive.lab.command("retry", number)[0] == "DONE":
            drive.lab.check()
            drive.dag = dag.repaired()
            drive.to_the_end()
            assert drive.lab.states(number) == drive.dag.model()
            assert drive.lab.state(number) == drive.dag.instance()[0]
        else:
            assert not {"FAILED", "CANCELLED", "UPSTREAM_FAILED"} & {*states.values()}, "nothing is left to retry"
        drive.end()

    prove()


def test_what_runs_after_a_termination_is_written_in_the_order_of_ids_however_it_was_found(open_lab, monkeypatch):
    """Of several daemons that lock rows in another order, none gets them; PostgreSQL promises no order that is not asked for."""
    run = Tx.run
    turned = ("find_finally_rows", "find_behind_finally_rows")
    monkeypatch.setattr(Tx, "run", lambda tx, name, **more: run(tx, name, **more)[:: -1 if name in turned else 1])
    for seed in (2450, 2451):
        drive = Drive(open_lab("sqlite"), TWICE, seed)
        number = drive.lab.start("dag")
        drive.steps(6)
        assert drive.lab.command("terminate", number)[0] == "DONE"
        end_terminated(drive, number)
        assert drive.lab.state(number) == "TERMINATED"
        drive.close()


@KINDS
def test_pauses_at_any_moment_lose_nothing_and_let_nothing_begin(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind)
    @given(dags(), st.integers(0, 1 << 32), st.integers(0, 12))
    def prove(dag, seed, moment):
        drive = Drive(lab, dag, seed)
        number, other = drive.lab.start("dag"), drive.lab.start("dag")
        for _ in range(2):
            drive.steps(moment)
            if drive.lab.command("pause", number)[0] == "REJECTED":
                assert drive.lab.state(number) in ("SUCCESS", "FAILED")
            else:
                stand_still(drive, number)
        drive.to_the_end()
        assert [drive.lab.states(each) for each in (number, other)] == [dag.model()] * 2
        drive.end()

    prove()


def stand_still(drive: Drive, number: int) -> None:
    """Some random acts on a paused instance: nothing of it is claimed. It is resumed before its sweep or after."""
    held = {row.id for row in drive.held}
    for _ in range(drive.chance.randint(0, 8)):
        if drive.chance.random() < 0.3:
            drive.lab.sweep_all()
        drive.step()
        began = {row.id for row in drive.held} - held
        assert not [task for task in began if task >> 20 == number], "it began although its instance is paused"
        drive.lab.check()
    if drive.lab.state(number) == "PAUSED":
        assert drive.lab.command("resume", number)[0] == "DONE"
        drive.lab.sweep_all()
    drive.lab.check()


def end_terminated(drive: Drive, number: int) -> None:
    """The sweep, with held rows ending before, between and after, some of them with success."""
    for _ in range(500):
        if drive.chance.random() < 0.5 or not drive.held:
            drive.lab.sweep.tick()
            drive.lab.clock.advance(60)
            drive.lab.promote.tick()
        if drive.held and drive.chance.random() < 0.5:
            row = drive.held.pop()
            if drive.chance.random() < 0.2:
                drive.give_back(row)
            elif drive.chance.random() < 0.5 or runs_last(drive, number):
                drive.finish(drive.batch([row]))
            else:
                drive.finish(Batch(final=[drive.lab.final(row, CANCELLED)]))
        drive.lab.check()
        # Nobody sends work of an instance that is to end, but a claim may have come between.
        drive.held += drive.claim(1) if drive.chance.random() < 0.3 else []
        if not drive.held and not drive.lab.store.read(lambda tx: tx.run("list_intents")):
            return
    raise AssertionError("it never ends")


def runs_last(drive: Drive, number: int) -> bool:
    """Do only tasks run that run after a termination? Nobody stops these."""
    return bool(drive.lab.column("workflow_instance", "intent", number) == Intent.FINALLY)


# ------------------------------------------------------------------------------------------------ the checks can fail


DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
DAMAGES = {
    "a lost arrival": (
        "UPDATE qflow.task_instance SET open_parents = open_parents + 1, need = need + 1 WHERE node = 3",
        "I4",
    ),
    "an arrival counted twice": ("UPDATE qflow.task_instance SET open_parents = 0, need = 0 WHERE node = 3", "I2|I4"),
    "a bad parent forgotten": ("UPDATE qflow.task_instance SET state = 6 WHERE node = 0", "I4"),
    "a stale result accepted": ("UPDATE qflow.task_instance SET done_fence = fence - 2 WHERE node = 0", "I5"),
    "a closer lost": ("UPDATE qflow.workflow_instance SET open_closers = 2", "I4"),
    "an instance closed too early": ("UPDATE qflow.workflow_instance SET state = 3", "open rows"),
    "a row that nobody holds": ("UPDATE qflow.task_instance SET state = 4, owner = NULL WHERE node = 1", "I2"),
    "an instance that is gone": ("DELETE FROM qflow.workflow_instance", "I1"),
    "a retry without its timer": ("UPDATE qflow.task_instance SET state = 0, need = 0 WHERE node = 1", "I2"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_invariants_see_damage(lab, damage):
    lab.workflow("diamond", DIAMOND)
    lab.start("diamond")
    lab.ends(lab.claim())
    lab.check()
    statement, expected = DAMAGES[damage]
    lab.sql(statement)
    found = list(violations(lab.store))
    assert any(word in text for text in found for word in expected.split("|")), found
    with pytest.raises(AssertionError):
        lab.check()


def test_a_drained_store_has_nothing_open(lab):
    lab.workflow("diamond", DIAMOND)
    lab.start("diamond")
    lab.check()
    with pytest.raises(AssertionError, match="has not ended"):
        lab.check(drained=True)
