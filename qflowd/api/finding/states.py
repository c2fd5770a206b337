"""States in filters: upper or lower case, and the words of other systems for several of them."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, TypeVar

from qflowd.api.answers import ApiFault
from qflowd.model.near_names import did_you_mean
from qflowd.model.states import InstanceState, TaskState

S = TypeVar("S", bound=IntEnum)

_INSTANCE_WORDS: Final[Mapping[str, frozenset[InstanceState]]] = {
    "OPEN": frozenset(state for state in InstanceState if not state.is_final),
    "ENDED": frozenset(state for state in InstanceState if state.is_final),
    "PENDING": frozenset({InstanceState.READY}),
}
_TASK_WORDS: Final[Mapping[str, frozenset[TaskState]]] = {
    "PENDING": frozenset({TaskState.PENDING, TaskState.READY, TaskState.HELD}),
    "OPEN": frozenset(state for state in TaskState if not state.is_final),
    "ENDED": frozenset(state for state in TaskState if state.is_final),
}


def instance_states(words: Iterable[str]) -> frozenset[InstanceState]:
    """The states that a filter names; all without one.

    Raises: ApiFault 40002 for a word that is none.
    """
    return _states(words, InstanceState, _INSTANCE_WORDS)


def task_states(words: Iterable[str]) -> frozenset[TaskState]:
    """As `instance_states`, of tasks. In lower case, `pending` is all that has not begun; PENDING is that state alone.

    Raises: ApiFault 40002.
    """
    return _states(words, TaskState, _TASK_WORDS)


def _states(words: Iterable[str], kind: type[S], more: Mapping[str, frozenset[S]]) -> frozenset[S]:
    found: set[S] = set()
    known = [*kind.__members__, *more]
    for word in words:
        name = word.strip().upper()
        if name in kind.__members__ and (word.strip() == name or name not in more):
            found.add(kind[name])
        elif name in more:
            found |= more[name]
        else:
            there = f"there are {', '.join(known)}"
            raise ApiFault(40002, f"state: there is no state {word[:60]!r}{did_you_mean(name, known, there)}")
    return frozenset(found) or frozenset(kind)
