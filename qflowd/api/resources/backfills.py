"""Backfills: a workflow is run for many dates. They are made, watched, paused and stopped."""

from datetime import date, datetime
from typing import Any, Literal

from qflowd.api.access.authorization import check_backfill, one_workflow, refuse_action
from qflowd.api.answers import ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of, items_of
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.roles import Role


class BackfillBody(Body):
    """Which dates of which workflow, how many at once, and when. `dry_run`: only tell the dates."""

    workflow: str
    from_: date
    to: date
    calendar: str | None = None
    only_missing: bool = False
    order: Literal["oldest", "newest"] = "oldest"
    max_active: int | None = None
    priority: int | None = None
    params: dict[str, Any] | None = None
    window: str | None = None
    dry_run: bool = False
    reason: str | None = None


class StopBackfill(Body):
    """`terminate`: what it runs, too; otherwise that ends by itself."""

    terminate: bool = False
    reason: str | None = None


class BackfillItem(Item):
    """A backfill, with the numbers of its dates. `remaining_s`: about, while it is not paused and its window is open.

    `calendar`: null if every day is a date of it; `day_window`: null if it submits at any time.
    """

    id: int
    workflow: str
    state: str
    first_date: date
    last_date: date
    calendar: str | None
    only_missing: bool
    date_order: str
    max_active: int
    priority: int
    params: Any
    day_window: str | None
    timezone: str
    total: int
    done: int
    failed: int
    skipped: int
    active: int
    waiting: int
    progress: float
    remaining_s: float | None
    wait_reason: str | None
    reason: str | None
    requested_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class BackfillDateItem(Item):
    """A date of a backfill: OPEN, ACTIVE, DONE, FAILED or SKIPPED, and its instance."""

    place: int
    business_date: date
    state: str
    instance_id: int | None
    instance_state: str | None
    duration_s: float | None
    error: str | None


@route("GET", "/backfills", Role.READ)
def list_backfills(call: Call, query: PageQuery) -> ListPage[BackfillItem]:
    """Backfills, the newest first."""
    [before] = read_cursor(query, tuple[Id]) or [ABOVE_ALL_IDS]
    return page_of(query, call.read("show_backfills", before=before, batch=query.limit + 1), "id", make=_item)


@route("POST", "/backfills", Role.OPERATE, errors=(*REFUSALS, 40401, 42204, 42205), does="command backfill")
def create_backfill(call: Call, body: BackfillBody) -> CommandResult:
    """Run a workflow for each date of a range, a few at a time; `result.backfill` is its id. Or tell the dates (`dry_run`)."""
    refuse_action(call, "backfill")
    one_workflow(call, body.workflow)
    names = ("calendar", "order", "max_active", "priority", "params", "window")
    args: dict[str, Any] = {name: value for name in names if (value := getattr(body, name)) is not None}
    args |= {"from": body.from_.isoformat(), "to": body.to.isoformat()}
    args |= {name: True for name in ("only_missing", "dry_run") if getattr(body, name)}
    return asked(call, "backfill", workflow=body.workflow, args=args, reason=body.reason)


@route("GET", "/backfills/{id}", Role.READ)
def show_backfill(call: Call, id: int) -> BackfillItem:
    """How far a backfill has come, and why it waits."""
    return _item(_find(call, id))


@route("GET", "/backfills/{id}/dates", Role.READ)
def list_backfill_dates(call: Call, id: int, query: PageQuery) -> ListPage[BackfillDateItem]:
    """The dates of a backfill, in the order in which they run."""
    _find(call, id)
    [after] = read_cursor(query, tuple[Id]) or [0]
    rows = call.read("show_backfill_dates", id=id, after=after, batch=query.limit + 1)
    return page_of(query, items_of(rows, BackfillDateItem), "place")


@route("POST", "/backfills/{id}/pause", Role.OPERATE, errors=REFUSALS, does="command pause_backfill")
def pause_backfill(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Submit nothing more of a backfill until it is resumed. What it has submitted runs."""
    return _do(call, id, "pause_backfill", body.reason)


@route("POST", "/backfills/{id}/resume", Role.OPERATE, errors=REFUSALS, does="command resume_backfill")
def resume_backfill(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """End the pause of a backfill."""
    return _do(call, id, "resume_backfill", body.reason)


@route("POST", "/backfills/{id}/stop", Role.OPERATE, errors=REFUSALS, does="command stop_backfill")
def stop_backfill(call: Call, id: int, body: StopBackfill) -> CommandResult:
    """Submit nothing more of a backfill, for good. What it has submitted runs, or is terminated."""
    return _do(call, id, "stop_backfill", body.reason, **({"terminate": True} if body.terminate else {}))


def _find(call: Call, number: int) -> Any:
    """Raises: ApiFault 40401."""
    if (row := call.one("show_backfill", id=number)) is None:
        raise ApiFault(40401, f"there is no backfill {number}")
    return row


def _do(call: Call, number: int, action: str, reason: str | None, **args: Any) -> CommandResult:
    refuse_action(call, action)
    check_backfill(call, number)
    return asked(call, action, args={"backfill": number, **args}, reason=reason)


def _item(row: Any) -> BackfillItem:
    return BackfillItem(**fields_of(row, BackfillItem))
