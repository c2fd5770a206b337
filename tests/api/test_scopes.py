"""Callers with lists of jobs or workflows: what a list cannot bound is refused, by whichever way it is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from qflowd.model.errors import StoreUnavailable
from qflowd.model.quotas import limit_of
from qflowd.model.roles import Role
from tests.support.house import House

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
    ("POST", "/task-types", TYPE),
    ("POST", "/commands", {"action": "trigger", "workflow": "greet", "task": "hello"}),
    ("POST", "/commands", {"action": "retry", "instance_id": "{id}"}),
    ("POST", "/commands", {"action": "define_task", "args": {"source": "type: x\njob: hello\n", "format": "yaml"}}),
    ("POST", "/batches", {"action": "retry", "where": {"state": "FAILED"}}),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), WAYS, ids=[f"{path} {body.get('action', '')}" for _, path, body in WAYS]
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
