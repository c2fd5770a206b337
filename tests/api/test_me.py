"""What is one's own: the quotas of the tenant, all sessions but this one."""

from __future__ import annotations

from qflowd.model.roles import Role
from tests.api.person import Person, signed_in
from tests.support.http import ApiServer


def test_it_says_what_the_tenant_may_have_and_has(api: ApiServer) -> None:
    reader = api.as_(Role.READ, "desk")
    assert reader.get("/me").data["quotas"] == []
    api.post("/tenants", {"name": "desk"})
    put = api.put("/tenants/desk/quotas", {"quotas": {"workflows": 5, "allowed_jobs": ["md_*"]}}, if_match="*")
    assert put.status == 200
    shown = {quota["name"]: (quota["value"], quota["used"]) for quota in reader.get("/me").data["quotas"]}
    assert shown == {"workflows": (5, 0), "allowed_jobs": (["md_*"], None)}
    assert len(api.get("/me?tenant=desk").data["quotas"]) == 2


def test_all_sessions_but_the_one_that_asks_are_ended(api: ApiServer) -> None:
    first = signed_in(api, "many")
    stranger = signed_in(api, "stranger")
    rows = api.get("/principals").data["items"]
    number = next(row["id"] for row in rows if row["name"] == "many")
    others = [Person(api) for _ in range(2)]
    for person in others:
        person.sign_in(api.post(f"/principals/{number}/login-link").data["code"])
    assert first.send("DELETE", "/sessions").data == {"ended": 2}
    assert [person.send("GET", "/me").code for person in (first, stranger, *others)] == [0, 0, 40103, 40103]
    assert first.send("DELETE", "/sessions").data == {"ended": 0}
    [entry] = api.get("/audit?action=LOGOUT&actor=many").data["items"]
    assert (entry["object"], entry["after"]) == ("many", {"sessions_ended": 2})
