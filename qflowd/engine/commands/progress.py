"""How far a command for many instances has come."""

import hashlib
from typing import Any, Final, NotRequired, TypedDict

from qflowd.model.states import InstanceState
from qflowd.model.workflow import Json

KEPT: Final = ("after", "last", "begun")  # of the progress; all else is the result


class Progress(TypedDict):
    """How far a command has come: kept in `bulk_command` between its steps, and its result but for KEPT."""

    after: int  # the instance that was looked at last
    last: int  # the largest there was at the first step
    matched: int
    done: int
    refused: int
    refusals: dict[str, str]
    total: NotRequired[int]  # matched when it began; absent where that was not counted, and at the end
    unchanged: NotRequired[int]
    already: NotRequired[Json]  # why a workflow itself did not change
    effect: NotRequired[Json]  # else, what became of it
    instances: NotRequired[list[dict[str, Any]]]  # of a dry run
    begun: NotRequired[dict[str, list[tuple[int, bool]]]]  # of a dry run
    tasks: NotRequired[int]  # of a dry run: how many would change
    digest: NotRequired[str]  # of a dry run: of what matched, in its order


def digest_with(before: str, number: int, failures: tuple[int, ...]) -> str:
    """The digest of a set with one instance more, the largest so far."""
    return hashlib.blake2b(f"{before} {number} {failures}".encode(), digest_size=16).hexdigest()


def note_begun(begun: dict[str, list[tuple[int, bool]]], before: Any, now: Any) -> None:
    """Note what a dry run had begin, or wait for its turn: instances after it may have no place beside it."""
    states = InstanceState(before.state), InstanceState(now.state)
    may_begin = states[0].is_final or states[0] is InstanceState.READY
    if may_begin and now.concurrency_key is not None and not states[1].is_final:
        begun.setdefault(now.concurrency_key, []).append((now.id, states[1] is InstanceState.READY))
