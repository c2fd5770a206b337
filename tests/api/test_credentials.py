"""Who is let in, over real HTTP: tokens, sessions, a proxy that is trusted; each way to be refused with its code."""

from __future__ import annotations

import re

import pytest

from qflowd.api.access import credentials
from qflowd.engine.access import sessions, tokens
from qflowd.engine.access.audit import Actor
from qflowd.model.roles import Role
from tests.api.person import Person, code_for, signed_in
from tests.support.daemon import until
from tests.support.http import ApiServer, HttpClient
from tests.support.sql import run_sql

BOSS = Actor("tests")


def bearer(api: ApiServer, text: str) -> HttpClient:
    return HttpClient(api.port, text)


def refusal(reply, code: int, *words: str) -> None:
    assert (reply.status, reply.code) == (code // 100, code), reply.message
    assert all(word in reply.message for word in words), reply.message


def token_id(text: str) -> str:
    return text.split("_")[1]


def test_40101_without_credentials_and_with_words_that_are_none(api):
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer "}, {"Cookie": "other=1"}):
        reply = HttpClient(api.port).request("GET", "/me", None, headers)
        refusal(reply, 40101, "qflowd token create")
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("text", ["x", "qf_aaaaaaaaaa_" + "0" * 43, "qf_' OR 1=1 --", "q" * 5000, "ü"])
def test_40102_for_a_token_that_is_none(api, text):
    reply = HttpClient(api.port).request(
        "GET", "/me", None, {"Authorization": f"Bearer {text}".encode().decode("latin-1")}
    )
    refusal(reply, 40102, "there is no such token")


def test_40102_for_one_that_has_expired_or_is_used_from_elsewhere(api):
    old = api.token_of(Role.READ)
    long_ago = "(SELECT MIN(applied_at) FROM qflow.migration)"  # longer than the API's clock may be wrong
    run_sql(api.store, f"UPDATE qflow.token SET expires_at = {long_ago} WHERE id = '{token_id(old)}'")
    refusal(bearer(api, old).get("/me"), 40102, "expired at")
    far = api.token_of(Role.READ, networks=("10.0.0.0/8",))
    refusal(bearer(api, far).get("/me"), 40102, "may not be used from 127.0.0.1")
    near = api.token_of(Role.READ, networks=("127.0.0.0/8",))
    assert bearer(api, near).get("/me").status == 200


def test_a_revocation_by_this_server_bites_at_once(api):
    text = api.token_of(Role.READ)
    assert bearer(api, text).get("/me").status == 200
    assert api.delete(f"/tokens/{token_id(text)}").data == {"id": token_id(text), "ended": True}
    refusal(bearer(api, text).get("/me"), 40102, "was revoked")


def test_a_revocation_elsewhere_bites_within_ten_seconds(api, monkeypatch):
    assert credentials.KNOWN_S == 10
    monkeypatch.setattr(credentials, "KNOWN_S", 0.3)
    text = api.token_of(Role.READ)
    assert bearer(api, text).get("/me").status == 200
    api.store.transact(lambda tx: tokens.revoke_token(tx, BOSS, token_id(text)))
    until(lambda: bearer(api, text).get("/me").status == 401, 5, what="the revocation to be noticed")
    refusal(bearer(api, text).get("/me"), 40102, "was revoked")


def test_what_was_found_is_remembered_and_asks_the_database_nothing(api, monkeypatch):
    text = api.token_of(Role.READ)
    assert bearer(api, text).get("/me").status == 200
    asked = []
    monkeypatch.setattr(credentials, "find_caller", lambda *_: asked.append(1))
    for _ in range(3):
        assert bearer(api, text).get("/me").status == 200
    assert asked == []


def test_40103_when_a_session_has_ended(api):
    person = signed_in(api, "ended")
    assert person.send("GET", "/me").status == 200
    number = person.send("GET", "/sessions").data["items"][0]["id"]
    other = Person(api, person.cookie)
    other.csrf = person.csrf
    assert other.send("DELETE", f"/sessions/{number}").data == {"id": number, "ended": True}
    refusal(person.send("GET", "/me"), 40103, "sign in again")
    refusal(Person(api, "qflowd=" + "0" * 43).send("GET", "/me"), 40103)


def test_40103_when_a_session_was_idle_for_too_long(api):
    person = signed_in(api, "idle")
    number = person.send("GET", "/sessions").data["items"][0]["id"]
    old = api.store.dialect.renderer.templates["clock_plus"].format(-13 * 3600)
    run_sql(api.store, f"UPDATE qflow.session SET seen_at = {old} WHERE id = {number}")
    api.api.credentials.forget()
    refusal(person.send("GET", "/me"), 40103, "too old")


def test_40301_for_a_role_that_does_not_reach(api):
    refusal(api.as_(Role.READ).get("/audit"), 40301, "needs role admin", "has read")
    refusal(signed_in(api, "reader", Role.READ).send("GET", "/principals"), 40301, "has read")
    refusal(api.as_(Role.ADMIN).get("/me?tenant=other"), 40301, "only a system principal")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_40304_for_a_host_that_is_not_served(api, host):
    refusal(api.with_(host=host).get("/me"), 40304, "`hosts` of [api]")
    page = HttpClient(api.port).request("GET", "/", None, {"Host": host})
    assert page.status == 403


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:80", "192.0.2.7", "localhost."])
def test_a_host_that_nobody_can_forge_is_served(api, host):
    assert api.with_(host=host).get("/me").status == 200


def test_a_token_wins_over_a_cookie_and_needs_no_csrf(api):
    person = signed_in(api, "both", Role.READ)
    text = api.token_of(Role.SUBMIT)
    headers = {"authorization": f"Bearer {text}", "x_qflowd_csrf": None, "origin": "http://evil.example"}
    assert person.send("GET", "/me", **headers).data["role"] == "submit"
    assert person.send("PUT", "/me", {"lang": "zh"}, **headers).status == 200
    refusal(person.send("GET", "/me", authorization="Bearer x"), 40102)


FORGERIES = [
    {"x_qflowd_csrf": None},
    {"x_qflowd_csrf": "0" * 64},
    {"x_qflowd_csrf": "ü".encode().decode("latin-1")},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "none"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://127.0.0.1.evil.example"},
    {"origin": "http://127.0.0.1:99999"},
    {"content_type": "text/plain"},
    {"content_type": "application/x-www-form-urlencoded"},
    {"content_type": None},
]


@pytest.mark.parametrize("headers", FORGERIES, ids=str)
def test_40303_for_a_write_that_is_not_of_our_page(api, headers):
    person = signed_in(api, f"forged-{abs(hash(str(headers)))}")
    refusal(person.send("PUT", "/me", {"lang": "zh"}, **headers), 40303, "programs send a token")
    assert person.send("GET", "/me").data["lang"] is None
    assert person.send("PUT", "/me", {"lang": "zh"}).data["lang"] == "zh"


def test_the_csrf_token_of_another_session_is_of_no_use(api):
    one, two = signed_in(api, "csrf-one"), signed_in(api, "csrf-two")
    refusal(one.send("PUT", "/me", {"lang": "zh"}, x_qflowd_csrf=two.csrf), 40303)


@pytest.mark.parametrize(
    "headers",
    [{"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}, {"content_type": "text/plain"}],
    ids=str,
)
def test_40303_for_signing_in_from_another_page(api, headers):
    code = code_for(api, f"elsewhere-{abs(hash(str(headers)))}")
    person = Person(api)
    refusal(person.send("POST", "/login/code", {"code": code}, **headers), 40303)
    assert person.sign_in(code).status == 200


def test_older_browsers_and_programs_without_origin_may_sign_in_and_write(api):
    person = Person(api)
    person.agent = {"Content-Type": "application/json"}
    assert person.sign_in(code_for(api, "older")).status == 200
    assert person.send("PUT", "/me", {"lang": "en"}).data["lang"] == "en"


def test_credentials_that_open_nothing_do_not_close_what_is_open_to_all(api):
    assert HttpClient(api.port, "nonsense").get("/version").status == 200
    person = Person(api, "qflowd=" + "0" * 43)
    assert person.send("GET", "/version").status == 200
    assert person.sign_in(code_for(api, "again")).status == 200


@pytest.mark.parametrize("path", ["/api/v1/version", "/api/v1/me", "/api/v1/nothing", "/", "/runs/42"])
def test_every_answer_tells_browsers_what_they_may_do(api, path):
    headers = HttpClient(api.port).get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_the_page_allows_its_own_scripts_alone_and_a_nonce_for_styles(api):
    one, two = (HttpClient(api.port).get("/").headers["content-security-policy"] for _ in range(2))
    assert one != two
    parts = dict(part.strip().split(" ", 1) for part in one.split(";"))
    assert (parts["default-src"], parts["script-src"], parts["connect-src"]) == ("'none'", "'self'", "'self'")
    assert re.fullmatch(r"'self' 'nonce-[\w-]{22}'", parts["style-src"])


def test_secrets_are_in_no_log_no_audit_and_no_row(own_api, caplog):
    caplog.set_level("DEBUG")
    password = "correct horse battery"
    text = own_api.token_of(Role.ADMIN)
    code = code_for(own_api, "canary", Role.ADMIN)
    person = Person(own_api)
    person.sign_in(code)
    assert person.send("PUT", "/me", {"password": password}).status == 200
    assert Person(own_api).sign_in_as("canary", password).status == 200
    assert Person(own_api).sign_in_as("canary", password + "x").status == 401
    made = person.send("POST", "/tokens", {}).data["token"]
    link = person.send("POST", f"/principals/{_id(person, 'canary')}/login-link").data["code"]
    bearer(own_api, text).get(f"/me?token={text}")
    bearer(own_api, text).get("/tokens/none")
    canaries = [
        text.split("_")[2],
        code,
        password,
        made.split("_")[2],
        link,
        person.cookie.partition("=")[2],
        person.csrf,
    ]
    # pytest listens to a logger that the server has switched off.
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "uvicorn.access")
    tables = ("principal", "token", "session", "login_code", "login_failure", "audit", "audit_entries", "commands")
    dump = "\n".join(str(run_sql(own_api.store, f"SELECT * FROM qflow.{table}")) for table in tables)
    assert "canary" in dump
    assert "canary" in logged
    for canary in canaries:
        assert canary
        assert canary not in dump
        assert canary not in logged


def _id(person: Person, name: str) -> int:
    [found] = [item["id"] for item in person.send("GET", "/principals").data["items"] if item["name"] == name]
    return int(found)


def test_a_use_is_noted(api):
    text = api.token_of(Role.READ)
    assert bearer(api, text).get("/me").status == 200
    [(used,)] = run_sql(api.store, f"SELECT last_used_at FROM qflow.token WHERE id = '{token_id(text)}'")
    assert used is not None


def test_a_session_in_use_is_noted(api):
    person = signed_in(api, "noted")
    number = person.send("GET", "/sessions").data["items"][0]["id"]
    old = api.store.dialect.renderer.templates["clock_plus"].format(-3600)
    run_sql(api.store, f"UPDATE qflow.session SET seen_at = {old} WHERE id = {number}")
    api.api.credentials.forget()
    assert person.send("GET", "/me").status == 200
    rows = api.store.read(lambda tx: sessions.list_sessions(tx, BOSS))
    [seen] = [row.seen_at for row in rows if row.id == number]
    assert (api.store.clock.now() - seen).total_seconds() < 600


PROXIED = {"trusted_proxies": ["127.0.0.0/8"], "trusted_header": "X-Forwarded-User", "hosts": ["q.example"]}


class TestBehindAProxy:
    """A proxy that signs people in names them in a header."""

    def test_a_name_of_a_principal_has_its_role(self, database_url):
        with ApiServer(database_url, PROXIED) as api:
            code_for(api, "ann", Role.OPERATE)
            me = HttpClient(api.port).get("/me", x_forwarded_user="ann").data
            assert (me["principal"], me["role"], me["csrf"]) == ("ann", "operate", "proxy")
            reply = HttpClient(api.port).get("/me", x_forwarded_user="bob")
            refusal(reply, 40301, "bob is not a principal")
            refusal(HttpClient(api.port).get("/me"), 40101)
            refusal(HttpClient(api.port).put("/me", {}, x_forwarded_user="ann"), 40303)
            headers = {"x_forwarded_user": "ann", "x_qflowd_csrf": "proxy", "origin": "https://q.example"}
            assert HttpClient(api.port).put("/me", {}, host="q.example", **headers).status == 200

    def test_whoever_it_names_is_nobody_else_by_a_cookie(self, database_url):
        with ApiServer(database_url, PROXIED) as api:
            person = signed_in(api, "ann", Role.ADMIN)
            assert person.send("GET", "/me").data["principal"] == "ann", "of whom the proxy says nothing"
            code_for(api, "bob", Role.READ)
            me = person.send("GET", "/me", x_forwarded_user="bob").data
            assert (me["principal"], me["role"]) == ("bob", "read")
            stale = Person(api, "qflowd=" + "0" * 43).send("GET", "/me", x_forwarded_user="ann")
            assert (stale.status, stale.data["principal"]) == (200, "ann")
            refusal(person.send("GET", "/me", x_forwarded_user="eve"), 40301, "eve is not a principal")

    def test_a_mail_address_is_a_name(self, database_url):
        with ApiServer(database_url, PROXIED | {"trusted_role": "read"}) as api:
            for name in ("ann+qflowd@example.com", "o'brien@example.com"):
                made = api.post("/principals", {"name": name, "role": "operate"})
                assert (made.status, made.data["name"]) == (201, name)
                me = HttpClient(api.port).get("/me", x_forwarded_user=name).data
                assert (me["principal"], me["role"]) == (name, "operate")
                assert api.get(made.headers["location"]).data["name"] == name
            headers = {"x_forwarded_user": "ann+qflowd@example.com", "x_qflowd_csrf": "proxy"}
            headers |= {"origin": "https://q.example", "host": "q.example"}
            asked = HttpClient(api.port).post("/submissions?wait=0", {"job": "hello"}, **headers)
            assert asked.status == 202
            audited = api.get("/audit?actor=ann%2Bqflowd@example.com&action=TRIGGER").data["items"]
            assert [entry["submission_id"] for entry in audited] == [asked.data["submission_id"]]
            other = HttpClient(api.port).get("/me", x_forwarded_user="ann@example.com").data
            assert (other["principal"], other["role"]) == ("ann@example.com", "read")

    def test_a_name_is_read_as_utf_8_or_not_at_all(self, database_url):
        with ApiServer(database_url, PROXIED) as api:
            for name in ("jürgen", "王小明", "ann"):
                assert api.post("/principals", {"name": name, "role": "operate"}).status == 201
                sent = name.encode().decode("latin-1")  # so that the bytes of UTF-8 are sent
                me = HttpClient(api.port).get("/me", x_forwarded_user=sent).data
                assert (me["principal"], me["role"]) == (name, "operate")
            refusal(HttpClient(api.port).get("/me", x_forwarded_user="jürgen"), 40301, "is not UTF-8")
            assert api.get("/me", x_forwarded_user="jürgen").data["role"] == "system", "a token wins"
            assert HttpClient(api.port).get("/healthz", x_forwarded_user="jürgen").status == 200

    @pytest.mark.parametrize(
        "name",
        ["@example.com", "ann@", "ann@a@b", "+ann@example.com", "'ann@b", "ann b@c", "ann\n@c", "a@b+c", "a;b@c"],
    )
    def test_what_is_neither_a_name_nor_an_address_is_refused(self, api: ApiServer, name: str):
        reply = api.post("/principals", {"name": name, "role": "read"})
        assert (reply.status, reply.code) == (422, 42202)

    def test_others_get_the_role_of_the_configuration(self, sqlite_url):
        with ApiServer(sqlite_url, PROXIED | {"trusted_role": "read"}) as api:
            me = HttpClient(api.port).get("/me", x_forwarded_user="bob").data
            assert (me["principal"], me["role"]) == ("bob", "read")
            assert HttpClient(api.port).get("/tokens", x_forwarded_user="bob").data["items"] == []
            reply = HttpClient(api.port).post("/tokens", {}, x_forwarded_user="bob", x_qflowd_csrf="proxy")
            refusal(reply, 40901, "known by the proxy alone")

    def test_the_header_of_anybody_else_says_nothing(self, sqlite_url):
        settings = PROXIED | {"trusted_proxies": ["10.0.0.0/8"]}
        with ApiServer(sqlite_url, settings) as api:
            code_for(api, "ann", Role.OPERATE)
            refusal(HttpClient(api.port).get("/me", x_forwarded_user="ann"), 40101)

    def test_over_tls_the_cookie_is_bound_to_the_host(self, sqlite_url):
        with ApiServer(sqlite_url, {"trusted_proxies": ["127.0.0.0/8"]}) as api:
            person = Person(api)
            person.agent |= {"X-Forwarded-Proto": "https", "Origin": f"https://127.0.0.1:{api.port}"}
            cookie = person.sign_in(code_for(api, "ann")).headers["set-cookie"]
            assert cookie.startswith("__Host-qflowd=")
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
            assert "Domain" not in cookie
            assert person.send("GET", "/me").status == 200
            refusal(person.send("PUT", "/me", {}, origin=f"http://127.0.0.1:{api.port}"), 40303)
            plain = Person(api, person.cookie.replace("__Host-", ""))
            plain.agent |= {"X-Forwarded-Proto": "https"}
            refusal(plain.send("GET", "/me"), 40101)
