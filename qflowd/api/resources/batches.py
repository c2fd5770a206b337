"""Batches: one command for many instances. It is tried first, carried out in steps, watched, and cancelled."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.access.authorization import bounded_filter, check_cancel, refuse_action, refuse_filter
from qflowd.api.answers import ApiFault, Awaited, Item, Wait
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.inboxes import ask_all, command_row
from qflowd.api.inbox.outcomes import (
    NEW,
    REFUSALS,
    CommandResult,
    answered,
    asked,
    shown,
)
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.client.records import from_json
from qflowd.define.selection import MOST_IDS
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role

SAMPLE: Final = 20


class ExpectedSet(Body):
    """What a dry run said of the set: if others match by now, nothing is done (40907)."""

    instances: int
    digest: str


class BatchBody(Body):
    """An action for all instances that meet the conditions in `where` (as a filter of the SQL contract), or for `ids`."""

    action: str
    where: dict[str, Any] | None = None
    ids: Annotated[list[int], msgspec.Meta(min_length=1, max_length=MOST_IDS)] | None = None
    task: str | None = None
    args: dict[str, Any] | None = None
    reason: str | None = None
    dry_run: bool = False
    expect: ExpectedSet | None = None


class BatchRefusal(Item):
    """Why one instance was left as it is."""

    instance_id: int
    message: str


class BatchItem(Item):
    """A batch. `total`: how many matched when it began; null until then, and while there are too many to be counted.

    `left`: how many of these it has not come to: at the end 0, unless it was cancelled. `skipped`: nothing was to be done to these. `errors`: a sample of what was refused. Of a dry run, nothing was done:
    `done` would change, with `tasks` tasks; `sample` has the first; `instances` and `digest` are what `expect` takes.
    """

    id: int
    action: str
    state: str
    workflow: str | None
    task: str | None
    where: Any
    args: Any
    reason: str | None
    requested_by: str | None
    created_at: datetime
    answered_at: datetime | None
    dry_run: bool
    total: int | None
    left: int | None
    done: int
    failed: int
    skipped: int
    errors: Sequence[BatchRefusal]
    effect: str | None
    cancelled: str | None
    error: str | None
    error_code: int | None
    instances: int | None
    tasks: int | None
    digest: str | None
    sample: Any


@route("GET", "/batches", Role.READ)
def list_batches(call: Call, query: PageQuery) -> ListPage[BatchItem]:
    """Batches, the newest first."""
    [before] = read_cursor(query, tuple[Id]) or [ABOVE_ALL_IDS]
    rows = call.read("list_batches", before=before, batch=query.limit + 1)
    return page_of(query, rows, "id", make=_item)


@route("POST", "/batches", Role.SUBMIT, errors=(*REFUSALS, 40401, 40907), does="command with filter")
def create_batch(call: Call, body: BatchBody) -> Wait | BatchItem:
    """Do something to many instances, or tell what it would come to (`dry_run`)."""
    refuse_action(call, body.action)
    where = dict(body.where or {})
    if body.ids is not None:
        where["ids"] = body.ids
    if not where:
        raise ApiFault(42202, "name instances by where or by ids")
    where = dict(bounded_filter(call, where))
    refuse_filter(call, where)
    args = dict(body.args or {})
    if body.dry_run:
        args["dry_run"] = True
    if body.expect is not None:
        args["expect"] = msgspec.structs.asdict(body.expect)
    row = command_row(call, body.action, filter=where, args=args, task=body.task, reason=body.reason)
    number = ask_all(call, [row])[0].number
    new = _item(SimpleNamespace(**row, id=number, is_open=1, result=None, created_at=datetime.now(UTC)))
    return answered(call, Awaited.COMMAND, number, new, lambda: _read(call, number), f"batches/{number}")


@route("GET", "/batches/{id}", Role.READ)
def show_batch(call: Call, id: int) -> Wait | BatchItem:
    """How far a batch has come; `?wait=` waits for its end."""
    return shown(call, Awaited.COMMAND, id, lambda: _read(call, id))


@route("POST", "/batches/{id}/cancel", Role.OPERATE, errors=REFUSALS, does="command cancel")
def cancel_batch(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Let a batch not continue. What it has done stays done."""
    _read(call, id)
    check_cancel(call, id)
    return asked(call, "cancel", args={"command": id}, reason=body.reason)


def _read(call: Call, number: int) -> BatchItem:
    """Raises: ApiFault 40401."""
    row = call.one("show_command_answers", rows=[(number,)])
    if row is None or not (row.is_batch or row.filter is not None or row.workflow is not None):
        raise ApiFault(40401, f"there is no batch {number}")
    return _item(row)


def _item(row: Any) -> BatchItem:
    is_open = row.is_open == 1
    args, result = from_json(row.args), row.result
    args, result = args if isinstance(args, dict) else {}, result if isinstance(result, dict) else {}
    expect, matched = args.get("expect"), _count(result, "matched")
    is_dry_run = args.get("dry_run") is True
    total = _total(result, expect, is_over=not is_open and row.state == "DONE" and "cancelled" not in result)
    refusals = result.get("refusals")
    shown = list(refusals.items())[:SAMPLE] if isinstance(refusals, dict) else []
    return BatchItem(
        id=row.id,
        action=row.action,
        state=NEW if is_open else row.state,
        workflow=row.workflow,
        task=row.task,
        where=from_json(row.filter),
        args={name: value for name, value in args.items() if name not in ("expect", "dry_run")},
        reason=row.reason,
        requested_by=row.requested_by,
        created_at=row.created_at,
        answered_at=None if is_open else row.answered_at,
        dry_run=is_dry_run,
        total=total,
        left=None if total is None else total - matched,
        done=_count(result, "done"),
        failed=_count(result, "refused"),
        skipped=_count(result, "unchanged"),
        errors=[BatchRefusal(instance_id=int(number), message=str(message)) for number, message in shown],
        effect=result.get("effect") or result.get("already"),
        cancelled=result.get("cancelled"),
        error=None if is_open else row.error,
        error_code=None if is_open else row.error_code,
        instances=matched if is_dry_run else None,
        tasks=_count(result, "tasks") if is_dry_run else None,
        digest=result.get("digest") if is_dry_run else None,
        sample=result.get("instances", [])[:SAMPLE] if is_dry_run else None,
    )


def _total(result: dict[str, Any], expect: Any, *, is_over: bool) -> int | None:
    """How many it meets; None while that is not known. At its end: how many it has met."""
    matched = _count(result, "matched")
    if is_over:
        return matched or _count(expect, "instances")
    told = _count(result, "total") or _count(expect, "instances")
    return max(told, matched) if told else None


def _count(values: Any, name: str) -> int:
    """A count of a result, into which a client may have written anything."""
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, int) else 0
