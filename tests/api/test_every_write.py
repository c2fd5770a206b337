"""What holds for every route that writes: a browser's cookie alone changes nothing."""

from __future__ import annotations

import re

import pytest

from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from qflowd.model.roles import Role
from tests.api.person import Person, signed_in
from tests.support.http import ApiServer

ROUTES = [route for route in endpoints() if route.is_write]


def example(route: Endpoint) -> str:
    """A path of the route, of things that do not exist."""
    return re.sub(r"\{(\w+)\}", lambda match: "99" if route.path_types[match[1]] is int else "nothing", route.path)


@pytest.fixture(scope="module")
def person(api: ApiServer) -> Person:
    """Of somebody who may do everything."""
    return signed_in(api, "everything", Role.SYSTEM)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_cookie_alone_changes_anything(person: Person, route: Endpoint) -> None:
    forgeries = [{"sec_fetch_site": "cross-site"}, {"origin": "http://evil.example"}, {"content_type": "text/plain"}]
    if route.role > Role.NONE:  # there is a session whose token it could be
        forgeries.append({"x_qflowd_csrf": None})
    for forged in forgeries:
        reply = person.send(route.method, example(route), {}, **forged)
        assert (reply.status, reply.code) == (403, 40303), reply.message
