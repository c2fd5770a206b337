"""Random workflows, random ends, in random order: the engine does what a plain model says, and its counters are true.

The model is a dozen lines of Python over a whole DAG; the engine works with three counters per row, in batches, with
replays, lost rows and late results in between.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import Intent, TaskState
from qflowd.model.workflow import TriggerRule
from tests.support.invariants import violations
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab
from tests.support.rules import RULES, unrun_state

EXAMPLES = {"sqlite": 100, "postgres": 20, "mariadb": 20}
MOST_NODES = 12


class Dag(NamedTuple):
    """`parents[i]`: parent -> whether the edge has a condition. `ends[i]`: how node i ends if it runs.

    `holds[i]`: the nodes for whose conditions node i's output says yes. `rules[i]`: its trigger rule.
    `tolerated`: the nodes whose failure does not fail the instance. `whens[i]`: what node i asks before it runs: nothing,
    a constant, or what this parent's output says to it. `last`: the nodes that run after a termination, too.
    """

    parents: Sequence[Mapping[int, bool]]
    ends: Sequence[Any]
    holds: Sequence[frozenset[int]]
    rules: Sequence[TriggerRule]
    tolerated: frozenset[int]
    whens: Sequence[bool | int | None]
    last: frozenset[int] = frozenset()

    def tasks(self) -> dict[str, Any]:
        """Task key -> `after`, as a workflow file says it."""
        return {
            f"n{node}": {
                f"n{parent}": f"{{{{ n{parent}.output.n{node} }}}}" if has_condition else True
                for parent, has_condition in parents.items()
            }
            for node, parents in enumerate(self.parents)
        }

    def of_task(self) -> dict[str, dict[str, Any]]:
        return {f"n{node}": dict(self._of_task(node)) for node in range(len(self.rules))}

    def _of_task(self, node: int) -> Iterator[tuple[str, Any]]:
        yield "trigger_rule", self.rules[node]
        if node in self.tolerated:
            yield "on_failure", "continue"
        if node in self.last:
            yield "run_on", "terminate"
        if (when := self.whens[node]) is not None:
            yield "when", when if isinstance(when, bool) else f"n{when}.output.n{node}"

    def output(self, node: int) -> dict[str, bool]:
        return {f"n{child}": child in self.holds[node] for child in range(len(self.parents))}

    def model(self, ends: Sequence[Any] | None = None) -> dict[str, str]:
        """Task key -> final state."""
        found: list[str] = []
        for node, parents in enumerate(self.parents):
            before = []
            for parent, has_condition in parents.items():
                is_tolerated = found[parent] == "FAILED" and parent in self.tolerated
                holds = not has_condition or (not is_tolerated and node in self.holds[parent])
                before.append(("TOLERATED" if is_tolerated else found[parent], holds))
            unrun = unrun_state(self.rules[node], before) or self._unwanted_state(node, found)
            found.append(unrun or (ends or self.ends)[node].name)
        return {f"n{node}": state for node, state in enumerate(found)}

    def _unwanted_state(self, node: int, found: Sequence[str]) -> str | None:
        """None if node i runs, of which nothing but its `when` decides; a parent that did not succeed has no output."""
        when = self.whens[node]
        if when is None or when is True:
            return None
        if when is False:
            return "SKIPPED"
        if found[when] != "SUCCESS":
            return "FAILED"
        return None if node in self.holds[when] else "SKIPPED"

    def instance(self, ends: Sequence[Any] | None = None) -> tuple[str, str | None]:
        """The final state and reason of the instance."""
        states = self.model(ends)
        failed = {int(key[1:]) for key, state in states.items() if state == "FAILED"}
        if "UPSTREAM_FAILED" in states.values() or failed - self.tolerated:
            return "FAILED", "error"
        return "SUCCESS", "tolerated" if failed else None


@st.composite
def dags(draw, ends=(SUCCESS, SUCCESS, SUCCESS, FAILED, SKIPPED), last=False):
    size = draw(st.integers(1, MOST_NODES))
    condition = draw(st.sampled_from([st.just(False), st.booleans()]))  # without any, arrivals take a shorter way
    parents: list[dict[int, bool]] = [{}]
    for node in range(1, size):
        above = draw(st.sets(st.integers(0, node - 1), max_size=4))
        parents.append({parent: draw(condition) for parent in sorted(above)})
    holds = [frozenset(draw(st.sets(st.integers(0, size - 1)))) for _ in range(size)]
    rule = draw(st.sampled_from([st.just("all_success"), st.sampled_from(RULES)]))
    rules = [draw(rule) if above else "all_success" for above in parents]
    finals = {node for node in range(size) if parents[node] and draw(st.booleans())} if last else set()
    for node in finals:
        rules[node] = "always"
        parents[node] = dict.fromkeys(parents[node], False)
    has_whens = draw(st.booleans())
    whens = [draw(when_of(parents[node], rules[node], node in finals)) if has_whens else None for node in range(size)]
    tolerated = draw(st.sampled_from([st.just(set()), st.sets(st.integers(0, size - 1))]))
    outcomes = [draw(st.sampled_from(ends)) for _ in range(size)]
    return Dag(parents, outcomes, holds, rules, frozenset(draw(tolerated)), whens, frozenset(finals))


def when_of(parents, rule, is_last):
    """What a node may ask: with `any_success`, or after a termination, an output may be there or not."""
    outputs = [] if rule == "any_success" or is_last else sorted(parents)
    return st.sampled_from([None, None, True, False, *outputs])


class Drive:
    """Drives instances of one DAG to their end, in an order that a seed decides."""

    def __init__(self, lab: Lab, dag: Dag, seed: int) -> None:
        lab.wipe()
        self.lab = Lab(lab.url)
        self.dag = dag
        self.chance = random.Random(seed)
        self.held: list[Any] = []
        self.old: list[Batch] = []
        self.lab.workflow("dag", dag.tasks(), dag.of_task())

    def node(self, row) -> int:
        return int(self.lab.key(row.id)[1:])

    def final(self, row, ends=None):
        node = self.node(row)
        state = (ends or self.dag.ends)[node]
        return self.lab.final(row, state, self.dag.output(node) if state is SUCCESS else None)

    def step(self, ends=None) -> bool:
        """One random act. False: nothing is left to be done."""
        chance, lab = self.chance, self.lab
        act = chance.choice(["claim", "finish", "finish", "finish", "return", "replay", "late", "time"])
        if act == "claim" or not self.held:
            self.held += self.claim(chance.choice([1, 2, 1000]))
        elif act == "finish":
            chance.shuffle(self.held)
            count = chance.randint(1, len(self.held))
            rows, self.held = self.held[:count], self.held[count:]
            self.finish(Batch(final=[self.final(row, ends) for row in rows]))
        elif act == "return":
            self.give_back(self.held.pop())
        elif act == "replay" and self.old:
            lab.finish(batch=chance.choice(self.old))
        elif act == "late":
            row = chance.choice(self.held)
            lab.finish(self.final(row._replace(fence=row.fence - 1), ends))
        if act == "time" or not self.held:
            lab.clock.advance(60)
            lab.promote.tick()
        if not self.held:
            self.held += self.claim()
        return bool(self.held)

    def claim(self, wanted: int = 1000) -> list[Any]:
        """Claim, and send: what does not run has ended, and makes others ready."""
        rows = self.lab.claim(wanted)
        asking = [row for row in rows if self.dag.whens[self.node(row)] is not None]
        for row in rows:
            self.check_order(row)
        if not asking:
            return rows
        sent, batch = self.lab.send(asking)
        if not batch:
            return rows
        self.finish(batch)
        return [row for row in rows if row.id in sent or row not in asking] or self.claim(wanted)

    def check_order(self, row) -> None:
        """Of tasks that run after a termination, one that waits for another begins after it."""
        above = {f"n{parent}" for parent in self.dag.parents[self.node(row)] if parent in self.dag.last}
        if above and self.node(row) in self.dag.last:
            states = self.lab.states(row.id >> 20)
            assert all(TaskState[states[key]].is_final for key in above), (self.lab.key(row.id), states)

    def finish(self, batch: Batch) -> None:
        """Write a batch; now and then the reply to its COMMIT is lost, and it is written again."""
        if self.chance.random() < 0.2:
            self.lab.store._fault = lose_reply
            with pytest.raises(StoreUnavailable):
                self.lab.finish(batch=batch)
            self.lab.store._fault = None
        self.lab.finish(batch=batch)
        self.old.append(batch)

    def give_back(self, row) -> None:
        if self.chance.random() < 0.5:
            self.lab.finish(batch=Batch(released=[Released(row.id, row.fence, 1, self.chance.randint(0, 1))]))
        else:
            later = self.lab.clock.now()
            self.lab.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, row.attempt + 1, 1, later)]))

    def to_the_end(self, ends=None) -> None:
        for _ in range(2000):
            if not self.step(ends):
                return
        raise AssertionError("it never ends")

    def close(self) -> None:
        self.lab.close()


def lose_reply(transaction, point):
    if (transaction, point) == ("finish", "after_commit"):
        raise StoreUnavailable("the reply was lost")


def ended(lab: Lab, number: int) -> tuple[str, str | None]:
    [(state, reason)] = lab.sql(f"SELECT state, reason FROM qflow.instances WHERE id = {number}")
    return state, reason


def examples(kind):
    """Few on servers, where each takes long; always the same ones, so that a failure can be seen again."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=EXAMPLES[kind], deadline=None, suppress_health_check=quiet, derandomize=True, database=None
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
        drive.lab.check(drained=True)
        drive.close()

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
        repaired = [SUCCESS if end is FAILED else end for end in dag.ends]
        drive.to_the_end(repaired)
        assert drive.lab.states(number) == dag.model(repaired)
        assert drive.lab.state(number) == dag.instance(repaired)[0]
        drive.lab.check(drained=True)
        drive.close()

    prove()


