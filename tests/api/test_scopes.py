"""Callers with lists of jobs or workflows: what a list cannot bound is refused, by whichever way it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import task_id
from qflowd.model.quotas import limit_of
from qflowd.model.roles import Role
from tests.support.house import House
from tests.support.http import HttpClient

ROUTES = [
    route for route in endpoints() if route.is_write and route.role > Role.NONE and route.path.startswith("/api/")
]
# What a caller with lists may do all the same, and why.
NOT_BOUND = {
    "log_out": "of oneself",
    "update_me": "of oneself",
    "revoke_token": "of oneself alone",
    "end_session": "of oneself alone",
    "end_other_sessions": "of oneself alone",
    "validate_workflow": "stores nothing",
}
BODIES: Mapping[str, Any] = {
    "create_batch": {"action": "retry", "where": {"state": "FAILED"}},
    "create_commands": {"action": "pause", "workflow": "greet"},
    "create_submissions": {"workflow": "greet"},
    "publish_workflow": {"workflow": "greet"},
    "create_task_definition": {"key": "x", "job": "hello"},
    "update_task_definition": {"job": "hello"},
    "create_task_type": {"type": "x", "job": "hello"},
    "update_task_type": {"job": "hello"},
    "create_principal": {"name": "x", "role": "read"},
    "create_tenant": {"name": "x"},
    "replace_quotas": {"quotas": {}},
    "handle_failures": {"group": {"task": "first"}, "note": "x"},
    "handle_failure": {"note": "x"},
    "mute_failures": {"group": {"task": "hello", "workflow": "greet", "error_class": "x"}, "reason": "x"},
    "unmute_failures": {"group": {"task": "hello", "workflow": "greet", "error_class": "x"}},
    "skip_task": {"reason": "x"},
    "set_instance_priority": {"priority": 1},
    "rerun_instance": {"from": "hello"},
    "create_node": {"key": "x", "job": "hello"},
    "create_edge": {"from": "hello", "to": "x"},
    "create_backfill": {"workflow": "greet", "from": "2026-11-02", "to": "2026-11-03"},
    "create_signal": {"name": "bars.ready"},
    "set_calendar_day": {"day": "2026-11-20", "kind": "closed", "reason": "a typhoon"},
    "import_calendar": {"csv": "2026-11-20\n", "timezone": "Asia/Shanghai"},
}
DOCUMENT = {"workflow": "greet", "tasks": {"a": {"job": "hello"}}}
TYPE = {"type": "hellos", "job": "hello"}
# Each begins, or lets begin, jobs that the list does not have.
WAYS = [
    ("POST", "/workflows/greet/start", {}),
    ("POST", "/workflows/greet/nodes/hello/trigger", {}),
    ("POST", "/workflows/greet/retry", {}),
    ("POST", "/instances/{id}/retry", {}),
    ("POST", "/instances/{id}/rerun", {"from": "hello"}),
    ("POST", "/workflows/greet/versions", {"document": DOCUMENT}),
    ("POST", "/workflows/greet/versions/1/activate", {}),
    (
        "POST",
        "/workflows/sly/versions",
        {"new": True, "document": {"workflow": "sly", "tasks": {"a": {"job": "safe_x"}}}},
    ),
    ("POST", "/workflows", {"definition": {"workflow": "sly", "tasks": {"a": {"workflow": "greet"}}}}),
    (
        "POST",
        "/workflows",
        {"definition": {"workflow": "sly", "tasks": {"a": {"job": "safe_x", "compensate": "hello"}}}},
    ),
    ("POST", "/task-types", TYPE),
    ("POST", "/commands", {"action": "trigger", "workflow": "greet", "task": "hello"}),
    ("POST", "/commands", {"action": "retry", "instance_id": "{id}"}),
    ("POST", "/commands", {"action": "retry", "workflow": "reach_own"}),
    ("POST", "/commands", {"action": "define_task", "args": {"source": "type: x\njob: hello\n", "format": "yaml"}}),
    ("POST", "/batches", {"action": "retry", "where": {"state": "FAILED"}}),
]


@pytest.fixture(scope="module")
def things(house: House) -> Mapping[str, Any]:
    """What paths name, by their first words: what neither of the lists in `bound` has."""
    number = house.started("greet")
    house.ended(number)
    house.api.post("/task-types", {"type": "hellos", "job": "hello"})
    house.api.post("/task-definitions", {"key": "hi", "job": "hello"})
    house.api.post("/tenants", {"name": "desk_a"})
    draft = house.api.post("/workflows/greet/versions", {"copy_of": "active"}).data["version"]
    batch = house.api.post("/batches?wait=30", {"action": "retry", "where": {"workflow": "greet"}}).data["id"]
    days = {"from": "2026-11-02", "to": "2026-11-03"}
    backfill = house.api.post("/backfills?wait=30", {"workflow": "greet", **days}).data["result"]["backfill"]
    service = house.api.post("/principals", {"name": "service", "role": "read", "kind": "service"}).data["id"]
    return {
        "workflows": {"id": "greet", "version": draft, "node": "hello", "edge": "hello:x", "name": "cron"},
        "instances": {"id": number},
        "tasks": {"id": task_id(number, 0)},
        "failures": {"task": task_id(number, 0)},
        "batches": {"id": batch},
        "limits": {"key": "vendor:x"},
        "plugins": {"name": "hello"},
        "principals": {"id": service},
        "task-types": {"id": "hellos"},
        "task-definitions": {"id": "hi"},
        "tenants": {"id": "desk_a"},
        "tokens": {"id": "none"},
        "sessions": {"id": 99},
        "backfills": {"id": backfill},
        "calendars": {"name": "XSHG", "day": "2026-11-20"},
    }


@pytest.fixture(scope="module")
def bound(house: House) -> list[HttpClient]:
    """Callers who may do anything to what is on their lists, and these have nothing that is there."""
    return [house.api.as_(Role.SYSTEM, workflows=("other",)), house.api.as_(Role.SYSTEM, jobs=("other",))]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_whatever_writes_is_bounded_by_lists(
    house: House, things: Mapping[str, Any], bound: list[HttpClient], route: Endpoint
) -> None:
    values = things.get(route.path.split("/")[3], {})
    path = route.path.format(**values)
    for caller in bound:
        reply = caller.request(route.method, f"{path}?wait=0", BODIES.get(route.name, {}), {"If-Match": "*"})
        assert (reply.code in (40301, 40302)) == (route.name not in NOT_BOUND), reply.body


def test_a_list_of_workflows_has_no_job_that_is_run_by_itself(house: House) -> None:
    caller = house.api.as_(Role.OPERATE, workflows=("*",))
    for path, body in (("/plugins/hello", {}), ("/submissions", {"job": "hello"})):
        assert caller.post(f"{path}?wait=0", body).code == 40302
    both = house.api.as_(Role.OPERATE, workflows=("greet",), jobs=("hello",))
    assert both.post("/plugins/hello?wait=0").status in (200, 202)
    assert both.post("/workflows/greet/start?wait=0").status in (201, 202)


def test_a_backfill_is_bounded_by_lists_however_its_number_is_written(house: House) -> None:
    body = {"workflow": "greet", "from": "2026-10-08", "to": "2026-10-08"}
    number = house.post("/backfills?wait=30", body).data["result"]["backfill"]
    caller = house.api.as_(Role.OPERATE, workflows=("gated",))
    for written, code in ((number, 40302), (float(number), 40302), (str(number), 42202), (1 << 40, 40401)):
        for action in ("pause_backfill", "resume_backfill", "stop_backfill"):
            reply = caller.post("/commands?wait=0", {"action": action, "args": {"backfill": written}})
            assert reply.code == code, (action, written, reply.body)


def test_who_could_not_ask_for_a_command_cannot_cancel_it(house: House) -> None:
    number, gate = house.running()
    asked = [
        {"action": "pause", "instance_id": number},
        {"action": "pause", "workflow": "gated"},
        {"action": "retry", "filter": {"workflow": "gated", "state": "FAILED"}},
        {"action": "pause_limit", "args": {"limit": "vendor:x"}},
    ]
    numbers = [house.post("/commands?wait=0", body).data["command_id"] for body in asked]
    house.api.get(f"/commands/{numbers[0]}?wait=30")
    for caller in (house.api.as_(Role.OPERATE, workflows=("greet",)), house.api.as_(Role.OPERATE, jobs=("hello",))):
        for command in (*numbers, float(numbers[0])):
            reply = caller.post("/commands?wait=0", {"action": "cancel", "args": {"command": command}})
            assert reply.code == 40302, (command, reply.body)
    mine = house.api.as_(Role.OPERATE, workflows=("gated",))
    assert mine.post("/commands?wait=30", {"action": "cancel", "args": {"command": numbers[0]}}).code == 40901
    assert mine.post("/commands?wait=30", {"action": "cancel", "args": {"command": 1 << 40}}).code == 40401
    defining = {"action": "define_task", "args": {"source": "type: y\njob: hello\n", "format": "yaml"}}
    other = house.post("/commands?wait=0", defining).data["command_id"]
    assert (
        house.api.as_(Role.OPERATE).post("/commands?wait=30", {"action": "cancel", "args": {"command": other}}).code
        == 40301
    )
    house.post("/commands?wait=30", {"action": "resume", "workflow": "gated"})
    house.post("/commands?wait=30", {"action": "resume_limit", "args": {"limit": "vendor:x"}})
    house.open(gate)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    WAYS,
    ids=[f"{n} {path} {body.get('action', '')}" for n, (_, path, body) in enumerate(WAYS)],
)
def test_a_list_of_jobs_bounds_every_way_to_run_one(house: House, method: str, path: str, body: dict[str, Any]) -> None:
    number = house.started("greet")
    house.ended(number)
    caller = house.api.as_(Role.DEFINE, jobs=("safe_*",))
    filled = {key: number if value == "{id}" else value for key, value in body.items()}
    reply = caller.request(method, path.replace("{id}", str(number)) + "?wait=0", filled)
    assert (reply.status, reply.code) == (403, 40302), reply.body


HELLO = {"a": {"job": "hello"}}
# What runs more than jobs of its own tasks: the version that is active, then others; whether a caller with `hello` may run it.
REACHES = {
    "own": ([HELLO], True),
    "undone": ([{"a": {"job": "hello", "compensate": "undo_nothing"}}], False),
    "undone_by_its_job": ([{"a": {"job": "loaded"}}], False),
    "starts": ([{"a": {"workflow": "reach_own"}}], True),
    "starts_another": ([{"a": {"workflow": "reach_starts_undone"}}], False),
    "starts_undone": ([{"a": {"workflow": "reach_undone"}}], False),
}


def test_a_list_of_jobs_bounds_what_a_workflow_starts_and_what_undoes_it(house: House) -> None:
    for name, ([tasks], _) in REACHES.items():
        stored = house.post(
            "/workflows", {"definition": {"workflow": f"reach_{name}", "tasks": tasks}, "submit": False}
        )
        assert stored.status == 201, stored.body
    caller = house.api.as_(Role.SUBMIT, jobs=("hello",))
    more = house.api.as_(Role.SUBMIT, jobs=("hello", "loaded", "undo_nothing"))
    allowed = {name: caller.post(f"/workflows/reach_{name}/start?wait=0").status == 202 for name in REACHES}
    assert allowed == {name: may_run for name, (_, may_run) in REACHES.items()}
    assert more.post("/workflows/reach_starts_another/start?wait=0").status == 202
    refused = more.post("/workflows/reach_undone_by_its_job/start?wait=0")
    assert (refused.code, "'unloaded'" in refused.message) == (40302, True)


def test_a_list_of_jobs_bounds_the_version_that_would_run(house: House) -> None:
    """Which is not the active one where there is a canary, or where an instance is older."""

    def store(tasks: dict[str, Any]) -> None:
        stored = house.post("/workflows", {"definition": {"workflow": "versioned", "tasks": tasks}, "submit": False})
        assert stored.status == 201, stored.body

    caller = house.api.as_(Role.OPERATE, jobs=("hello",))
    store({"a": {"job": "undo_nothing"}})
    older = house.started("versioned")
    house.ended(older)
    store(HELLO)
    assert caller.post("/workflows/versioned/start?wait=0").status == 202
    assert caller.post(f"/instances/{older}/rerun?wait=0", {"from": "a"}).code == 40302
    assert caller.post("/workflows/versioned/retry?wait=0", {"all": True}).code == 40302
    assert caller.post("/workflows/versioned/retry?wait=0", {"since": "1d"}).code == 40302
    assert caller.post("/workflows/versioned/nodes/a/retry?wait=0").code == 40302
    assert caller.post("/commands?wait=0", {"action": "retry", "workflow": "versioned"}).code == 40302
    assert house.post("/workflows/versioned/versions/1/activate", {"weight": 10}).status == 200
    assert caller.post("/workflows/versioned/start?wait=0").code == 40302
    assert caller.post("/workflows/versioned/start?wait=0", {"version": 2}).status == 202


def test_a_list_of_workflows_does_not_reach_what_many_are_made_of(house: House) -> None:
    caller = house.api.as_(Role.DEFINE, workflows=("other",))
    assert caller.post("/task-types", TYPE).code == 40302
    assert caller.post("/commands", {"action": "define_task", "args": {"source": "{}", "format": "json"}}).code == 40302


def test_ids_of_a_batch_that_are_none_are_told_so_whoever_asks(house: House) -> None:
    for caller in (house.api, house.api.as_(Role.OPERATE, workflows=("greet",))):
        for ids in (5, ["5"], [0], []):
            reply = caller.post("/batches", {"action": "retry", "where": {"ids": ids}})
            assert (reply.status, reply.code) == (422, 42202), reply.body


def test_the_limit_that_a_quota_makes_is_its_tenants_alone(house: House) -> None:
    house.api.post("/tenants", {"name": "desk_b"})
    quotas = house.api.get("/tenants/desk_b/quotas")
    put = house.api.put("/tenants/desk_b/quotas", {"quotas": {"running_tasks": 3}}, if_match=quotas.headers["etag"])
    assert put.status == 200, put.body
    name = limit_of("desk_b")
    assert name in [row["name"] for row in house.api.get("/limits").data]
    assert name in [row["name"] for row in house.api.as_(Role.READ, "desk_b").get("/limits").data]
    operator = house.api.as_(Role.OPERATE)
    assert name not in [row["name"] for row in operator.get("/limits").data]
    assert operator.post(f"/limits/{name}/pause", {"reason": "mine"}).code == 40301
    asked = {"action": "pause_limit", "args": {"limit": name}, "reason": "mine"}
    assert operator.post("/commands", asked).code == 40301


def test_a_write_whose_answer_cannot_be_read_is_accepted_not_refused(house: House) -> None:
    """The row is there: an error would have the caller send it again."""
    store = house.api.api.store
    transact = store.transact

    def then_away(*args: Any, **more: Any) -> Any:
        done = transact(*args, **more)

        def away(_work: Any) -> Any:
            raise StoreUnavailable("the database is away")

        store.read = away  # type: ignore[method-assign]
        return done

    house.api.get("/me")  # who calls is known for some seconds
    store.transact = then_away  # type: ignore[method-assign]
    try:
        reply = house.post("/submissions?wait=0.3", {"workflow": "greet"})
    finally:
        del store.transact
        store.__dict__.pop("read", None)
    assert (reply.status, reply.code) == (202, 0), reply.body
    number = int(reply.headers["location"].rpartition("/")[2])
    assert house.ended(number) == "SUCCESS"


def test_a_list_of_workflows_reaches_no_single_job_that_has_the_name_of_one(house: House) -> None:
    """A filter's `workflow` means single jobs of that name too."""
    document = {"workflow": "undo_nothing", "tasks": {"a": {"job": "hello"}}}
    house.api.post("/workflows?wait=30", {"definition": document, "submit": False})
    held = [{"job": "undo_nothing", "hold": True}, {"workflow": "undo_nothing", "hold": True}]
    single, of_workflow = (
        item["instance_id"] for item in house.post("/submissions?wait=30", {"items": held}).data["items"]
    )
    caller = house.api.as_(Role.OPERATE, workflows=("undo_nothing",))
    where = {"workflow": "undo_nothing", "state": "OPEN"}
    tried = caller.post("/batches?wait=30", {"action": "terminate", "where": where, "dry_run": True}).data
    assert [row["id"] for row in tried["sample"]] == [of_workflow]
    for more in ({"single": True}, {"single": None}):
        assert caller.post("/batches?wait=0", {"action": "terminate", "where": where | more}).code == 40302
    asked = caller.post("/commands?wait=30", {"action": "terminate", "filter": where}).data
    assert (asked["state"], house.state(single), house.ended(of_workflow)) == ("DONE", "READY", "TERMINATED")
    late = caller.post("/commands?wait=30", {"action": "cancel", "args": {"command": asked["command_id"]}})
    assert late.code == 40901
    others = house.post("/commands?wait=30", {"action": "terminate", "filter": where | {"single": True}}).data
    assert (others["state"], house.ended(single)) == ("DONE", "TERMINATED")
    assert (
        caller.post("/commands?wait=0", {"action": "cancel", "args": {"command": others["command_id"]}}).code == 40302
    )
