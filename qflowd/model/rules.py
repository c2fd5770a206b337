"""What the end of a task is worth to the tasks behind it, in three counters.

A row waits while `need` favourable arrivals are missing. When its last parent has arrived and it still needs some,
it ends UPSTREAM_FAILED if a parent ended badly, else SKIPPED (a false condition, a skipped parent).

A trigger rule decides two things: how many favourable arrivals a row needs, and which ends are favourable. A false
condition never is. `always` counts as `all_done` does. A tolerated failure is as good as a success, except for
`any_success`, which looks for a result.
"""

import math
from typing import Final, NamedTuple

from qflowd.model.states import TaskState
from qflowd.model.workflow import Tolerance, TriggerRule

GATE: Final = 1_000_000  # what an item that starts anew needs in addition, until its map has a place for it


class Worth(NamedTuple):
    """One arrival at a child: does it count towards `need`, does it count as bad?"""

    gain: int
    bad: int


FAVOURABLE = Worth(1, 0)
NEUTRAL = Worth(0, 0)
BAD = Worth(0, 1)


class Counters(NamedTuple):
    """The counters of a row before anything has arrived."""

    open_parents: int
    need: int


def start(parents: int, rule: TriggerRule = "all_success") -> Counters:
    """A task without parents is ready at once, whatever its rule."""
    return Counters(parents, parents if waits_in_full(rule) else min(parents, 1))


def waits_in_full(rule: TriggerRule) -> bool:
    """Does a task with this rule run only after all its parents have ended?"""
    return rule != "any_success"


def worth(
    outcome: TaskState, rule: TriggerRule = "all_success", *, condition: bool = True, tolerated: bool = False
) -> Worth:
    """What a parent that ended with `outcome` brings to a child with this rule.

    `condition`: what the condition of the edge came to; it is evaluated only if the parent succeeded, and is false where a
    failure was `tolerated`.
    """
    if outcome is TaskState.SUCCESS:
        return FAVOURABLE if condition else NEUTRAL
    if rule in ("all_done", "always"):
        return FAVOURABLE
    if outcome is TaskState.SKIPPED:
        return FAVOURABLE if rule == "none_failed" else NEUTRAL
    if outcome is TaskState.FAILED and tolerated and rule != "any_success":
        return FAVOURABLE if condition else NEUTRAL
    return BAD


def needed(items: int, tolerance: Tolerance | None) -> int:
    """How many items of a map must not fail for it to succeed."""
    if tolerance is None:
        return items
    least = 0 if tolerance.fail_pct is None else items - math.floor(items * tolerance.fail_pct / 100)
    return max(least, tolerance.min_ok or 0)


def item_worth(outcome: TaskState) -> Worth:
    """What an item of a map that ended with `outcome` brings to the map: one that was skipped has not failed."""
    return BAD if worth(outcome).bad else FAVOURABLE


def settle(state: TaskState, counters: tuple[int, int, int], arrivals: int, gain: int, bad: int) -> TaskState:
    """The state of a row after arrivals: what the statement `advance_tasks` does, for tests and recounting.

    `counters`: open_parents, need, bad_parents before.
    """
    open_parents, need, bad_parents = counters
    if state is not TaskState.PENDING or need <= 0:
        return state
    if need <= gain:
        return TaskState.READY
    if open_parents > arrivals:
        return state
    return TaskState.UPSTREAM_FAILED if bad_parents + bad > 0 else TaskState.SKIPPED
