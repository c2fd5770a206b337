"""Every public method of the client answers, writes and refuses the same over a database and over HTTP."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

import qflowd
from qflowd.client import Backfill, Client, Instance, Limit, StoredDefinition, StoredSchedule, StoredWorkflow
from qflowd.engine.calendars.session_rows import SessionRows
from qflowd.engine.late.late_dates import LateDates
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from tests.conftest import KINDS, GetServer
from tests.support.http import ApiServer
from tests.support.lab import Lab
from tests.support.stand_in import StandIn
from tests.support.waits.base import undoing

WORKFLOW = {
    "first": {"job": "work"},
    "bars": {"job": "work", "after": ["first"], "map": ["AAPL", "贵州茅台"], "label": "{{ item }}"},
    "last": {"job": "work", "after": ["bars"]},
}
DRAFT = '{"workflow": "daily", "tasks": {"other": {"job": "work"}}}'
HALF = {"calendar": "XHKG", "day": "2026-11-24", "kind": "half", "close": "12:00"}
BOTH = {"calendar": "BOTH", "all_of": ["XSHG", "XHKG"], "title": "沪港"}
DAYS_AGO = datetime(2026, 11, 1, 8, tzinfo=timezone(timedelta(hours=8)))
UNSTORABLE = ("a\0", "\udcff")  # as the name of a file that is not UTF-8
# Not asked of both, and why.
LEFT_OUT: Mapping[str, str] = {
    "Client.close": "it ends the client",
    "Client.store": "the database itself; over HTTP it is refused",
    "Client.transport": "what differs",
    **dict.fromkeys(("Client.read_all", "Client.read_one", "Client.read_parts"), "what all others are made of"),
}


@dataclass(frozen=True)
class There:
    """What there is in the store."""

    mapped: int  # two items of a map, one of which failed
    undone: int  # a saga whose compensation is ready
    single: int  # a job by itself, with logs and an output in two parts
    held: int
    new: int  # a submission that nobody has taken
    rejected: int
    handled: int
    backfill: int


@dataclass(frozen=True)
class Pair:
    """A client over the database, and one over HTTP, of the same store."""

    by_database: Client
    by_http: Client
    there: There
    lab: Lab


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Pair]:
    server = get_server(request.param)
    url = server.create_store()
    lab, stand_in = Lab(url), StandIn(url)
    there = _fill(lab, stand_in)
    stand_in.close()
    with (
        ApiServer(url) as api,
        qflowd.connect(url) as one,
        qflowd.connect(f"http://127.0.0.1:{api.port}", token=api.token) as other,
    ):
        yield Pair(one, other, there, lab)
    lab.close()
    server.start().give_back(url)


def _fill(lab: Lab, stand_in: StandIn) -> There:
    undone = undoing(lab)
    schedule = {"cron": "0 5 * * *", "timezone": "Asia/Shanghai"}
    definition = lab.define(
        "daily",
        WORKFLOW,
        title="收盘",
        tags=["a"],
        domain="desk",
        schedule=schedule,
        calendar="XSHG",
        expect_by="18:00",
    )
    while not SessionRows(lab.store).tick():
        pass
    lab.define("bars", {"make": {"job": "work", "produces": "bars@{{ business_date }}"}}, allow_duplicates=True)
    for rows in (3, 4):
        lab.start("bars", business_date="2026-11-20")
        lab.finish(*(lab.final(row, output={"rows": rows}) for row in lab.claim()))
        if rows == 3:
            lab.define("factors", {"bars": {"wait_for": {"dataset": "bars@2026-11-20"}}})
            lab.start("factors")
            lab.waits.tick()
    late = LateDates(lab.store, lab.topics)
    late.tick()
    mapped = lab.start("daily", params=None, business_date="2026-11-20", name="seven", priority=5)
    lab.ends(lab.claim())
    lab.run({"last": TaskState.FAILED})
    rows = lab.start("daily")
    lab.run({"first": TaskState.FAILED})
    lab.command("handle", rows, reason="known: 停牌")
    held = lab.start("daily", hold=1)
    rejected = lab.start("nobody")
    lab.command("draft", workflow="daily", args=json.dumps({"source": DRAFT, "format": "json"}))
    lab.command("define_task", args='{"source": "task_type: sum\\njob: work\\n", "format": "yaml"}')
    lab.command("import_calendar", args=json.dumps({"document": BOTH}), requested_by="ann")
    lab.command("override_day", args=json.dumps(HALF), reason="typhoon", requested_by="ann")
    lab.command("set_limit", args='{"limit": "vendor", "slots": 3, "rate": ["200/min"], "breaker": "5/min"}')
    stand_in.daemon(jobs=("hello",))
    single = stand_in.admit(lab.submit(job="hello"), tasks=("RUNNING",))
    stand_in.log(single, "one", "两", "three")
    stand_in.finish(single, None)
    for part, value in enumerate(('"' + "x" * 50, "y" * 50 + '"')):
        stand_in.sql(stand_in.insert("large_value", task_id=single * ORDINALS, part=part, value=value))
    stand_in.end(single)
    fire = {"definition_id": definition, "name": "cron", "fire_at": "NOW", "instance_id": mapped, "created_at": "NOW"}
    stand_in.sql(stand_in.insert("schedule_fire", **fire))
    lab.define("nav", {"ask": {"wait_for": {"approval": "发布?", "deadline": "1h"}}})
    lab.start("nav", business_date="2026-11-20")
    lab.waits.tick()
    stand_in.sql(stand_in.insert("signals", name="bars.ready", payload='{"rows": 3}', business_date="2026-11-20"))
    lab.waits.tick()
    asked = {"from": "2026-11-14", "to": "2026-11-20", "calendar": "XSHG", "params": {"价": 1}, "window": "22:00-06:00"}
    _, made = lab.command("backfill", workflow="daily", args=json.dumps(asked), requested_by="ann")
    lab.backfills.tick()
    lab.clock.advance(7200)
    late.tick()
    return There(mapped, undone, single, held, lab.submit("daily"), rejected, rows, made["backfill"])


Look = Callable[[Client, There], Any]

LOOKS: Mapping[str, Look] = {
    "Client.instance": lambda c, t: [c.instance(n).id for n in (t.mapped, t.new, t.rejected)],
    "Client.instances": lambda c, t: [list(c.instances(**k)) for k in ({}, {"state": "OPEN"}, {"state": "FAILED", "limit": 1})],
    "Client.history": lambda c, t: [c.history("daily"), c.history("hello"), c.history("nobody")],
    "Client.failures": lambda c, t: [list(c.failures(limit=9)), list(c.failures({"workflow": "d*", "since": "365d"}))],
    "Client.why": lambda c, t: [(w := c.why(*a), str(w)) for a in (
        (t.mapped,), (t.held,), (t.new,), (t.undone, "undo c"), (t.mapped, "bars[AAPL]"), (t.single * ORDINALS,)
    )],
    "Client.breakpoint": lambda c, t: [c.breakpoint(n) for n in (t.mapped, t.undone, t.held)],
    "Client.tenant": lambda c, t: c.tenant,
    "Client.count_new": lambda c, t: c.count_new(),
    "Client.active_version": lambda c, t: [v and v._asdict() for v in (c.active_version("daily"), c.active_version("no"))],
    "Client.workflows": lambda c, t: c.workflows(with_archived=True),
    "Client.task_definitions": lambda c, t: c.task_definitions(),
    "Client.schedules": lambda c, t: c.schedules(),
    "Client.gaps": lambda c, t: [c.gaps("daily", None, "2026-11-24"), c.gaps("daily", "2026-11-16", date(2026, 11, 20))],
    "Client.late": lambda c, t: [c.late(), c.late(1, with_ended=True)],
    "Client.events": lambda c, t: [c.events(), c.events(1, workflow="daily"), c.events(after=0), c.events(since=DAYS_AGO), c.events(since=DAYS_AGO, after=0)],
    "Client.fires": lambda c, t: [c.fires("daily"), c.fires("daily", schedule="cron"), c.fires("daily", schedule="no")],
    "Client.next_fires": lambda c, t: [c.next_fires("daily", 3), c.next_fires("hello"), c.next_fires("daily", 2, "no")],
    "Client.schedule": lambda c, t: repr(c.schedule("daily", "cron")),
    "Client.calendar": lambda c, t: [c.calendar("XHKG").session(f"2026-11-{n}") for n in (23, 24)],
    "Client.calendars": lambda c, t: [c.calendars().names(), c.calendars().text],
    "Client.own_calendars": lambda c, t: [c.own_calendars(), c.calendar("BOTH").sessions("2026-11-23", "2026-11-27")],
    "Client.calendar_overrides": lambda c, t: [c.calendar_overrides(), c.calendar_overrides("XSHG")],
    "Client.jobs": lambda c, t: c.jobs(),
    "Client.plugins": lambda c, t: c.plugins(),
    "Client.daemons": lambda c, t: c.daemons(),
    "Client.pools": lambda c, t: c.pools(),
    "Client.backfills": lambda c, t: [c.backfills(), c.backfills(1)],
    "Client.backfill": lambda c, t: repr(c.backfill(t.backfill)),
    "Backfill.info": lambda c, t: c.backfill(t.backfill).info(),
    "Backfill.dates": lambda c, t: c.backfill(t.backfill).dates(),
    "Client.signals": lambda c, t: [list(c.signals()), list(c.signals("bars.ready", limit=1))],
    "Client.datasets": lambda c, t: [list(c.datasets(*a, versions=v)) for a in ((), ("bars",)) for v in (False, True)],
    "Client.dataset_uses": lambda c, t: [
        list(c.dataset_uses(name, stale=stale)) for name in (None, "bars", "no") for stale in (False, True)
    ],
    "Client.approvals": lambda c, t: c.approvals(),
    "Client.limits": lambda c, t: c.limits(),
    "Client.workflow": lambda c, t: repr(c.workflow("daily")),
    "Client.limit": lambda c, t: repr(c.limit("vendor")),
    "Client.task_definition": lambda c, t: repr(c.task_definition("sum")),
    "Instance.id": lambda c, t: c.instance(t.single).id,
    "Instance.warnings": lambda c, t: Instance(c, t.new, ("daily", "2026-11-21")).warnings[0].index("is not a session of XSHG"),
    "Instance.state": lambda c, t: [c.instance(n).state() for n in (t.mapped, t.held, t.new, t.rejected, t.single)],
    "Instance.state_and_error": lambda c, t: [c.instance(n).state_and_error() for n in (t.rejected, t.mapped, t.new)],
    "Instance.wait": lambda c, t: [c.instance(n).wait(5) for n in (t.mapped, t.single)],
    "Instance.wait_reason": lambda c, t: [c.instance(n).wait_reason() for n in (t.held, t.new, t.undone, t.single)],
    "Instance.info": lambda c, t: [c.instance(n).info() for n in (t.mapped, t.single, t.held)],
    "Instance.breakpoint": lambda c, t: c.instance(t.mapped).breakpoint(),
    "Instance.tasks": lambda c, t: [c.instance(t.mapped).tasks(), c.instance(t.mapped).tasks(limit=2), c.instance(t.new).tasks()],
    "Instance.count_tasks": lambda c, t: c.instance(t.mapped).count_tasks(),
    "Instance.compensations": lambda c, t: c.instance(t.undone).compensations(),
    "Instance.attempts": lambda c, t: c.instance(t.mapped).attempts(),
    "Instance.failed_attempts": lambda c, t: c.instance(t.mapped).failed_attempts(3),
    "Instance.output": lambda c, t: [c.instance(t.single).output(), c.instance(t.mapped).output(), c.instance(t.mapped).output("bars")],
    "Instance.logs": lambda c, t: [list(c.instance(t.single).logs()), list(c.instance(t.single).logs("hello", after=1))],
    "Limit.info": lambda c, t: c.limit("vendor").info(),
    "StoredSchedule.info": lambda c, t: [c.schedule("daily").info(), c.schedule("daily", "cron").info()],
    "StoredSchedule.fires": lambda c, t: c.schedule("daily", "cron").fires(),
    "StoredSchedule.next_fires": lambda c, t: c.schedule("daily", "cron").next_fires(3),
    "StoredDefinition.info": lambda c, t: c.task_definition("sum").info(),
    "StoredWorkflow.versions": lambda c, t: c.workflow("daily").versions(),
    "StoredWorkflow.version": lambda c, t: c.workflow("daily").version(1),
    "StoredWorkflow.diff": lambda c, t: c.workflow("daily").diff(1, 2),
}  # fmt: skip

# What each writes is compared: one row of an inbox, without who asks and when.
WRITES: Mapping[str, Look] = {
    "Client.submit": lambda c, t: c.submit(
        "daily", params={"价": 1.5, "at": datetime(2026, 11, 20, tzinfo=UTC)}, name="n", business_date="2026-11-20", priority=3,
        run_at="2026-12-01T09:30:00+08:00", hold=True, idempotency_key="key/钥", overrides={"tasks": {"first": {"retries": 1}}},
    ),
    "Client.command": lambda c, t: c.command(
        "retry", filter={"state": "FAILED"}, args={"dry_run": True}, reason="why?", timeout=0
    ),
    "Client.override_day": lambda c, t: c.override_day("XSHG", "2026-11-23", "half", "why", close="11:00", timeout=0),
    "Client.restore_day": lambda c, t: c.restore_day("XSHG", "2026-11-23", timeout=0),
    "Client.signal": lambda c, t: c.signal(
        "bars.ready/2026-11-20", {"价": [1, None]}, business_date=date(2026, 11, 20), expires_at="2026-12-01T09:30:00+08:00"
    ),
    "Client.import_calendar": lambda c, t: [
        c.import_calendar(BOTH | {"calendar": "two"}, timeout=0),
        c.import_calendar(csv="2026-01-05\n", calendar="one", timezone="UTC", first=date(2026, 1, 1), timeout=0),
    ][-1],
    "Client.remove_calendar": lambda c, t: c.remove_calendar("BOTH", "why", timeout=0),
    "Client.define_task": lambda c, t: c.define_task({"task_type": "other", "job": "work"}, timeout=0),
    "Instance.terminate": lambda c, t: c.instance(t.mapped).terminate("r", wait=False, timeout=0),
    "Instance.retry": lambda c, t: c.instance(t.mapped).retry(task="last", timeout=0),
    "Instance.trigger": lambda c, t: c.instance(t.mapped).trigger("last", timeout=0),
    "Instance.compensate": lambda c, t: c.instance(t.mapped).compensate(timeout=0),
    "Instance.rerun": lambda c, t: c.instance(t.mapped).rerun("last", params={"a": [1]}, timeout=0),
    "Instance.skip": lambda c, t: c.instance(t.mapped).skip("last", "r", timeout=0),
    "Instance.handle": lambda c, t: c.instance(t.mapped).handle("note", timeout=0),
    "Instance.approve": lambda c, t: c.instance(t.mapped).approve("last", "note", timeout=0),
    "Instance.reject": lambda c, t: c.instance(t.mapped).reject(timeout=0),
    "Instance.pause": lambda c, t: c.instance(t.mapped).pause(timeout=0),
    "Instance.start": lambda c, t: c.instance(t.held).start(timeout=0),
    "Instance.resume": lambda c, t: c.instance(t.held).resume(timeout=0),
    "Limit.set": lambda c, t: c.limit("vendor").set(4, rate="9/s", breaker=False, timeout=0),
    "Limit.unset": lambda c, t: c.limit("vendor").unset(timeout=0),
    "Limit.pause": lambda c, t: c.limit("vendor").pause(for_="10m", timeout=0),
    "Limit.resume": lambda c, t: c.limit("vendor").resume(timeout=0),
    "Limit.open": lambda c, t: c.limit("vendor").open(timeout=0),
    "Limit.close": lambda c, t: c.limit("vendor").close(timeout=0),
    "Backfill.pause": lambda c, t: c.backfill(t.backfill).pause("r", timeout=0),
    "Backfill.resume": lambda c, t: c.backfill(t.backfill).resume(timeout=0),
    "Backfill.stop": lambda c, t: c.backfill(t.backfill).stop(terminate=True, timeout=0),
    "StoredWorkflow.backfill": lambda c, t: c.workflow("daily").backfill(
        date(2026, 11, 1), "2026-11-20", only_missing=True, order="newest", params={"价": 1}, dry_run=True, timeout=0
    ),
    "StoredDefinition.archive": lambda c, t: c.task_definition("sum").archive(timeout=0),
    "StoredDefinition.unarchive": lambda c, t: c.task_definition("sum").unarchive(timeout=0),
    "StoredSchedule.enable": lambda c, t: c.schedule("daily").enable(timeout=0),
    "StoredSchedule.disable": lambda c, t: c.schedule("daily", "cron").disable("r", timeout=0),
    "StoredSchedule.fire": lambda c, t: c.schedule("daily", "cron").fire("2026-11-20", timeout=0),
    "StoredSchedule.set": lambda c, t: c.schedule("daily").set(at="close", calendar="XSHG", timezone=None, timeout=0),
    "StoredSchedule.reset": lambda c, t: c.schedule("daily").reset(timeout=0),
    "StoredWorkflow.activate": lambda c, t: c.workflow("daily").activate(2, timeout=0),
    "StoredWorkflow.rollback": lambda c, t: c.workflow("daily").rollback(timeout=0),
    "StoredWorkflow.draft": lambda c, t: c.workflow("daily").draft(DRAFT, "json", timeout=0),
    "StoredWorkflow.canary": lambda c, t: c.workflow("daily").canary(2, 0.5, timeout=0),
    "StoredWorkflow.end_canary": lambda c, t: c.workflow("daily").end_canary(timeout=0),
    "StoredWorkflow.archive": lambda c, t: c.workflow("daily").archive(timeout=0),
    "StoredWorkflow.unarchive": lambda c, t: c.workflow("daily").unarchive(timeout=0),
    "StoredWorkflow.pause": lambda c, t: c.workflow("daily").pause(task="first", timeout=0),
    "StoredWorkflow.resume": lambda c, t: c.workflow("daily").resume(timeout=0),
    "StoredWorkflow.retry": lambda c, t: c.workflow("daily").retry("r", timeout=0),
    "StoredWorkflow.trigger": lambda c, t: c.workflow("daily").trigger("first", params={"a": 1}, timeout=0),
}  # fmt: skip

FAULTS: Mapping[str, Look] = {
    "an instance that is not there": lambda c, t: c.instance(4711),
    "a number of nothing": lambda c, t: c.why(4711),
    "a task that it does not have": lambda c, t: c.instance(t.mapped).output("firsst"),
    "a task without output": lambda c, t: c.instance(t.mapped).output("last"),
    "an instance that is not made yet": lambda c, t: c.instance(t.new).info(),
    "a wait for what was refused": lambda c, t: c.instance(t.rejected).wait(5),
    "a wait that is too short": lambda c, t: c.instance(t.held).wait(0.05),
    "a command that nobody answers": lambda c, t: c.command("pause", t.mapped, timeout=0.05),
    "a version that is not there": lambda c, t: c.workflow("daily").version(9),
    "a workflow that is not there": lambda c, t: c.workflow("dayly").versions(),
    "a limit that is not there": lambda c, t: c.limit("vender").info(),
    "a backfill that is not there": lambda c, t: c.backfill(4711).info(),
    **{f"a backfill {value!r}": lambda c, t, v=value: c.backfill(v) for value in ("1", None, 0)},
    "a schedule that is not there": lambda c, t: c.schedule("daily", "corn").info(),
    "a definition that is not there": lambda c, t: c.task_definition("some").info(),
    "a calendar that there is not": lambda c, t: c.calendar("XHKQ"),
    "a state that there is not": lambda c, t: list(c.instances(state="DONE")),
    "a condition that there is not": lambda c, t: list(c.failures({"colour": "red"})),
    "params that are not JSON": lambda c, t: c.submit("daily", params={"a": object()}),
    **{f"params with {v!r}": lambda c, t, v=v: c.submit("daily", params={"a": ["b", {v: 1}, v]}) for v in UNSTORABLE},
    **{f"{k} with {v!r}": lambda c, t, k=k, v=v: c.submit("daily", **{k: v}) for k in ("name", "idempotency_key") for v in UNSTORABLE},
    **{f"a reason with {v!r}": lambda c, t, v=v: c.instance(t.held).pause(reason=v, timeout=0) for v in UNSTORABLE},
    **{f"a filter with {v!r}": lambda c, t, v=v: c.command("retry", filter={"workflow": v}, timeout=0) for v in UNSTORABLE},
    "events since an instant without a zone": lambda c, t: c.events(since=datetime(2026, 11, 20)),  # noqa: DTZ001 - it is the fault
    "a signal without a name": lambda c, t: c.signal("two words"),
    "a payload that is not JSON": lambda c, t: c.signal("x", object()),
    "an expiry that is no instant": lambda c, t: c.signal("x", expires_at="soon"),
    "neither workflow nor job": lambda c, t: c.submit(),
    **{f"an instance {value!r}": lambda c, t, v=value: c.instance(v) for value in ("1", None, 1.5, -1, 1 << 64)},
    **{f"why of {value!r}": lambda c, t, v=value: c.why(v) for value in ("1", None, 1.5, 1 << 64)},
    **{f"{value!r} tasks": lambda c, t, v=value: c.instance(t.mapped).tasks(limit=v) for value in (0, -1, "2", 2001)},
    **{f"{value!r} failed attempts": lambda c, t, v=value: c.instance(t.mapped).failed_attempts(v) for value in (0, None, 501)},
    **{f"logs after {value!r}": lambda c, t, v=value: list(c.instance(t.single).logs(after=v)) for value in (-1, "1", 1 << 63)},
    **{f"{value!r} instances": lambda c, t, v=value: list(c.instances(limit=v)) for value in (0, -1, "2")},
    **{f"{value!r} failures": lambda c, t, v=value: list(c.failures(limit=v)) for value in (0, -1, 1.5)},
    **{f"{value!r} of a history": lambda c, t, v=value: c.history("daily", v) for value in (0, "2")},
    **{f"{value!r} fires": lambda c, t, v=value: c.fires("daily", v) for value in (0, -1, None, 2001)},
    "a filter that is a list": lambda c, t: c.command("retry", filter=[1]),  # type: ignore[arg-type]
}  # fmt: skip


def typed(value: Any) -> Any:
    """A value with the types of all its parts, so that 1 is not 1.0, nor text an instant."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, {name: typed(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [typed(each) for each in value]
    if isinstance(value, datetime):
        return "instant", value
    return type(value).__name__, value


