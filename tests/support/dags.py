"""Random workflows, and what their tasks come to by a plain model: a few dozen lines over a whole DAG.

The tasks are called n0, n1, …; those that n3 spawns n3[s0], n3[s1], …, and what n3[s0] spawns n3[s0/s0] ….
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from qflowd.model.states import TaskState
from qflowd.model.workflow import TriggerRule
from tests.support.lab import FAILED, SKIPPED, SUCCESS
from tests.support.rules import BAD, RULES, unrun_state

MOST_NODES = 12
Passed = Mapping[str, bool]  # the rows that a person has skipped, and whether they had run before
NOTHING: Final[Passed] = MappingProxyType({})


class Call(NamedTuple):
    """A task that a running one asks for. `after`: the places of earlier calls; `calls`: what it asks for itself."""

    after: Collection[int]
    end: TaskState
    calls: tuple[Call, ...] = ()

    def repaired(self) -> Call:
        return Call(self.after, _repaired(self.end), tuple(call.repaired() for call in self.calls))


class Dag(NamedTuple):
    """`parents[i]`: parent -> whether the edge has a condition. `ends[i]`: how node i ends if it runs.

    `holds[i]`: the nodes for whose conditions node i's output says yes. `rules[i]`: its trigger rule.
    `tolerated`: those whose failure does not fail the instance. `whens[i]`: what node i asks before it runs: nothing,
    a constant, or what this parent's output says to it. `last`: the nodes that run after a termination, too.
    `spawns[i]`: what node i asks for, if it succeeds.
    """

    parents: Sequence[Mapping[int, bool]]
    ends: Sequence[TaskState]
    holds: Sequence[frozenset[int]]
    rules: Sequence[TriggerRule]
    tolerated: frozenset[int]
    whens: Sequence[bool | int | None]
    last: frozenset[int]
    spawns: Sequence[tuple[Call, ...]]

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

    def of_row(self, key: str) -> tuple[TaskState, tuple[Call, ...]]:
        """How the row of this name ends if it runs, and what it asks for."""
        node, path = split(key)
        end, calls = self.ends[node], self.spawns[node]
        for name in path:
            _, end, calls = calls[int(name[1:])]
        return end, calls

    def repaired(self) -> Dag:
        """The same without failures."""
        ends = [_repaired(end) for end in self.ends]
        return self._replace(ends=ends, spawns=[tuple(call.repaired() for call in calls) for calls in self.spawns])

    def model(self, passed: Passed = NOTHING) -> dict[str, str]:
        """Key of each row -> its final state."""
        found: list[str] = []
        rows: dict[str, str] = {}
        for node, parents in enumerate(self.parents):
            before = [self._before(node, parent, found, passed) for parent in parents]
            state = unrun_state(self.rules[node], before) or self._unwanted_state(node, found) or self.ends[node].name
            if state == "SUCCESS" and passed.get(f"n{node}", True):
                below, has_failed = spawned(self.spawns[node], f"n{node}[", passed)
                rows |= below
                state = "FAILED" if has_failed else state
            found.append("SKIPPED" if f"n{node}" in passed else state)
        return rows | {f"n{node}": state for node, state in enumerate(found)}

    def _before(self, node: int, parent: int, found: Sequence[str], passed: Passed) -> tuple[str, bool]:
        """What a parent is to a node, and whether the condition of their edge holds."""
        has_condition = self.parents[node][parent]
        if f"n{parent}" in passed:
            return "SKIPPED" if self.rules[node] == "any_success" else "SUCCESS", not has_condition
        is_tolerated = found[parent] == "FAILED" and parent in self.tolerated
        holds = not has_condition or (not is_tolerated and node in self.holds[parent])
        return "TOLERATED" if is_tolerated else found[parent], holds

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

    def instance(self, passed: Passed = NOTHING) -> tuple[str, str | None]:
        """The final state and reason of the instance."""
        states = {key: state for key, state in self.model(passed).items() if "[" not in key}
        failed = {int(key[1:]) for key, state in states.items() if state == "FAILED"}
        if "UPSTREAM_FAILED" in states.values() or failed - self.tolerated:
            return "FAILED", "error"
        return "SUCCESS", "tolerated" if failed else None


def split(key: str) -> tuple[int, list[str]]:
    """The node of a row, and the names on the way from it to the row."""
    node, _, path = key.removesuffix("]").partition("[")
    return int(node[1:]), path.split("/") if path else []


def is_below(key: str, above: str) -> bool:
    """Was the row `key` spawned by `above`, or by a row that this has spawned?"""
    node, path = split(key)
    other, names = split(above)
    return node == other and len(path) > len(names) and path[: len(names)] == names


def spawned(calls: Sequence[Call], prefix: str, passed: Passed) -> tuple[dict[str, str], bool]:
    """What spawned tasks come to, and what these have spawned; and whether one of the former fails their spawner."""
    rows: dict[str, str] = {}
    found: list[str] = []  # what each is to those after it, and to the spawner
    for place, call in enumerate(calls):
        key = f"{prefix}s{place}]"
        state = unrun_state("all_success", [(found[one], True) for one in call.after]) or call.end.name
        if state == "SUCCESS" and passed.get(key, True):
            below, has_failed = spawned(call.calls, f"{prefix}s{place}/", passed)
            rows |= below
            state = "FAILED" if has_failed else state
        rows[key] = "SKIPPED" if key in passed else state
        found.append("SUCCESS" if key in passed else state)
    return rows, any(state in BAD for state in found)


def _repaired(end: TaskState) -> TaskState:
    return SUCCESS if end is FAILED else end


@st.composite
def dags(draw, ends=(SUCCESS, SUCCESS, SUCCESS, FAILED, SKIPPED), last=False, asks=True):
    """`last`: some run after a termination; `asks`: there may be conditions and `when`."""
    size = draw(st.integers(1, MOST_NODES))
    # Without any condition, arrivals take a shorter way.
    condition = draw(st.sampled_from([st.just(False), st.booleans()])) if asks else st.just(False)
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
    has_whens = asks and draw(st.booleans())
    whens = [draw(when_of(parents[node], rules[node], node in finals)) if has_whens else None for node in range(size)]
    tolerated = draw(st.sampled_from([st.just(set()), st.sets(st.integers(0, size - 1))]))
    outcomes = [draw(st.sampled_from(ends)) for _ in range(size)]
    spawning = draw(st.sets(st.integers(0, size - 1), max_size=2))
    spawns = [draw(calls_of(ends)) if node in spawning else () for node in range(size)]
    return Dag(parents, outcomes, holds, rules, frozenset(draw(tolerated)), whens, frozenset(finals), spawns)


def when_of(parents, rule, is_last):
    """What a node may ask: with `any_success`, or after a termination, an output may be there or not."""
    outputs = [] if rule == "any_success" or is_last else sorted(parents)
    return st.sampled_from([None, None, True, False, *outputs])


@st.composite
def calls_of(draw, ends, depth=2):
    """What a task asks for; one of these may ask for others itself."""
    calls = []
    nested = draw(st.integers(0, 5)) if depth > 1 else None
    for place in range(draw(st.integers(1, 3))):
        after = draw(st.sets(st.integers(0, place - 1))) if place else set()
        below = draw(calls_of(ends, depth - 1)) if place == nested else ()
        calls.append(Call(sorted(after), draw(st.sampled_from(ends)), below))
    return tuple(calls)
