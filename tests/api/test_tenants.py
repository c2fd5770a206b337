"""Tenants over HTTP: seen, suspended, given quotas that hold for rows of any client, and what they used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import qflowd
from qflowd.engine.access.usage import Usage
from qflowd.engine.service import Topics
from qflowd.model.roles import Role
from tests.support.http import ApiServer
from tests.support.lab import Lab


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    lab = Lab(api.url)
    yield lab
    lab.close()


def made(api: ApiServer, name: str) -> str:
    """A new tenant; its ETag."""
    reply = api.post("/tenants", {"name": name, "title": name.upper()})
    assert reply.status == 201
    return reply.headers["etag"]


def quotas(api: ApiServer, name: str, etag: str, **values: object) -> str:
    """Give a tenant these quotas; its ETag afterwards."""
    reply = api.request("PUT", f"/tenants/{name}/quotas", {"quotas": values}, {"If-Match": etag})
    assert reply.status == 200, reply.message
    return reply.headers["etag"]


def test_quotas_that_are_set_over_http_hold_for_rows_of_any_client(api: ApiServer, lab: Lab) -> None:
    etag = made(api, "t_quota")
    quotas(api, "t_quota", etag, open_instances=1, allowed_jobs=["work", "md_*"])
    first, second = lab.start(job="work", tenant="t_quota"), lab.start(job="work", tenant="t_quota")
    states = dict(lab.sql(f"SELECT id, state FROM qflow.submissions WHERE id IN ({first}, {second})"))  # type: ignore[arg-type]
    assert states == {first: "ACCEPTED", second: "REJECTED"}
    found = api.get("/tenants/t_quota").data
    assert (found["name"], found["state"], found["open_instances"]) == ("t_quota", "ACTIVE", 1)
    assert [(one["name"], one["value"], one["used"]) for one in found["quotas"]] == [
        ("allowed_jobs", ["work", "md_*"], None),
        ("open_instances", 1, 1.0),
    ]
    assert api.get("/tenants/t_quota/quotas").data["items"] == found["quotas"]
    lab.run()


def test_a_change_needs_the_etag_of_what_is_there_now(api: ApiServer) -> None:
    etag = made(api, "t_etag")
    assert api.put("/tenants/t_etag", {"state": "SUSPENDED"}).code == 42801
    reply = api.request("PUT", "/tenants/t_etag", {"state": "SUSPENDED"}, {"If-Match": etag})
    assert (reply.status, reply.data["state"]) == (200, "SUSPENDED")
    stale = api.request("PUT", "/tenants/t_etag", {"title": "x"}, {"If-Match": etag})
    assert (stale.code, stale.data["current"]["state"]) == (41201, "SUSPENDED")
    assert api.request("DELETE", "/tenants/t_etag", None, {"If-Match": etag}).code == 41201
    assert api.request("DELETE", "/tenants/t_etag", None, {"If-Match": reply.headers["etag"]}).status == 200
    assert api.get("/tenants/t_etag").code == 40401


def test_nobody_is_let_into_a_tenant_that_was_deleted_a_moment_ago(api: ApiServer) -> None:
    made(api, "t_left")
    one = api.post("/principals?tenant=t_left", {"name": "left-1", "role": "read"})
    assert one.status == 201
    path = f"/principals/{one.data['id']}?tenant=t_left"
    off = api.request("PUT", path, {"disabled": True}, {"If-Match": one.headers["etag"]})
    etag = api.get("/tenants/t_left").headers["etag"]
    assert api.request("DELETE", "/tenants/t_left", None, {"If-Match": etag}).status == 200
    for reply in (
        api.post("/principals?tenant=t_left", {"name": "left-2", "role": "read"}),
        api.request("PUT", path, {"disabled": False}, {"If-Match": off.headers["etag"]}),
    ):
        assert (reply.code, "there is no tenant 't_left' any more" in reply.message) == (40401, True)
    assert api.request("DELETE", path, None, {"If-Match": off.headers["etag"]}).status == 200


def test_what_cannot_be_is_said_with_all_its_faults(api: ApiServer, lab: Lab) -> None:
    etag = made(api, "t_faults")
    assert api.post("/tenants", {"name": "t_faults"}).code == 40902
    assert api.post("/tenants", {"name": "no such name"}).code == 42202
    reply = api.request("PUT", "/tenants/t_faults/quotas", {"quotas": {"open": 1, "workflows": -1}}, {"If-Match": etag})
    assert reply.code == 42202
    assert "there is no quota 'open'" in reply.message
    assert "workflows (workflows that are not archived)" in reply.message
    lab.start(job="work", tenant="t_faults")
    assert api.request("DELETE", "/tenants/t_faults", None, {"If-Match": etag}).code == 40903
    lab.run()


def test_an_administrator_sees_their_own_tenant_alone_and_changes_none(api: ApiServer) -> None:
    etag = made(api, "t_mine")
    made(api, "t_other")
    admin = api.as_(Role.ADMIN, tenant="t_mine")
    assert admin.get("/tenants/t_mine").status == 200
    assert admin.get("/tenants/t_mine/quotas").status == 200
    for path in ("", "/quotas", "/usage"):
        assert admin.get(f"/tenants/t_other{path}").code == 40401
    assert admin.get("/tenants").code == 40301
    assert admin.request("PUT", "/tenants/t_mine/quotas", {"quotas": {}}, {"If-Match": etag}).code == 40301
    assert api.as_(Role.DEFINE, tenant="t_mine").get("/tenants/t_mine").code == 40301


def test_the_list_has_pages(api: ApiServer) -> None:
    for name in ("t_page_a", "t_page_b", "t_page_c"):
        made(api, name)
    names, cursor = [], ""
    while True:
        data = api.get(f"/tenants?limit=2{cursor}").data
        names += [item["name"] for item in data["items"]]
        if data["next"] is None:
            break
        cursor = f"&cursor={data['next']}"
    assert names == sorted(names)
    assert {"t_page_a", "t_page_b", "t_page_c"} <= set(names)


def test_usage_is_listed_by_day_and_workflow(api: ApiServer, lab: Lab) -> None:
    made(api, "t_usage")
    lab.workflow("t_chain", {"a": [], "b": ["a"]}, tenant="t_usage")
    for workflow in ("t_chain", None):
        lab.start(workflow, job=None if workflow else "work", tenant="t_usage")
    lab.run()
    while not Usage(lab.store, Topics()).tick():
        pass
    admin = api.as_(Role.ADMIN, tenant="t_usage")
    day = "2026-11-20"
    first = admin.get(f"/tenants/t_usage/usage?from={day}&to={day}&limit=1").data
    rest = admin.get(f"/tenants/t_usage/usage?from={day}&to={day}&limit=1&cursor={first['next']}").data
    items = [(one["day"], one["workflow"], one["instances"], one["tasks"]) for one in first["items"] + rest["items"]]
    assert items == [(day, "t_chain", 1, 2), (day, "work", 1, 1)]
    assert rest["next"] is None
    assert admin.get("/tenants/t_usage/usage?from=2026-11-21&to=2026-11-22").data["items"] == []
    assert admin.get("/tenants/t_usage/usage?form=x").code == 40002


def test_a_workflow_for_which_there_is_no_room_is_no_faulty_document(api: ApiServer) -> None:
    quotas(api, "t_full", made(api, "t_full"), workflows=0)
    admin = api.as_(Role.ADMIN, tenant="t_full")
    document = {"workflow": "one", "tasks": {"a": {"job": "work"}}}
    for reply in (
        admin.post("/workflows?wait=0", {"definition": document}),
        admin.post("/workflows/one/versions", {"document": document, "new": True}),
    ):
        assert (reply.status, reply.code) == (429, 42902), reply.message
        assert "quota workflows of tenant t_full is 0" in reply.message


def test_a_tenant_that_there_is_not_is_not_looked_at_nor_written_for(api: ApiServer) -> None:
    for _ in range(2):
        post = api.post("/submissions?tenant=t_nope&wait=0", {"job": "hello"})
        assert (post.status, post.code) == (404, 40401), "nor is it remembered as one that there is"
    assert "there is no tenant 't_nope'" in post.message
    assert "qflowd tenants create t_nope" in post.message
    assert api.get("/instances?tenant=t_nope").code == 40401
    assert api.get("/instances?tenant=default").status == 200
    assert api.as_(Role.READ, "t_bare").get("/instances?tenant=t_bare").status == 200, "one's own needs no row"
    with pytest.raises(qflowd.NotFound, match="t_nope"):
        qflowd.connect(f"http://127.0.0.1:{api.port}", token=api.token, tenant="t_nope")
    assert api.post("/tenants", {"name": "t_nope"}).status == 201
    assert api.post("/submissions?tenant=t_nope&wait=0", {"job": "hello"}).status == 202
