"""A person with a browser, as the server sees them: it keeps the cookie, and says where its requests come from."""

from __future__ import annotations

from typing import Any

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import make_login_code
from qflowd.engine.access.principals import add_principal
from qflowd.model.roles import Role
from tests.support.http import ApiServer, HttpClient, Reply


class Person:
    """With the session of a person who has signed in by a link. `api`: whatever has a `port`."""

    def __init__(self, api: Any, cookie: str = "") -> None:
        self.api, self.cookie, self.csrf = api, cookie, ""
        self.agent = {
            "Sec-Fetch-Site": "same-origin",
            "Origin": f"http://127.0.0.1:{api.port}",
            "Content-Type": "application/json",
        }

    def send(self, method: str, path: str, body: Any = None, **other: str | None) -> Reply:
        """`other`: headers that differ from those of a page of our own; None leaves one out."""
        headers: dict[str, str | None] = dict(self.agent)
        if self.cookie:
            headers["Cookie"] = self.cookie
        if self.csrf:
            headers["X-Qflowd-Csrf"] = self.csrf
        headers |= {name.replace("_", "-").title(): value for name, value in other.items()}
        sent = {name: value for name, value in headers.items() if value is not None}
        if method != "GET" and body is None and "Content-Type" in sent:
            body = b"{}"
        client = HttpClient(self.api.port)
        if "Content-Type" not in sent:
            return client.request(method, path, None, sent)
        return client.request(method, path, body, sent)

    def sign_in(self, code: str) -> Reply:
        reply = self.send("POST", "/login/code", {"code": code})
        self._remember(reply)
        return reply

    def sign_in_as(self, name: str, password: str, **other: str | None) -> Reply:
        reply = self.send("POST", "/login", {"name": name, "password": password}, **other)
        self._remember(reply)
        return reply

    def _remember(self, reply: Reply) -> None:
        if reply.status == 200:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
            self.csrf = reply.data["csrf"]


def code_for(api: ApiServer, name: str, role: Role = Role.OPERATE, tenant: str = "default") -> str:
    """A code for a person who is made here."""
    actor = Actor("tests", tenant)
    return api.store.transact(lambda tx: make_login_code(tx, actor, add_principal(tx, actor, name, "human", role)))


def signed_in(api: ApiServer, name: str, role: Role = Role.OPERATE, tenant: str = "default") -> Person:
    """A new person, who has signed in."""
    person = Person(api)
    assert person.sign_in(code_for(api, name, role, tenant)).status == 200
    return person
