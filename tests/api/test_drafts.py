"""Drafts over HTTP: people edit them, two at once, and what they publish is what runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from qflowd.model.roles import Role
from tests.support.http import ApiServer, Reply
from tests.support.sql import run_sql

NUMBERS = count(1)


def document(key: str, tasks: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"workflow": key, "tasks": tasks or {"a": {"job": "work"}, "b": {"job": "work", "after": ["a"]}}} | more


class Draft:
    """A workflow with one draft, as its editor sees it; the ETag is that of the last answer."""

    def __init__(self, api: ApiServer, **more: Any) -> None:
        self.api, self.key = api, f"daily/{next(NUMBERS)}"
        self.url = f"/workflows/{self.key.replace('/', '%2F')}"
        reply = api.post(f"{self.url}/versions", {"document": document(self.key, **more), "new": True})
        assert reply.status == 201, reply.text
        self.etag = self.take(reply).headers["etag"]

    def take(self, reply: Reply) -> Reply:
        if reply.status < 300 and "etag" in reply.headers:
            self.etag = reply.headers["etag"]
        return reply

    def send(self, method: str, path: str, body: Any = None, etag: str | None = None) -> Reply:
        url = f"{self.url}/versions/{path}"
        return self.take(self.api.request(method, url, body, {"If-Match": etag or self.etag}))

    @property
    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"{self.url}/versions/1").data["document"]
        return found

    def activate(self, version: int | str = 1, **body: Any) -> Reply:
        return self.api.post(f"{self.url}/versions/{version}/activate", body)


@pytest.fixture
def draft(api: ApiServer) -> Iterator[Draft]:
    return Draft(api)


def boxes(reply: Reply) -> list[str]:
    return [box["key"] for box in reply.data["graph"]["boxes"]]


def edges(reply: Reply) -> list[tuple[str, str]]:
    return [(edge["from"], edge["to"]) for edge in reply.data["graph"]["edges"]]


def test_every_write_returns_the_new_etag_the_faults_and_the_graph(draft: Draft) -> None:
    first = draft.etag
    reply = draft.send("POST", "1/nodes", {"key": "c", "job": "load", "after": ["b"], "settings": {"retries": 3}})
    assert (reply.status, reply.data["faults"], boxes(reply)) == (201, [], ["a", "b", "c"])
    assert edges(reply) == [("a", "b"), ("b", "c")]
    assert draft.etag != first
    assert reply.headers["etag"] == f'"{reply.data["hash"]}"'
    assert draft.now["tasks"]["c"] == {"job": "load", "after": ["b"], "retries": 3}
    assert reply.data["document"] == draft.now
    reply = draft.send("DELETE", "1/nodes/c")
    assert (reply.status, boxes(reply), draft.etag) == (200, ["a", "b"], first)


def test_a_rename_is_followed_by_edges_and_expressions(draft: Draft) -> None:
    draft.send("PUT", "1/nodes/b", {"job": "work", "after": "a", "params": {"rows": "{{ a.output.rows }}"}})
    reply = draft.send("PUT", "1/nodes/a", {"job": "work", "key": "cn%2Fbars".replace("%2F", "/")})
    assert (reply.data["faults"], edges(reply)) == ([], [("cn/bars", "b")])
    assert draft.now["tasks"]["b"]["params"] == {"rows": '{{ tasks["cn/bars"].output.rows }}'}
    assert draft.send("PUT", "1/nodes/cn%2Fbars", {"job": "work", "key": "b"}).code == 40902


def test_edges_are_put_changed_and_removed(draft: Draft) -> None:
    draft.send("POST", "1/nodes", {"key": "c", "job": "work"})
    reply = draft.send("POST", "1/edges", {"from": "a", "to": "c", "condition": "a.output.ok"})
    assert (reply.status, sorted(edges(reply))) == (201, [("a", "b"), ("a", "c")])
    draft.send("POST", "1/edges", {"from": "a", "to": "c"})
    assert draft.now["tasks"]["c"]["after"] == ["a"]
    reply = draft.send("DELETE", "1/edges/a:c")
    assert edges(reply) == [("a", "b")]
    assert edges(draft.send("DELETE", "1/edges/0")) == []
    assert draft.send("DELETE", "1/edges/a:c").code == 40401
    assert draft.send("POST", "1/edges", {"from": "a", "to": "c", "condition": False}).code == 42202


def test_a_cycle_is_refused_with_its_path_and_changes_nothing(draft: Draft) -> None:
    before = draft.etag
    reply = draft.send("POST", "1/edges", {"from": "b", "to": "a"})
    assert (reply.status, reply.code) == (422, 42203)
    assert reply.message in ("cycle: a -> b -> a", "cycle: b -> a -> b")
    tasks = {"a": {"job": "work", "after": "a"}}
    assert draft.send("PUT", "1", {"document": document(draft.key, tasks)}).message == "cycle: a -> a"
    assert draft.etag == before


def test_a_draft_may_have_faults_but_is_not_activated_with_them(draft: Draft) -> None:
    reply = draft.send("POST", "1/nodes", {"key": "c", "params": {"x": "{{ nobody.output }}"}})
    assert reply.status == 201
    assert [fault["where"] for fault in reply.data["faults"]] == ["tasks.c.job", "tasks.c.params.x"]
    assert boxes(reply) == ["a", "c", "b"]
    shown = draft.api.get(f"{draft.url}/versions/draft").data
    assert (shown["faults"], shown["document"]["tasks"]["c"]) == (reply.data["faults"], draft.now["tasks"]["c"])
    assert draft.api.get(f"{draft.url}/versions").data[0]["faults"] == shown["faults"]
    drawn = draft.api.get(f"{draft.url}/versions/1/graph").data
    assert drawn == reply.data["graph"]
    nodes = draft.api.get(f"{draft.url}/versions/1/nodes").data
    assert [(node["key"], node["document"]) for node in nodes][1] == ("c", {"params": {"x": "{{ nobody.output }}"}})
    assert draft.api.get(f"{draft.url}/versions/1/diff?to=1").code == 42202
    refused = draft.activate()
    assert (refused.status, refused.code) == (422, 42202)
    assert [fault["where"] for fault in refused.data["errors"]] == ["tasks.c.job", "tasks.c.params.x"]
    assert draft.send("PUT", "1/nodes/c", {"job": "work"}).data["faults"] == []
    assert draft.activate().data | {"workflow": ""} == {
        "workflow": "",
        "version": 1,
        "state": "ACTIVE",
        "share": 1.0,
        "replaced": None,
    }


def test_of_two_people_who_edit_a_draft_the_second_gets_it_as_it_is_now(draft: Draft) -> None:
    old = draft.etag
    draft.send("POST", "1/nodes", {"key": "mine", "job": "work"})
    late = draft.send("POST", "1/nodes", {"key": "theirs", "job": "work"}, etag=old)
    assert (late.status, late.code) == (412, 41201)
    current = late.data["current"]
    assert (current["version"], f'"{current["hash"]}"') == (1, draft.etag)
    assert '"mine"' in current["text"]
    assert current["document"] == draft.now
    draft.send("POST", "1/nodes", {"key": "theirs", "job": "work"}, etag=f'"{current["hash"]}"')
    assert list(draft.now["tasks"]) == ["a", "b", "mine", "theirs"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "1", {"document": {"workflow": "x"}}),
        ("DELETE", "1", None),
        ("POST", "1/nodes", {"key": "c", "job": "work"}),
        ("PUT", "1/nodes/a", {"job": "work"}),
        ("DELETE", "1/nodes/a", None),
        ("POST", "1/edges", {"from": "a", "to": "b"}),
        ("DELETE", "1/edges/a:b", None),
    ],
)
def test_no_draft_is_written_without_if_match_or_by_a_small_role(
    api: ApiServer, draft: Draft, method: str, path: str, body: Any
) -> None:
    reply = api.request(method, f"{draft.url}/versions/{path}", body)
    assert (reply.status, reply.code) == (428, 42801)
    small = api.as_(Role.OPERATE).request(method, f"{draft.url}/versions/{path}", body, {"If-Match": draft.etag})
    assert (small.status, small.code) == (403, 40301)
    other = api.as_(Role.ADMIN, tenant="desk").request(
        method, f"{draft.url}/versions/{path}", body, {"If-Match": draft.etag}
    )
    assert (other.status, other.code) == (404, 40401)


def test_a_token_for_other_workflows_writes_none_of_this(api: ApiServer, draft: Draft) -> None:
    listed = api.as_(Role.DEFINE, workflows=("other*",))
    for method, path, body in (
        ("POST", "/versions", {"copy_of": 1}),
        ("POST", "/versions/1/nodes", {"key": "c", "job": "work"}),
        ("POST", "/versions/1/activate", {}),
        ("PUT", "", {"title": "x"}),
        ("DELETE", "", None),
    ):
        reply = listed.request(method, f"{draft.url}{path}", body, {"If-Match": draft.etag})
        assert (reply.status, reply.code) == (403, 40302), f"{method} {path}"


def test_what_is_no_draft_is_copied_and_the_copy_edited(draft: Draft) -> None:
    draft.activate()
    refused = draft.send("POST", "1/nodes", {"key": "c", "job": "work"})
    assert (refused.status, refused.code) == (409, 40904)
    assert "`copy_of: 1`" in refused.message
    reply = draft.take(draft.api.post(f"{draft.url}/versions", {"copy_of": "active"}))
    assert (reply.status, reply.data["version"], boxes(reply)) == (201, 2, ["a", "b"])
    assert boxes(draft.send("POST", "draft/nodes", {"key": "c", "job": "work"})) == ["a", "c", "b"]
    assert draft.activate("draft", reason="c is needed").data["replaced"] == 1
    rows = draft.api.get(f"{draft.url}/versions").data
    assert [(row["version"], row["state"], row["note"]) for row in rows][:1] == [(2, "ACTIVE", "c is needed")]
    assert draft.activate(1).data["version"] == 1  # rolled back


def test_a_share_of_new_instances_can_be_given_to_a_version(draft: Draft) -> None:
    draft.activate()
    draft.api.post(f"{draft.url}/versions", {"copy_of": 1})
    reply = draft.activate(2, weight=25)
    assert (reply.data["share"], reply.data["state"]) == (0.25, "DRAFT")
    assert draft.api.post(f"{draft.url}/versions/2/archive").code == 40901
    assert draft.activate(2, weight=0).code == 42202


def test_a_draft_is_put_away_or_removed(draft: Draft) -> None:
    draft.take(
        draft.api.post(f"{draft.url}/versions", {"text": f"workflow: {draft.key}\ntasks:\n  a: {{job: work}}\n"})
    )
    assert draft.send("DELETE", "2").data["version"] == 2
    assert draft.api.get(f"{draft.url}/versions/2").status == 404
    reply = draft.api.post(f"{draft.url}/versions/1/archive", {"reason": "not needed"})
    assert reply.data["state"] == "ARCHIVED"
    assert draft.api.post(f"{draft.url}/versions/1/archive").code == 40901


def test_the_text_of_a_person_is_kept_as_it_is_written(draft: Draft) -> None:
    text = f"# every day\nworkflow: {draft.key}\ntasks:\n  a: {{job: work}}  # first\n"
    reply = draft.send("PUT", "1", {"text": text, "format": "yaml"})
    assert reply.data["faults"] == []
    shown = draft.api.get(f"{draft.url}/versions/1")
    assert (shown.data["text"], shown.data["as_written"], shown.headers["etag"]) == (text, True, draft.etag)
    for body, fault in (
        ({"text": "a: [", "format": "yaml"}, "is not valid YAML"),
        ({"document": document("other")}, "keep its key"),
        ({}, "a document or its text"),
        ({"document": {}, "text": ""}, "a document or its text"),
        ({"document": {}, "txt": ""}, "unknown field; did you mean text?"),
    ):
        refused = draft.send("PUT", "1", body)
        assert (refused.status, refused.code) == (422, 42202)
        assert fault in refused.message


def test_a_new_workflow_needs_a_free_key(api: ApiServer, draft: Draft) -> None:
    again = api.post(f"{draft.url}/versions", {"document": document(draft.key), "new": True})
    assert (again.status, again.code) == (409, 40902)
    missing = api.post("/workflows/nothing-here/versions", {"document": document("nothing-here")})
    assert (missing.status, missing.code) == (404, 40401)
    odd = api.post("/workflows/a%20b/versions", {"document": document("a b"), "new": True})
    assert (odd.status, odd.code) == (422, 42202)


def test_who_did_what_is_in_the_audit(draft: Draft) -> None:
    draft.send("PUT", "1/nodes/a", {"job": "other"})
    draft.activate(reason="new")
    sql = f"SELECT action, changed_from, changed_to FROM qflow.audit_entries WHERE object = '{draft.key}:1' ORDER BY id"
    rows = run_sql(draft.api.store, sql)
    assert [row[0] for row in rows] == ["CREATE", "UPDATE", "ACTIVATE"]
    assert [json.loads(text) for text in rows[1][1:]] == [
        {"tasks.a": {"job": "work"}},
        {"tasks.a": {"job": "other"}},
    ]
