"""Principals, tokens, sessions and the audit over HTTP: who sees and changes what, and what it leaves behind."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from qflowd.engine.access import login
from qflowd.engine.access.audit import AuditEntry, write_audit
from qflowd.model.roles import Role
from tests.api.person import Person, code_for, signed_in
from tests.support.http import HttpClient
from tests.support.sql import run_sql


def refusal(reply, code, *words):
    assert (reply.status, reply.code) == (code // 100, code), reply.message
    assert all(word in reply.message for word in words), reply.message


def add(client, name, role="operate", **more):
    reply = client.post("/principals", {"name": name, "role": role, **more})
    assert reply.status == 201, reply.message
    return reply


class TestMe:
    """Who I am, and how I sign in."""

    def test_it_says_who_calls(self, api):
        me = api.as_(Role.DEFINE, "desk").get("/me").data
        told = {name: me[name] for name in ("kind", "tenant", "role", "csrf", "lang", "read_only", "has_password")}
        assert told == {
            "kind": "service", "tenant": "desk", "role": "define", "csrf": None, "lang": None, "read_only": False,
            "has_password": False,
        }  # fmt: skip
        api.post("/tenants", {"name": "desk"})
        assert api.get("/me?tenant=desk").data["tenant"] == "desk"
        assert me["tenants"] is None
        assert isinstance(api.get("/me").data["tenants"], list)

    def test_preferences_are_kept_and_faults_named(self, api):
        person = signed_in(api, "prefers")
        asked = {"lang": "zh", "zone": "Asia/Shanghai", "theme": "dark", "density": "compact"}
        assert {name: person.send("PUT", "/me", asked).data[name] for name in asked} == asked
        assert person.send("PUT", "/me", {"zone": None}).data | asked == person.send("GET", "/me").data | asked
        me = person.send("GET", "/me").data
        assert (me["zone"], me["lang"]) == (None, "zh")
        refusal(person.send("PUT", "/me", {"zone": "Mars/Olympus"}), 42202, "no time zone")
        refusal(person.send("PUT", "/me", {"lang": "tlh"}), 42202, "lang")
        refusal(person.send("PUT", "/me", {"language": "en"}), 42202, "lang")

    def test_a_password_is_set_and_changed_by_who_knows_the_old_one(self, api):
        person = signed_in(api, "keeper")
        refusal(person.send("PUT", "/me", {"password": "short"}), 42202, "12 to 1000")
        assert person.send("PUT", "/me", {"password": "first horse battery"}).data["has_password"] is True
        second = {"password": "second horse battery"}
        refusal(person.send("PUT", "/me", second), 40102, "old_password")
        assert person.send("PUT", "/me", second | {"old_password": "first horse battery"}).status == 200
        refusal(Person(api).sign_in_as("keeper", "first horse battery"), 40102)
        assert Person(api).sign_in_as("keeper", "second horse battery").data["principal"] == "keeper"
        asked = {"password": None, "old_password": "second horse battery"}
        assert person.send("PUT", "/me", asked).data["has_password"] is False

    def test_whoever_guesses_the_old_password_waits_as_at_the_sign_in_and_is_in_the_audit(self, api):
        person = signed_in(api, "prober")
        assert person.send("PUT", "/me", {"password": "first horse battery"}).status == 200
        wanted = {"password": "second horse battery", "old_password": "wrong horse battery"}
        for _ in range(login.MOST_FAILURES):
            refusal(person.send("PUT", "/me", wanted), 40102, "old_password")
        right = wanted | {"old_password": "first horse battery"}
        refused = person.send("PUT", "/me", right)
        refusal(refused, 42901, "5 failures")
        assert refused.headers["retry-after"] == "900"
        refusal(Person(api).sign_in_as("prober", "first horse battery"), 42901)
        told = api.get("/audit?action=LOGIN_FAILED&object_type=principal&object=prober").data["items"]
        assert len(told) == login.MOST_FAILURES
        run_sql(api.store, "DELETE FROM qflow.login_failure")
        assert person.send("PUT", "/me", right).status == 200

    def test_a_token_sets_no_password(self, api):
        refusal(api.as_(Role.ADMIN).put("/me", {"password": "correct horse battery"}), 40301, "not by a token")

    def test_signing_in_again_renews_the_session_and_signing_out_ends_it(self, api):
        person = Person(api)
        first = person.sign_in(code_for(api, "renews")).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} <= set(first.split("; "))
        old = person.cookie
        link = api.post(f"/principals/{_id(api, 'renews')}/login-link").data["code"]
        assert person.sign_in(link).status == 200
        assert person.cookie != old
        refusal(Person(api, old).send("GET", "/me"), 40103)
        reply = person.send("POST", "/logout")
        assert "Max-Age=0" in reply.headers["set-cookie"]
        refusal(person.send("GET", "/me"), 40103)

    def test_signing_out_and_a_password_are_ones_own_whichever_tenant_is_looked_at(self, api):
        person = signed_in(api, "looks-around", Role.SYSTEM)
        api.post("/tenants", {"name": "desk"})
        assert person.send("PUT", "/me?tenant=desk", {"password": "correct horse battery"}).status == 200
        where = "/audit?object_type=principal&object=looks-around&action=update"
        assert [item["after"] for item in api.get(where).data["items"]] == [{"password": "•••"}]
        assert person.send("POST", "/logout?tenant=desk").status == 200
        refusal(person.send("GET", "/me"), 40103)

    def test_a_token_has_no_session_to_end(self, api):
        refusal(api.post("/logout"), 40901, "revoked")

    def test_a_name_that_fails_too_often_waits(self, api):
        signed_in(api, "guessed").send("PUT", "/me", {"password": "correct horse battery"})
        for _ in range(5):
            refusal(Person(api).sign_in_as("guessed", "wrong horse battery"), 40102)
        reply = Person(api).sign_in_as("guessed", "correct horse battery")
        refusal(reply, 42901, "5 failures")
        assert reply.headers["retry-after"] == "900"
        api.store.transact(lambda tx: tx.run("delete_old_login_failures", since=tx.now + timedelta(days=1)))


class TestPrincipals:
    """Administrators make, change and delete who calls."""

    def test_one_is_made_shown_changed_and_deleted(self, api):
        boss = api.as_(Role.ADMIN, "t1")
        made = add(boss, "p-life", kind="service")
        at = made.headers["location"].removeprefix("/api/v1")
        shown = boss.get(at)
        assert shown.data == made.data
        assert (shown.data["kind"], shown.data["role"], shown.data["tenant"]) == ("service", "operate", "t1")
        etag = shown.headers["etag"]
        assert etag == made.headers["etag"]
        changed = boss.put(at, {"role": "read", "disabled": True}, if_match=etag)
        assert (changed.data["role"], changed.data["disabled_at"] is not None) == ("read", True)
        stale = boss.put(at, {"role": "define"}, if_match=etag)
        refusal(stale, 41201)
        assert stale.data["current"] == changed.data
        refusal(boss.put(at, {"role": "define"}), 42801)
        refusal(boss.delete(at), 42801)
        assert boss.delete(at, if_match=changed.headers["etag"]).status == 200
        refusal(boss.get(at), 40401)

    def test_those_of_another_tenant_or_a_greater_role_are_not_there(self, api):
        theirs = add(api.as_(Role.ADMIN, "t2"), "p-theirs").data["id"]
        greater = add(api, "p-greater", "system").data["id"]
        boss = api.as_(Role.ADMIN)
        for number in (theirs, greater, 1 << 40):
            refusal(boss.get(f"/principals/{number}"), 40401)
            refusal(boss.put(f"/principals/{number}", {"role": "read"}, if_match="*"), 40401)
            refusal(boss.delete(f"/principals/{number}", if_match="*"), 40401)
            refusal(boss.post(f"/principals/{number}/login-link"), 40401)
        assert {"p-theirs", "p-greater"}.isdisjoint(
            item["name"] for item in boss.get("/principals?limit=500").data["items"]
        )
        api.post("/tenants", {"name": "t2"})
        assert api.get(f"/principals/{theirs}?tenant=t2").status == 200
        refusal(boss.post("/principals", {"name": "p-god", "role": "system"}), 42202, "cannot be given")

    def test_a_name_that_is_taken_or_none_is_refused(self, api):
        boss = api.as_(Role.ADMIN)
        add(boss, "p-twice")
        refusal(boss.post("/principals", {"name": "p-twice", "role": "read"}), 40902, "choose another name")
        refusal(boss.post("/principals", {"name": "a b", "role": "read"}), 42202, "letters, digits")
        refusal(boss.post("/principals", {"name": "p-x", "role": "king"}), 42202, "role")

    def test_the_list_comes_in_pages_by_name(self, api):
        boss = api.as_(Role.ADMIN, "t3")
        for number in range(5):
            add(boss, f"p-page-{number}", "read")
        names, cursor = [], ""
        while True:
            page = boss.get(f"/principals?limit=2{cursor}").data
            names += [item["name"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert names == sorted(names)
        assert set(names) >= {f"p-page-{number}" for number in range(5)}
        assert len(names) == len(set(names))

    def test_nobody_locks_themselves_out(self, api):
        person = signed_in(api, "p-self", Role.ADMIN)
        number = _id(api, "p-self")
        refusal(person.send("PUT", f"/principals/{number}", {"disabled": True}, if_match="*"), 40901)
        refusal(person.send("DELETE", f"/principals/{number}", if_match="*"), 40901)

    def test_a_link_signs_in_and_a_disabled_principal_is_out_at_once(self, api):
        boss = api.as_(Role.ADMIN)
        number = add(boss, "p-link").data["id"]
        link = boss.post(f"/principals/{number}/login-link")
        assert link.status == 201
        assert link.data["link"] == f"http://127.0.0.1:{api.port}/#code={link.data['code']}"
        person = Person(api)
        assert person.sign_in(link.data["code"]).data["principal"] == "p-link"
        refusal(Person(api).sign_in(link.data["code"]), 40102, "was used already")
        assert boss.put(f"/principals/{number}", {"disabled": True}, if_match="*").status == 200
        refusal(person.send("GET", "/me"), 40103)


class TestTokens:
    """Everybody makes and revokes their own."""

    def test_the_secret_is_shown_once(self, api):
        person = signed_in(api, "t-once", Role.OPERATE)
        made = person.send("POST", "/tokens", {"role": "submit", "note": "cron", "workflows": ["daily_*"], "days": 30})
        assert made.status == 201
        assert made.data["principal"] == "t-once"
        assert HttpClient(api.port, made.data["token"]).get("/me").data["role"] == "submit"
        [item] = person.send("GET", "/tokens").data["items"]
        assert (item["id"], item["note"], item["workflows"], item["role"]) == (
            made.data["id"],
            "cron",
            ["daily_*"],
            "submit",
        )
        assert made.data["token"].split("_")[2] not in person.send("GET", "/tokens").text

    def test_nobody_makes_more_than_they_are(self, api):
        person = signed_in(api, "t-more", Role.SUBMIT)
        refusal(person.send("POST", "/tokens", {"role": "operate"}), 42202, "cannot be given")
        refusal(person.send("POST", "/tokens", {"principal": "t-once"}), 40301, "somebody else")
        refusal(person.send("POST", "/tokens", {"days": 401}), 42202, "days")
        refusal(person.send("POST", "/tokens", {"networks": ["here"]}), 42202, "not a network")
        narrow = api.as_(Role.ADMIN, workflows=("daily_*",))
        refusal(narrow.post("/tokens", {}), 40301, "bound to")
        refusal(narrow.post("/principals", {"name": "t-x", "role": "read"}), 40301, "bound to")

    def test_an_administrator_makes_them_for_others_of_the_tenant(self, api):
        boss = api.as_(Role.ADMIN, "t4")
        add(boss, "t-bot", "submit", kind="service")
        made = boss.post("/tokens", {"principal": "t-bot"}).data
        assert made["role"] == "submit"
        assert HttpClient(api.port, made["token"]).get("/me").data["principal"] == "t-bot"
        refusal(api.as_(Role.ADMIN).post("/tokens", {"principal": "t-bot"}), 40401)

    def test_its_role_is_what_it_may_do_wherever_it_is_told(self, api):
        tenant = {"name": "t-fund"}
        assert api.post("/tenants", tenant).status == 201
        add(api.as_(Role.ADMIN, "t-fund"), "t-bob", "admin")
        made = api.post("/tokens?tenant=t-fund", {"principal": "t-bob"}).data
        bob = HttpClient(api.port, made["token"])
        told = [made["role"], bob.get("/me").data["role"], bob.get("/tokens").data["items"][0]["role"]]
        assert told == ["admin", "admin", "admin"]
        assert api.get("/tokens?tenant=t-fund").data["items"][0]["role"] == "admin"

    def test_those_of_others_are_not_there(self, api):
        one, two = api.as_(Role.READ), api.as_(Role.READ)
        theirs = two.get("/tokens").data["items"]
        assert len(theirs) == 1
        refusal(one.delete(f"/tokens/{theirs[0]['id']}"), 40401)
        refusal(api.as_(Role.ADMIN, "t5").delete(f"/tokens/{theirs[0]['id']}"), 40401)
        assert two.get("/me").status == 200
        mine = one.get("/tokens").data["items"][0]["id"]
        assert one.delete(f"/tokens/{mine}").data["ended"] is True
        refusal(one.get("/me"), 40102, "was revoked")
        assert api.delete(f"/tokens/{mine}").data["ended"] is False

    def test_the_list_comes_in_pages_without_what_has_ended(self, api):
        boss = api.as_(Role.ADMIN, "t6")
        ids = [boss.post("/tokens", {}).data["id"] for _ in range(4)]
        boss.delete(f"/tokens/{ids[0]}")
        seen, cursor = [], ""
        while True:
            page = boss.get(f"/tokens?limit=2{cursor}").data
            seen += [item["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen[:3] == ids[:0:-1]
        assert len(seen) == 4
        assert len(boss.get("/tokens?all=true").data["items"]) == 5


class TestSessions:
    """Everybody sees and ends their own."""

    def test_own_ones_are_listed_with_the_one_that_asks_marked(self, api):
        one = signed_in(api, "s-mine")
        link = api.post(f"/principals/{_id(api, 's-mine')}/login-link").data["code"]
        two = Person(api)
        two.sign_in(link)
        items = two.send("GET", "/sessions").data["items"]
        assert [item["current"] for item in items] == [True, False]
        assert {item["address"] for item in items} == {"127.0.0.1"}
        assert two.send("DELETE", f"/sessions/{items[1]['id']}").data["ended"] is True
        refusal(one.send("GET", "/me"), 40103)

    def test_those_of_others_are_not_there_but_for_their_administrator(self, api):
        theirs = signed_in(api, "s-theirs")
        number = theirs.send("GET", "/sessions").data["items"][0]["id"]
        refusal(signed_in(api, "s-other").send("DELETE", f"/sessions/{number}"), 40401)
        refusal(api.as_(Role.ADMIN, "t7").delete(f"/sessions/{number}"), 40401)
        boss = api.as_(Role.ADMIN)
        assert number in [item["id"] for item in boss.get("/sessions").data["items"]]
        assert boss.get("/sessions?mine=true").data["items"] == []
        assert boss.delete(f"/sessions/{number}").data["ended"] is True
        refusal(theirs.send("GET", "/me"), 40103)


class TestAudit:
    """Who did what."""

    def test_what_is_done_over_http_is_told_with_who_and_from_where(self, api):
        boss = api.as_(Role.ADMIN, "a1")
        name = boss.get("/me").data["principal"]
        reply = add(boss, "a-told", "read")
        boss.put(reply.headers["location"], {"role": "define"}, if_match=reply.headers["etag"])
        found = boss.get("/audit?object_type=principal&object=a-told").data["items"]
        assert [item["action"] for item in found] == ["UPDATE", "CREATE"]
        assert (found[0]["before"], found[0]["after"]) == ({"role": "read"}, {"role": "define"})
        assert {(item["principal"], item["address"], item["outcome"]) for item in found} == {
            (name, "127.0.0.1", "done")
        }
        assert found[1]["request_id"] == reply.headers["x-request-id"]
        assert found[0]["token"] == boss.get("/tokens?mine=true").data["items"][0]["id"]

    def test_it_is_filtered_and_comes_in_pages(self, api):
        boss = api.as_(Role.ADMIN, "a2")

        def write(tx):
            for number in range(7):
                action = "TRIGGER" if number % 2 else "RETRY"
                entry = AuditEntry(
                    tenant="a2", action=action, object_type="instance", object=str(number), principal="bot"
                )
                write_audit(tx, entry)

        api.store.transact(write)
        seen, cursor = [], ""
        while True:
            page = boss.get(f"/audit?actor=bot&limit=3{cursor}").data
            seen += [item["object"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == ["6", "5", "4", "3", "2", "1", "0"]
        page = boss.get("/audit?actor=bot&sort=oldest&limit=3").data
        after = boss.get(f"/audit?actor=bot&sort=oldest&limit=3&cursor={page['next']}").data
        assert [item["object"] for item in page["items"] + after["items"]] == ["0", "1", "2", "3", "4", "5"]
        assert len(boss.get("/audit?object_type=instance&object=3&sort=oldest").data["items"]) == 1
        refusal(boss.get("/audit?sort=at"), 40002, "sort")
        assert len(boss.get("/audit?action=trigger").data["items"]) == 3
        assert len(boss.get("/audit?object_type=instance&object=3").data["items"]) == 1
        at = boss.get("/audit?actor=bot&limit=1").data["items"][0]["at"]
        assert len(boss.get(f"/audit?actor=bot&from={at}&to={at}").data["items"]) == 7
        assert boss.get("/audit?actor=bot&to=2026-01-01T00:00:00Z").data["items"] == []
        refusal(boss.get("/audit?object=3"), 40002, "object_type")
        refusal(boss.get("/audit?who=bot"), 40002, "who")
        assert api.as_(Role.ADMIN, "a3").get("/audit?actor=bot").data["items"] == []

    def test_a_file_for_spreadsheets_has_all_of_it_and_works_out_nothing(self, api):
        boss = api.as_(Role.ADMIN, "a4")

        def write(tx):
            for number in range(1203):
                write_audit(tx, AuditEntry(tenant="a4", action="RETRY", object_type="x", object=f"=cmd({number})"))

        api.store.transact(write)
        reply = boss.get("/audit.csv?object_type=x")
        assert reply.headers["content-disposition"] == 'attachment; filename="audit.csv"'
        rows = list(csv.DictReader(io.StringIO(reply.text)))
        assert [row["object"] for row in rows] == [f"'=cmd({number})" for number in range(1202, -1, -1)]

    def test_failed_logins_are_told(self, api):
        signed_in(api, "a-guess").send("PUT", "/me", {"password": "correct horse battery"})
        refusal(Person(api).sign_in_as("a-guess", "wrong horse battery"), 40102)
        [item] = api.get("/audit?action=LOGIN_FAILED&object_type=principal&object=a-guess").data["items"]
        assert (item["outcome"], item["address"]) == ("refused", "127.0.0.1")


def test_a_server_that_only_reads_lets_people_sign_in_and_out(sqlite_url):
    from tests.support.http import ApiServer

    with ApiServer(sqlite_url, {"read_only": True}) as api:
        person = signed_in(api, "screen")
        assert person.send("GET", "/me").data["read_only"] is True
        refusal(person.send("POST", "/tokens", {}), 40305)


def _id(api, name):
    [found] = [item["id"] for item in api.get("/principals?limit=500").data["items"] if item["name"] == name]
    return found


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch):
    monkeypatch.setattr("qflowd.engine.access.passwords.COST", 1 << 4)
