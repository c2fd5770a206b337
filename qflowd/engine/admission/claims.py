"""What submissions claim beside a place to run: an idempotency key each, and those of a workflow their business date.

The first instance of a workflow for a date holds it, whoever has asked for it, and keeps it through retries and reruns.
Who is refused because of that, and who is not, is in docs/decisions/0056-a-date-is-held-by-its-first-instance.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from qflowd.engine.plans.expand import Admission
from qflowd.engine.plans.instances import CHILD_TRIGGER
from qflowd.engine.refusal import Refused
from qflowd.engine.request import Request
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx

IDEMPOTENCY: Final = 0  # purpose in run_key; that of turns is 2
ENDED_BADLY: Final = (InstanceState.FAILED, InstanceState.TERMINATED)
DatedKey = tuple[int, str]  # a workflow's definition and a date, YYYY-MM-DD


@dataclass(slots=True)
class DatesTaken:
    """What was decided, by the submission's id: who is refused, or has a date that another instance has left to it.

    `postponed`: who is left for the next batch, when more is known.
    """

    decided: dict[int, Admission | Refused] = field(default_factory=dict)
    postponed: set[int] = field(default_factory=set)


def take_dates(tx: Tx, admissions: Sequence[Admission]) -> DatesTaken:
    """Have these hold their business dates, where no other instance does. No statement is run where none has a date."""
    taken = DatesTaken()
    if not (asking := _asking(admissions)):
        return taken
    rows = [(*key, asking[key][0].request.id) for key in sorted(asking)]
    tx.run("take_dates", rows=rows)
    for found in tx.run("list_date_holders", rows=rows):
        key, holder = (int(found.definition_id), str(found.business_date)[:10]), found
        heir = _heir(asking[key], holder)
        if heir is not None and not _takes(tx, key, heir, holder):  # another daemon was faster
            heir, holder = None, tx.one("find_date_holder", definition_id=key[0], business_date=key[1])
        elif heir is not None and holder.state is not None and holder.instance_id != heir.request.id:
            taken.decided[heir.request.id] = replace(heir, date_from=int(holder.instance_id))
        for admission in asking[key]:
            if heir is not None or holder is None:
                if admission is not heir and _is_judged(admission):
                    taken.postponed.add(admission.request.id)
            elif _keeps_out(admission, holder):
                taken.decided[admission.request.id] = _why_refused(admission, holder)
    return taken


def refuse_dated(tx: Tx, admission: Admission) -> None:
    """Would the business date of this one be free for it?

    Raises: Refused if not.
    """
    if (key := _key(admission)) is None:
        return
    holder = tx.one("find_date_holder", definition_id=key[0], business_date=key[1])
    if holder is not None and not _leaves(admission, holder) and _keeps_out(admission, holder):
        raise _why_refused(admission, holder)


def claim_key(tx: Tx, request: Request) -> int | None:
    """Take the idempotency key; last of all, so that a submission that is refused never holds one.

    Returns: the instance that was faster; None if the key is this submission's, or it asks for none.
    """
    if request.idempotency_key is not None:
        key = _run_key(request)
        tx.run("insert_run_key", **key, instance_id=request.id, content_hash=request.content_hash)
    return repeated(tx, request)


def repeated(tx: Tx, request: Request) -> int | None:
    """The instance that has the idempotency key of this submission already; None if no other has."""
    holder = None if request.idempotency_key is None else tx.one("find_run_key", **_run_key(request))
    if holder is None or holder.instance_id == request.id:
        return None
    if holder.content_hash != request.content_hash:
        raise Refused(
            f"idempotency_key {request.idempotency_key!r} belongs to submission {holder.instance_id}, "
            "which asks for something else",
            Refusal.KEY_REUSED,
        )
    return int(holder.instance_id)


def give_back(tx: Tx, admission: Admission) -> None:
    """One that is not let in after all leaves its key and its date to others."""
    if admission.request.idempotency_key:
        tx.run("delete_run_key", **_run_key(admission.request), instance_id=admission.request.id)
    if (key := _key(admission)) is None:
        return
    if admission.date_from is not None:  # whoever has left it has it again
        tx.run("take_over_dates", rows=[(*key, admission.date_from, admission.request.id)])
    else:
        tx.run("free_date", definition_id=key[0], business_date=key[1], instance_id=admission.request.id)


def _key(admission: Admission) -> DatedKey | None:
    definition_id, day = admission.plan.definition_id, admission.request.business_date
    return None if not definition_id or day is None else (definition_id, day.isoformat())


def _is_judged(admission: Admission) -> bool:
    """Whether it may be refused. What a task starts belongs to its own instance; a cron expression says itself how often."""
    request = admission.request
    if request.allow_duplicates or admission.plan.workflow.allow_duplicates or request.trigger_type == CHILD_TRIGGER:
        return False
    return admission.schedule is None or admission.is_by_session


def _asking(admissions: Sequence[Admission]) -> dict[DatedKey, list[Admission]]:
    """Those that have a business date, by it."""
    asking: dict[DatedKey, list[Admission]] = {}
    for admission in admissions:
        if (key := _key(admission)) is not None:
            asking.setdefault(key, []).append(admission)
    return asking


def _heir(asking: Sequence[Admission], holder: Any) -> Admission | None:
    """Of those that ask for a date the one that has just taken it, or the first that its holder leaves it to."""
    if holder.instance_id == asking[0].request.id:
        return asking[0]
    return next((admission for admission in asking if _leaves(admission, holder)), None)


def _takes(tx: Tx, key: DatedKey, heir: Admission, holder: Any) -> bool:
    """Whether the date is the heir's now."""
    row = (*key, heir.request.id, int(holder.instance_id))
    return holder.instance_id == heir.request.id or tx.count("take_over_dates", rows=[row]) == 1


def _leaves(admission: Admission, holder: Any) -> bool:
    """Whether its holder leaves a date to this one: it has gone, never began, or failed before a schedule's turn came."""
    if holder.state is None:
        return True
    state = InstanceState(holder.state)
    if state.is_final and holder.started_at is None:
        return True
    return admission.is_by_session and holder.schedule is None and state in ENDED_BADLY


def _keeps_out(admission: Admission, holder: Any) -> bool:
    """Whether this one is refused. Schedules of a workflow fire side by side, each as often as it says."""
    return _is_judged(admission) and (admission.schedule is None or holder.schedule is None)


def _why_refused(admission: Admission, holder: Any) -> Refused:
    workflow, day = admission.plan.workflow.key, admission.request.business_date
    state = InstanceState(holder.state)
    remedy = "retry or rerun it" if state.is_final else "wait for its end, or terminate it"
    if state is InstanceState.READY:
        remedy = "resume or terminate it"
    return Refused(
        f"workflow {workflow!r} has instance {holder.instance_id} for business date {day}, which is {state.name}: "
        f"{remedy}, or submit with allow_duplicates",
        Refusal.DATE_TAKEN,
    )


def _run_key(request: Request) -> dict[str, Any]:
    return {"tenant": request.tenant, "purpose": IDEMPOTENCY, "run_key": request.idempotency_key}
