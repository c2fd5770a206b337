"""What people do to schedules: on and off, fire now, and another time than the file says."""

from typing import Any

from qflowd.api.access.authorization import one_workflow
from qflowd.api.answers import ApiAnswer
from qflowd.api.call import Call
from qflowd.api.definitions.drafts import key_to_write, lock_workflow
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.reading import Body, need_if_match
from qflowd.api.resources.schedules import ScheduleItem, schedule_etag, schedule_item, schedule_named
from qflowd.api.routing import route
from qflowd.client.records import plain_row
from qflowd.engine.access.audit import record
from qflowd.model.roles import Role
from qflowd.store.tx import Tx


class ScheduleTimes(Body):
    """When a schedule fires in place of what its file says, with the keys of a file.

    What is left out is as the file says; "" takes away what it says.
    """

    cron: str | None = None
    at: str | None = None
    timezone: str | None = None
    calendar: str | None = None
    days: str | None = None
    window: str | None = None
    catchup: str | None = None
    reason: str | None = None


class FireBody(Body):
    """`business_date`: of the instance; without, the session of now, or the latest that was."""

    business_date: str | None = None
    reason: str | None = None


@route(
    "PUT",
    "/workflows/{id}/schedules/{name}",
    Role.DEFINE,
    errors=(40302, 40901, 41201, 42801),
    does="command set_schedule",
)
def set_schedule(call: Call, id: str, name: str, body: ScheduleTimes) -> ApiAnswer | ScheduleItem:
    """Let a schedule fire at other times than its file says, until the file's schedule changes."""
    times = {field: value for field in body.__struct_fields__ if (value := getattr(body, field)) is not None}
    return _change(call, id, name, "set_schedule", times.pop("reason", None), times)


@route(
    "DELETE",
    "/workflows/{id}/schedules/{name}",
    Role.DEFINE,
    errors=(40302, 40901, 41201, 42801),
    does="command reset_schedule",
)
def reset_schedule(call: Call, id: str, name: str) -> ApiAnswer | ScheduleItem:
    """Let a schedule fire as its file says again."""
    return _change(call, id, name, "reset_schedule", None, {})


@route("POST", "/workflows/{id}/schedules/{name}/enable", Role.OPERATE, errors=REFUSALS, does="command enable")
def enable_schedule(call: Call, id: str, name: str, body: ReasonBody) -> CommandResult:
    """Let a schedule fire again, from now on."""
    return _ask(call, id, name, "enable", body.reason)


@route("POST", "/workflows/{id}/schedules/{name}/disable", Role.OPERATE, errors=REFUSALS, does="command disable")
def disable_schedule(call: Call, id: str, name: str, body: ReasonBody) -> CommandResult:
    """Let a schedule not fire, until it is enabled or its file changes."""
    return _ask(call, id, name, "disable", body.reason)


@route("POST", "/workflows/{id}/schedules/{name}/fire", Role.OPERATE, errors=REFUSALS, does="command fire")
def fire_schedule(call: Call, id: str, name: str, body: FireBody) -> CommandResult:
    """Submit now what a schedule submits; its times stay as they are."""
    day = {} if body.business_date is None else {"business_date": body.business_date}
    return _ask(call, id, name, "fire", body.reason, **day)


def _ask(call: Call, id: str, name: str, action: str, reason: str | None, **args: Any) -> CommandResult:
    """Raises: NotFound; ApiFault 40302."""
    key = one_workflow(call, id).workflow
    schedule_named(call.read("list_schedules_between", first_key=key, last_key=key), name)
    return asked(call, action, workflow=key, args={"schedule": name, **args}, reason=reason)


def _change(call: Call, id: str, name: str, action: str, reason: str | None, times: dict[str, str]) -> ApiAnswer:
    """Change a schedule at once, without a daemon. Raises: NotFound; Refused; ApiFault 40302, 42801, 41201."""
    key = key_to_write(call, id)

    def work(tx: Tx) -> Any:
        lock_workflow(tx, call, key)
        before = _read(tx, call, key, name)
        need_if_match(call, schedule_etag(before), lambda: schedule_item(before))
        do_verb(tx, call, action, reason, workflow=key, args={"schedule": name, **times})
        now = _read(tx, call, key, name)
        told = {"before": _told(before), "after": _told(now) | {"reason": reason}}
        record(tx, call.actor, "UPDATE", "schedule", f"{key} {name}", **told)
        return now

    row = call.change(work)
    return ApiAnswer(schedule_item(row), etag=schedule_etag(row))


def _read(tx: Tx, call: Call, key: str, name: str) -> Any:
    rows = tx.run("list_schedules_between", tenant=call.tenant, first_key=key, last_key=key)
    return schedule_named(map(plain_row, rows), name)


def _told(row: Any) -> dict[str, Any]:
    return {"times": row.times, "timezone": row.timezone, "calendar": row.calendar, "catchup": row.catchup}
