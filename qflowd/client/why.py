"""Why an instance or a task does not continue: what it waits for, in one sentence."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from qflowd.client.instance import no_such_task
from qflowd.client.requests import whole
from qflowd.model.errors import NotFound
from qflowd.model.ids import ABOVE_ALL_IDS, ORDINALS, instance_of, key_range
from qflowd.model.names import item_name, shown_name
from qflowd.model.states import ENDED, TaskState

if TYPE_CHECKING:
    from qflowd.client.client import Client

WITHOUT_TASKS: Final = frozenset({"NEW", "REJECTED", "READY"})  # states of an instance that has no rows of tasks yet

FOLLOWED: Final = 5  # instances, of which each waits for the next one
_INSTANCE: Final = re.compile(r"(?:waits for|queued behind) instance (\d+)")


@dataclass(frozen=True, slots=True)
class Why:
    """Why an instance, or one of its tasks, does not continue. As a string: one sentence about it."""

    id: int
    instance_id: int
    kind: str  # instance, or as in the view `tasks`: task, head, spawned, child, compensation
    task: str | None  # None: the instance as a whole; of an item with its label or index, such as `bars[AAPL]`
    state: str
    reason: str | None  # None while it runs, and once it has ended unless a person must act; else see `_explained`
    error: str | None

    def __str__(self) -> str:
        what = f"instance {self.id}"
        if self.task is not None:
            undoing = "the compensation of " if self.kind == "compensation" else ""
            what = f"{undoing}task {self.task} of instance {self.instance_id}"
        if self.has_ended:
            ended = ": ".join(filter(None, (f"{what} has ended", self.state, (self.error or "").partition("\n")[0])))
            return "; ".join(filter(None, (ended, self.reason)))
        if self.reason:
            return f"{what} is {self.state}: {self.reason}"
        return f"{what} is {self.state}; nothing keeps it waiting"

    @property
    def has_ended(self) -> bool:
        """It neither waits nor runs."""
        if self.task is None:
            return self.state in ENDED or self.state == "REJECTED"
        return TaskState[self.state].is_final


def why(client: "Client", number: int, task: str | None) -> Why:
    """As `Client.why`."""
    number = whole(number, "id", -math.inf, math.inf)
    if task is not None:
        return _of_named_task(client, number, task)
    answers = []
    with suppress(NotFound):
        answers.append(_of_instance(client, number))
    if ORDINALS <= number < ABOVE_ALL_IDS:
        answers += [
            _of_row(client, row) for row in client.read_all("show_task", id=number, instance_id=instance_of(number))
        ]
    if not answers:
        raise NotFound(f"there is no instance or task {number}; `qflowd ps` lists instances, `qflowd show` their tasks")
    # After a million instances a number may be that of one, and of a task of a much older one.
    return next((answer for answer in answers if not answer.has_ended), answers[0])


def _explained(client: "Client", answer: Why, followed: int = FOLLOWED) -> Why:
    """With why the instance waits that it waits for, after the `wait_reason` of the views."""
    if answer.reason is None or not followed or not (instance := _INSTANCE.search(answer.reason)):
        return answer
    with suppress(NotFound):
        return replace(answer, reason=f"{answer.reason}; {_of_instance(client, int(instance[1]), followed - 1)}")
    return answer


def _of_instance(client: "Client", number: int, followed: int = FOLLOWED) -> Why:
    """Raises: NotFound."""
    instance = client.instance(number)
    state, error = instance.state_and_error()
    reason = None if state == "REJECTED" else instance.wait_reason()
    return _explained(client, Why(instance.id, instance.id, "instance", None, state, reason, error), followed)


def _of_named_task(client: "Client", number: int, task: str) -> Why:
    """Of an item of a map too: `bars[AAPL]`, `bars[17]`; `undo bars` is its compensation. Raises: NotFound.

    Of the instance while it has no tasks yet.
    """
    of_instance = _of_instance(client, number)
    if of_instance.state in WITHOUT_TASKS:
        return of_instance
    key, bracket, _ = task.removeprefix("undo ").partition("[")
    first = key_range(of_instance.id)["first"]
    rows = list(client.read_parts("show_rows_of_task", first - 1, instance_id=of_instance.id, task=key))
    for row in rows:
        by_index = shown_name(row._replace(label=None))
        if task in (shown_name(row), by_index):
            return _of_row(client, row)
    if bracket and (unmade := _of_unmade_item(client, task, rows)) is not None:
        return unmade
    raise no_such_task(client.instance(number), task)


def _of_unmade_item(client: "Client", name: str, rows: Sequence[Any]) -> Why | None:
    """Of an item for which a map has not made a row yet; None if it has made all, or there is no map.

    `rows`: all those of the task.
    """
    head = next((row for row in rows if row.kind == "head"), None)
    if head is None or name.startswith("undo "):
        return None
    of_map, made = _of_row(client, head), sum(row.kind not in ("head", "compensation") for row in rows)
    if not made:  # it has no list yet, or has ended without one
        reason = f"not made yet; its map is {of_map.state}" + (f": {of_map.reason}" if of_map.reason else "")
        return of_map if of_map.has_ended else replace(of_map, task=name, state=TaskState.PENDING.name, reason=reason)
    total = int(client.read_one("count_items", instance_id=head.instance_id, task=head.task).total)
    if of_map.has_ended or made >= total:
        return None
    reason = f"not made yet; {made} of {total} items of its map are, and the next ones follow as these end"
    return replace(of_map, task=name, reason=reason)


def _of_row(client: "Client", row: Any) -> Why:
    answer = Why(row.id, row.instance_id, row.kind, item_name(row), row.state, row.wait_reason, row.error)
    return _explained(client, answer)
