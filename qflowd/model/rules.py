"""What the end of a task is worth to the tasks behind it, in three counters.

A row waits while `need` favourable arrivals are missing. When its last parent has arrived and it still needs some,
it ends UPSTREAM_FAILED if a parent ended badly, else SKIPPED (a false condition, a skipped parent).
"""

from typing import NamedTuple

from qflowd.model.states import TaskState


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


def start(parents: int) -> Counters:
    """A task runs when all its parents have ended favourably; without parents it is ready at once."""
    return Counters(parents, parents)


def worth(outcome: TaskState, *, condition: bool = True) -> Worth:
    """What a parent that ended with `outcome` brings to a child, given what the edge's condition came to."""
    if outcome is TaskState.SUCCESS:
        return FAVOURABLE if condition else NEUTRAL
    if outcome is TaskState.SKIPPED:
        return NEUTRAL
    return BAD


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