@pytest.mark.parametrize("name", LOOKS)
def test_what_is_read_is_the_same(pair: Pair, name: str):
    look = LOOKS[name]
    assert typed(look(pair.by_http, pair.there)) == typed(look(pair.by_database, pair.there))


def test_what_is_much_is_read_in_parts(pair: Pair, monkeypatch: pytest.MonkeyPatch):
    looks = [LOOKS[f"Instance.{name}"] for name in ("tasks", "output", "attempts", "compensations", "logs")]
    looks += [LOOKS["Client.why"], LOOKS["Backfill.dates"]]
    whole = [look(pair.by_http, pair.there) for look in looks]
    for module in ("instance", "views"):
        monkeypatch.setattr(f"qflowd.client.{module}.rows_at_once", lambda _name: 1)
    assert [look(pair.by_http, pair.there) for look in looks] == whole
    assert [look(pair.by_database, pair.there) for look in looks] == whole


@pytest.mark.parametrize("name", WRITES)
def test_what_is_written_is_the_same(pair: Pair, name: str):
    inbox = {"Client.submit": "submissions", "Client.signal": "signals"}.get(name, "commands")
    assert row_of(pair, inbox, pair.by_http, name) == row_of(pair, inbox, pair.by_database, name)


def row_of(pair: Pair, inbox: str, client: Client, name: str) -> dict[str, Any]:
    """The row that a method has written, without what tells whose it is."""
    answer = WRITES[name](client, pair.there)
    columns = {
        "submissions": "tenant, workflow, version, job, name, params, overrides, business_date, priority, run_at, hold,"
        " idempotency_key, trigger_type, state",
        "commands": "tenant, action, instance_id, workflow, task, task_id, filter, args, reason, state",
        "signals": "tenant, name, payload, business_date, expires_at, state",
    }[inbox]
    [row] = pair.lab.sql(f"SELECT {columns} FROM qflow.{inbox} WHERE id = {getattr(answer, 'id', answer)}")
    return dict(zip(columns.split(", "), row, strict=False))


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_is_refused_in_the_same_words(pair: Pair, name: str):
    def error(client: Client) -> tuple[type[BaseException], str]:
        with pytest.raises((qflowd.QflowdError, TimeoutError)) as caught:
            FAULTS[name](client, pair.there)
        return type(caught.value), without_numbers(str(caught.value))

    assert error(pair.by_http) == error(pair.by_database)


def without_numbers(message: str) -> str:
    """Of commands: each client writes its own."""
    head, found, rest = message.partition("(command ")
    return head + found + rest.lstrip("0123456789")


def test_every_public_method_is_covered():
    """A new one belongs into LOOKS or WRITES, so that it holds over HTTP as well."""
    kinds = (Backfill, Client, Instance, Limit, StoredDefinition, StoredSchedule, StoredWorkflow)
    public = {f"{kind.__name__}.{name}" for kind in kinds for name, _ in inspect.getmembers(kind) if name[0] != "_"}
    assert sorted(public - LOOKS.keys() - WRITES.keys() - LEFT_OUT.keys()) == []
    assert sorted((LOOKS.keys() | WRITES.keys()) - public - {"Instance.id"}) == []
