"""Overlap: what becomes of an instance while others of its workflow run, as its `concurrency` says.

Instances of one concurrency key take turns. Who decides about a key has locked its row in `run_key`, so decisions come
one after the other. An instance that ends locks no key: its place is free once that is committed, and `turns.py` looks then.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from qflowd.engine.plans.expand import Admission, instance_scope
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import Refused
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, Reason
from qflowd.model.workflow import Concurrency
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import Tx

LONGEST_KEY: Final = 200  # characters

Begun = Mapping[str, Sequence[tuple[int, bool]]]  # by key: instances, and whether they wait for their turn
NOBODY: Final[Begun] = MappingProxyType({})


class Skipped(Refused):
    """This submission is not run, as its workflow's `concurrency` wants it: nothing is wrong."""


@dataclass(slots=True)
class Line:
    """The instances of one key that are open, in the order of their ids: those that run, and the first that waits."""

    running: list[int] = field(default_factory=list)
    queued: int | None = None


@dataclass(slots=True)
class TurnsTaken:
    """What was decided. `decided`: by the submission's id, the admission with its key, or why it is skipped.

    `superseded`: those that waited, and why they end; to be ended once the admissions are inserted. `has_replaced`: there
    are commands now that terminate what runs.
    """

    decided: dict[int, Admission | Refused] = field(default_factory=dict)
    superseded: list[tuple[int, str]] = field(default_factory=list)
    has_replaced: bool = False

    @property
    def has_queued(self) -> bool:
        """Some wait for their turn."""
        return any(isinstance(one, Admission) and one.is_queued for one in self.decided.values())

    def end_superseded(self, tx: Tx) -> None:
        for number, error in sorted(self.superseded):
            end_queued(tx, number, InstanceState.TERMINATED, Reason.TERMINATED, error)


def take_turns(tx: Tx, admissions: Sequence[Admission], begun: Begun = NOBODY) -> TurnsTaken:
    """Decide which of these may begin now. No statement is run where no workflow says how its instances overlap."""
    turns = TurnsTaken()
    waiting: dict[str, list[Admission]] = {}
    for admission in admissions:
        if admission.plan.workflow.concurrency is not None and not admission.request.hold:
            try:
                waiting.setdefault(_key(admission), []).append(admission)
            except Refused as refusal:
                turns.decided[admission.request.id] = refusal
    lines = lock_lines(tx, list(waiting), begun)
    for key, those in waiting.items():
        for admission in those:
            try:
                is_queued = _queues(tx, admission, lines[key], turns)
                decision: Admission | Refused = replace(admission, concurrency_key=key, is_queued=is_queued)
            except Refused as refusal:
                decision = refusal
            turns.decided[admission.request.id] = decision
    return turns


def refuse_skipped(tx: Tx, admission: Admission) -> None:
    """Would `concurrency` let this one run, now or later?

    Raises: Refused if not.
    """
    if admission.plan.workflow.concurrency is not None:
        key = _key(admission)
        _refuse_skipped(admission, lock_lines(tx, [key])[key])


def lock_lines(tx: Tx, keys: Sequence[str], begun: Begun = NOBODY) -> dict[str, Line]:
    """The line of each of these keys, locked until the transaction ends, with those that a dry run had begin before."""
    if not keys:
        return {}
    rows = [(key,) for key in sorted(keys)]
    tx.run("lock_turns", rows=rows)
    lines = {key: Line() for key in keys}
    for row in tx.run("list_running_of", rows=rows):
        lines[row.concurrency_key].running.append(row.id)
    for row in tx.run("list_queued_of", rows=rows):
        lines[row.concurrency_key].queued = row.id
    for key in keys:
        for number, is_queued in begun.get(key, ()):
            line = lines[key]
            if not is_queued:
                line.running = sorted([*line.running, number])
            elif line.queued is None:
                line.queued = number
    return lines


def end_queued(tx: Tx, instance_id: int, state: InstanceState, reason: Reason, error: str) -> None:
    """End an instance that has not begun."""
    tx.run("end_queued", id=instance_id, state=int(state), reason=int(reason), error=error, now=tx.now)


def line_of(tx: Tx, instance: Any, begun: Begun) -> Line | None:
    """The line of an instance (a row of `find_instance`), locked; None if it is in none."""
    key = instance.concurrency_key
    return None if key is None else lock_lines(tx, [key], begun)[key]


def check_place(instance: Any, plan: Plan, line: Line | None) -> None:
    """An instance that has ended is to run again: is there a place in its line, which is locked?

    Raises: Refused if there is none. It cannot wait for its turn, since it has begun.
    """
    concurrency = plan.workflow.concurrency
    if line is None or concurrency is None or not InstanceState(instance.state).is_final:
        return
    if len(line.running) >= concurrency.most:
        raise Refused(
            f"instance {line.running[0]} is running, and `concurrency` of workflow {plan.workflow.key!r} lets "
            f"{concurrency.most} run at once; try again when it has ended, or terminate it"
        )


def _queues(tx: Tx, admission: Admission, line: Line, turns: TurnsTaken) -> bool:
    """Put an instance in its line. Must it wait for its turn?

    Raises: Skipped.
    """
    _refuse_skipped(admission, line)
    number, concurrency = admission.request.id, admission.plan.workflow.concurrency or Concurrency()
    if _has_place(line, concurrency):
        line.running.append(number)
        return False
    if concurrency.policy == "singleton(replace)":
        error = f"replaced by instance {number} before it began"
        if line.queued is not None:
            turns.superseded.append((line.queued, error))
        for running in line.running:
            _terminate(tx, admission, running)
            turns.has_replaced = True
        line.queued = number
    elif line.queued is None:
        line.queued = number
    return True


def _has_place(line: Line, concurrency: Concurrency) -> bool:
    return line.queued is None and len(line.running) < concurrency.most


def _refuse_skipped(admission: Admission, line: Line) -> None:
    """Raises: Skipped."""
    concurrency = admission.plan.workflow.concurrency or Concurrency()
    policy = concurrency.policy
    if _has_place(line, concurrency):
        return
    if policy == "singleton(skip)" or (policy == "singleton(queue)" and line.queued is not None):
        other = line.running[0] if line.queued is None else line.queued
        what = "is running" if line.queued is None else "is already waiting"
        raise Skipped(f"skipped: instance {other} of workflow {admission.plan.workflow.key!r} {what} ({policy})")


def _terminate(tx: Tx, admission: Admission, instance_id: int) -> None:
    """By the door that people use, so that the row says who ended it and why."""
    columns = {
        "tenant": admission.request.tenant,
        "action": "terminate",
        "instance_id": instance_id,
        "reason": f"replaced by instance {admission.request.id}",
        "requested_by": f"concurrency:{admission.plan.workflow.key}",
    }
    tx.run("insert_command", **(COMMAND | columns))


def _key(admission: Admission) -> str:
    """What an instance takes turns by: its workflow, and what `keyed` comes to.

    Raises: Refused if that cannot be evaluated.
    """
    plan, request = admission.plan, admission.request
    key = str(plan.definition_id)
    if plan.turn is None:
        return key
    scope = instance_scope(request, plan.workflow, admission.fire_at, admission.calendars)
    scope["params"] = admission.params
    try:
        value = plan.turn.render(scope)
    except ExpressionFailed as error:
        raise Refused(f"the key of concurrency cannot be evaluated: {error}", Refusal.EXPRESSION) from None
    key += ":" + (value if isinstance(value, str) else jsontext.dump(value))
    return key if len(key) <= LONGEST_KEY else f"{plan.definition_id}#{hashlib.sha256(key.encode()).hexdigest()}"