@KINDS
def test_a_termination_at_any_moment_ends_and_can_be_retried(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind)
    @given(dags(last=True), st.integers(0, 1 << 32), st.integers(0, 12))
    def prove(dag, seed, moment):
        drive = Drive(lab, dag, seed)
        number = drive.lab.start("dag")
        for _ in range(moment):
            drive.step()
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
            repaired = [SUCCESS if end is FAILED else end for end in dag.ends]
            drive.to_the_end(repaired)
            assert drive.lab.states(number) == dag.model(repaired)
            assert drive.lab.state(number) == dag.instance(repaired)[0]
        else:
            assert not {"FAILED", "CANCELLED", "UPSTREAM_FAILED"} & {*states.values()}, "nothing is left to retry"
        drive.lab.check(drained=True)
        drive.close()

    prove()


@KINDS
def test_pauses_at_any_moment_lose_nothing_and_let_nothing_begin(kind, open_lab):
    lab = open_lab(kind)

    @examples(kind)
    @given(dags(), st.integers(0, 1 << 32), st.integers(0, 12))
    def prove(dag, seed, moment):
        drive = Drive(lab, dag, seed)
        number, other = drive.lab.start("dag"), drive.lab.start("dag")
        for _ in range(2):
            for _ in range(moment):
                drive.step()
            if drive.lab.command("pause", number)[0] == "REJECTED":
                assert drive.lab.state(number) in ("SUCCESS", "FAILED")
            else:
                stand_still(drive, number)
        drive.to_the_end()
        assert [drive.lab.states(each) for each in (number, other)] == [dag.model()] * 2
        drive.lab.check(drained=True)
        drive.close()

    prove()


def stand_still(drive: Drive, number: int) -> None:
    """Some random acts on a paused instance: nothing of it is claimed. Then it is resumed, before its sweep or after."""
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
                drive.finish(Batch(final=[drive.final(row)]))
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
