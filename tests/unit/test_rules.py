"""What the end of a task is worth to those behind it, and when a waiting row moves."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qflowd.model.rules import BAD, FAVOURABLE, NEUTRAL, settle, start, waits_in_full, worth
from qflowd.model.states import TaskState
from tests.support.rules import RULES, unrun_state

P, R = TaskState.PENDING, TaskState.READY
OUTCOMES = [TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED, TaskState.UPSTREAM_FAILED, TaskState.CANCELLED]


@pytest.mark.parametrize(
    ("outcome", "value"),
    [
        (TaskState.SUCCESS, FAVOURABLE),
        (TaskState.SKIPPED, NEUTRAL),
        (TaskState.FAILED, BAD),
        (TaskState.UPSTREAM_FAILED, BAD),
        (TaskState.CANCELLED, BAD),
    ],
)
def test_every_outcome_has_its_worth(outcome, value):
    assert worth(outcome) == value


def test_a_condition_that_does_not_hold_is_neither_good_nor_bad():
    assert worth(TaskState.SUCCESS, condition=False) == NEUTRAL


def test_a_condition_does_not_repair_what_is_bad():
    assert worth(TaskState.FAILED, condition=True) == worth(TaskState.FAILED, condition=False) == BAD


def test_a_task_needs_all_its_parents():
    assert start(3) == (3, 3)


@pytest.mark.parametrize(
    ("counters", "arrivals", "gain", "bad", "state"),
    [
        ((2, 2, 0), 1, 1, 0, P),  # one more to come
        ((2, 2, 0), 2, 2, 0, R),
        ((1, 1, 0), 1, 1, 0, R),
        ((1, 1, 0), 1, 0, 0, TaskState.SKIPPED),
        ((1, 1, 0), 1, 0, 1, TaskState.UPSTREAM_FAILED),
        ((1, 2, 1), 1, 1, 0, TaskState.UPSTREAM_FAILED),  # the bad one had come before
        ((1, 2, 0), 1, 1, 0, TaskState.SKIPPED),
        ((2, 2, 0), 1, 0, 1, P),  # it waits for the last, so that all of them have ended before it does
    ],
)
def test_a_waiting_row_moves_when_it_is_clear_what_becomes_of_it(counters, arrivals, gain, bad, state):
    assert settle(P, counters, arrivals, gain, bad) is state


@pytest.mark.parametrize("state", [s for s in TaskState if s is not P])
def test_a_row_that_does_not_wait_is_not_moved(state):
    assert settle(state, (1, 1, 0), 1, 1, 0) is state
    assert settle(state, (1, 1, 0), 1, 0, 1) is state


def test_a_row_that_waits_for_its_timer_is_not_moved():
    assert settle(P, (0, 0, 0), 1, 1, 0) is P


PARENTS = st.lists(st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=1000)
@given(st.sampled_from(RULES), PARENTS, st.data())
def test_counters_come_to_what_the_rule_says_however_arrivals_are_put_together(rule, parents, data):
    """Any cut of the same arrivals into batches ends in the state that a look at all parents gives."""
    worths = [worth(outcome, rule, condition=condition, tolerated=may_fail) for outcome, condition, may_fail in parents]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(parents)), max_size=4)))
    state, counters = P, (*start(len(parents), rule), 0)
    for first, last in pairwise([0, *cuts, len(parents)]):
        part = worths[first:last]
        arrived, gain, bad = len(part), sum(w.gain for w in part), sum(w.bad for w in part)
        state = settle(state, counters, arrived, gain, bad)
        counters = (counters[0] - arrived, counters[1] - gain, counters[2] + bad)
    states = ["TOLERATED" if may_fail and end is TaskState.FAILED else end.name for end, _, may_fail in parents]
    expected = unrun_state(rule, [(state, parent[1]) for state, parent in zip(states, parents, strict=True)])
    assert state is (R if expected is None else TaskState[expected])


@pytest.mark.parametrize("rule", RULES)
def test_only_any_success_does_not_wait_for_all(rule):
    first = worth(TaskState.SUCCESS, rule)
    state = settle(P, (*start(3, rule), 0), 1, *first)
    assert state is (R if rule == "any_success" else P)
    assert waits_in_full(rule) is (rule != "any_success")


@pytest.mark.parametrize("rule", RULES)
def test_a_task_without_parents_needs_nothing_under_any_rule(rule):
    assert start(0, rule) == (0, 0)
