"""Task types and task definitions over HTTP; workflows that are made of them follow."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from qflowd.model.roles import Role
from tests.support.http import ApiServer, Reply

NUMBERS = count(1)


class Desk:
    """A job that a daemon has registered, and names that nobody else uses."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        number = next(NUMBERS)
        self.type, self.key, self.workflow = f"bars{number}", f"us_bars{number}", f"daily{number}"
        job = ("work", "", "{}", "{}", "w.py", "h", "")
        api.store.transact(lambda tx: tx.run("save_jobs", rows=[job], now=tx.now))

    def make_both(self) -> None:
        made = self.api.post(
            "/task-types",
            {
                "type": self.type,
                "title": "Bars",
                "job": "work",
                "params_schema": {"market": {"type": "string"}, "days": {"type": "integer"}},
                "defaults": {"days": 5},
                "settings": {"retries": 3},
            },
        )
        assert made.status == 201, made.text
        made = self.api.post("/task-definitions", {"key": self.key, "type": self.type, "params": {"market": "US"}})
        assert made.status == 201, made.text

    def use(self) -> None:
        document = {"workflow": self.workflow, "tasks": {"load": {"task": self.key}}}
        url = f"/workflows/{self.workflow}/versions"
        assert self.api.post(url, {"document": document, "new": True}).data["faults"] == []
        assert self.api.post(f"{url}/1/activate").status == 200

    def put(self, path: str, body: Any) -> Reply:
        return self.api.put(path, body, if_match=self.api.get(path).headers["etag"])


@pytest.fixture
def desk(api: ApiServer) -> Desk:
    return Desk(api)


def test_a_type_and_what_is_made_of_it(desk: Desk) -> None:
    desk.make_both()
    desk.use()
    shown = desk.api.get(f"/task-types/{desk.type}").data
    assert (shown["type"], shown["title"], shown["job"], shown["settings"]) == (
        desk.type,
        "Bars",
        "work",
        {"retries": 3},
    )
    assert shown["params_schema"]["days"] == {"type": "integer", "default": 5}
    assert (shown["defaults"], shown["definitions"], shown["workflows"]) == ({"days": 5}, [desk.key], [desk.workflow])
    assert desk.api.get(f"/task-types/{shown['id']}").data == shown
    definition = desk.api.get(f"/task-definitions/{desk.key}").data
    assert (definition["type"], definition["params"], definition["workflows"]) == (
        desk.type,
        {"market": "US"},
        [desk.workflow],
    )
    params = desk.api.get(f"/task-definitions/{desk.key}/params").data
    assert params["values"] == {"market": "US", "days": 5}
    assert params["json_schema"]["properties"]["market"] == {"type": "string"}


def test_a_change_makes_a_new_version_of_what_is_made_of_it(desk: Desk) -> None:
    desk.make_both()
    desk.use()
    reply = desk.put(f"/task-definitions/{desk.key}", {"type": desk.type, "params": {"market": "CN"}})
    assert reply.data["workflows"] == {desk.workflow: 2}
    version = desk.api.get(f"/workflows/{desk.workflow}/versions/active").data
    assert version["document"]["tasks"]["load"]["params"] == {"market": "CN", "days": 5}
    stale = desk.api.put(f"/task-definitions/{desk.key}", {"job": "work"}, if_match='"0"')
    assert (stale.status, stale.code, stale.data["current"]["params"]) == (412, 41201, {"market": "CN"})
    unfit = desk.put(f"/task-types/{desk.type}", {"job": "work", "params_schema": {"days": {"type": "integer"}}})
    assert (unfit.status, unfit.code) == (422, 42202)
    assert desk.workflow in unfit.message


def test_what_is_used_is_not_removed_and_its_users_are_named(desk: Desk) -> None:
    desk.make_both()
    desk.use()
    refused = desk.api.delete(f"/task-types/{desk.type}", if_match="*")
    assert (refused.status, refused.code) == (409, 40903)
    assert f"task definition {desk.key}, workflow {desk.workflow}" in refused.message
    assert desk.api.delete(f"/task-definitions/{desk.key}", if_match="*").code == 40903
    assert desk.api.delete(f"/workflows/{desk.workflow}").data["removed"] is True
    assert desk.api.delete(f"/task-definitions/{desk.key}", if_match="*").data["name"] == desk.key
    assert desk.api.delete(f"/task-types/{desk.type}", if_match="*").status == 200
    assert desk.api.get(f"/task-types/{desk.type}").status == 404


def test_lists_are_by_name_and_page(desk: Desk) -> None:
    desk.make_both()
    Desk(desk.api).make_both()
    names, cursor = [], ""
    while True:
        page = desk.api.get(f"/task-types?limit=1{cursor}").data
        names += [row["type"] for row in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert desk.type in names
    assert names == sorted(names)
    assert desk.key in [row["key"] for row in desk.api.get("/task-definitions").data["items"]]
    assert desk.api.as_(Role.READ, tenant="others").get("/task-types").data["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "code", "fault"),
    [
        ("/task-types", {"type": "t", "job": "nobodys"}, 42202, "no daemon has ever registered a job 'nobodys'"),
        ("/task-types", {"type": "t", "job": "work", "settings": {"retrys": 3}}, 42202, "retrys"),
        ("/task-types", {"type": "t", "job": "work", "defaults": {"x": 1}}, 42202, "params_schema has no such param"),
        ("/task-types", {"type": "t"}, 42202, "job: is missing"),
        ("/task-types", {"type": "t", "job": "work", "settings": {"job": "x"}}, 42202, "stands beside settings"),
        ("/task-definitions", {"key": "d", "type": "nothing"}, 42202, "task type 'nothing' does not exist"),
        ("/task-definitions", {"key": "d", "type": "a", "job": "b"}, 42202, "give either a type or a job"),
    ],
)
def test_what_cannot_be_made_is_told_why(desk: Desk, path: str, body: Any, code: int, fault: str) -> None:
    reply = desk.api.post(path, body)
    assert (reply.status, reply.code) == (code // 100, code), reply.text
    assert fault in reply.message


def test_a_name_is_taken_once_for_both_kinds(desk: Desk) -> None:
    desk.make_both()
    assert desk.api.post("/task-types", {"type": desk.type, "job": "work"}).code == 40902
    assert desk.api.post("/task-definitions", {"key": desk.type, "job": "work"}).code == 40902
    small = desk.api.as_(Role.OPERATE).post("/task-types", {"type": "t", "job": "work"})
    assert (small.status, small.code) == (403, 40301)


def test_what_was_archived_on_the_command_line_can_be_made_again(desk: Desk) -> None:
    desk.make_both()
    row = {"tenant": "default", "name": desk.type, "note": None}
    desk.api.store.transact(lambda tx: tx.run("archive_task_definition", **row, archived_at=tx.now, now=tx.now))
    assert desk.type not in json.dumps(desk.api.get("/task-types").data)
    assert desk.type in json.dumps(desk.api.get("/task-types?archived=1").data)
    assert desk.api.post("/task-types", {"type": desk.type, "job": "work"}).status == 201
