"""What waits for a person, over HTTP and in the live stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars.horizons import Horizons
from qflowd.model.roles import Role
from tests.api.test_stream import streaming
from tests.support.daemon import until
from tests.support.hosts import daemon, plugin
from tests.support.http import ApiServer, HttpClient
from tests.support.lab import FAILED, Lab


@pytest.fixture
def lab(own_api: ApiServer) -> Iterator[Lab]:
    lab = Lab(own_api.url)
    yield lab
    lab.close()


def test_failures_files_and_the_lack_of_a_daemon_wait_while_they_are_so(own_api: ApiServer, lab: Lab) -> None:
    (none,) = _waiting(own_api)
    assert (none["kind"], none["at"], none["link"]) == ("no_daemon", None, "/daemons")
    lab.workflow("bad", {"x": []})
    numbers = [lab.start("bad") for _ in range(2)]
    lab.run({"x": FAILED})
    number = daemon(lab, "alpha")
    plugin(lab, number, "broken.py", "[]", "SyntaxError")
    system = own_api.as_(Role.SYSTEM)
    until(lambda: len(_waiting(system)) == 2, 20, what="an overview of a second ago to be over")
    failure, file = _waiting(system)
    assert (failure["kind"], failure["subject"], failure["count"]) == ("failure", "bad › x", 2)
    assert failure["link"] == f"/instances/{numbers[-1]}?task={numbers[-1] << 20}"
    assert (file["kind"], file["subject"], file["detail"]) == ("file", "broken.py", "SyntaxError")
    assert _waiting(own_api.as_(Role.ADMIN, tenant="desk")) == []


def _waiting(client: HttpClient) -> list[Any]:
    """Those of the tokens of tests are left out: they end soon."""
    return [each for each in client.get("/notifications").data if each["kind"] != "token"]


def test_a_token_that_ends_soon_is_told_to_its_owner_and_to_administrators(own_api: ApiServer, lab: Lab) -> None:
    daemon(lab, "alpha")
    reader, other = own_api.as_(Role.READ), own_api.as_(Role.READ)
    made = reader.post("/tokens", {"days": 3, "note": "nightly"})
    assert made.status == 201, made.message
    reader.post("/tokens", {"days": 30})
    (token,) = [each for each in reader.get("/notifications").data if each["detail"] == "nightly"]
    assert (token["kind"], token["at"]) == ("token", made.data["expires_at"])
    assert token in own_api.as_(Role.ADMIN).get("/notifications").data
    assert token not in other.get("/notifications").data
    bound = own_api.as_(Role.ADMIN, jobs=("hello",))
    assert token not in bound.get("/notifications").data, "nor does it list the tokens of others"
    for client, sees in ((own_api.as_(Role.ADMIN), True), (bound, False)):
        with streaming(client, "notifications") as stream:
            assert (token in stream.next("snapshot")["items"]) is sees


def test_a_horizon_is_told_until_its_calendar_is_known_for_longer(own_api: ApiServer, lab: Lab) -> None:
    daemon(lab, "alpha")
    imported = {"csv": "2026-11-20\n2026-11-23\n", "timezone": "Asia/Shanghai", "last": "2026-12-15"}
    for name in ("desk", "gone"):
        assert own_api.post(f"/calendars/{name}/import", imported).status == 200
    book = Client(DatabaseTransport(lab.store)).calendars()
    names = ("XHKG & desk", "desk", "gone")
    Horizons(lab.store).write({("default", name): book.calendar(name) for name in names})
    told = _waiting(own_api)
    assert [(one["kind"], one["subject"], one["detail"], one["link"]) for one in told] == [
        ("horizon", "XHKG & desk", "2026-12-15", "/calendars?name=XHKG%20%26%20desk"),
        ("horizon", "desk", "2026-12-15", "/calendars?name=desk"),
        ("horizon", "gone", "2026-12-15", "/calendars?name=gone"),
    ]
    assert _waiting(own_api.as_(Role.ADMIN, tenant="north")) == []
    assert own_api.post("/calendars/desk/import", imported | {"last": "2027-12-15"}).status == 200
    assert own_api.delete("/calendars/gone").status == 200
    assert [one["subject"] for one in _waiting(own_api)] == []


def test_they_are_told_when_they_change(own_api: ApiServer, lab: Lab) -> None:
    with streaming(own_api, "notifications") as stream:
        assert "no_daemon" in [each["kind"] for each in stream.next("snapshot")["items"]]
        daemon(lab, "alpha")
        assert "no_daemon" not in [each["kind"] for each in stream.next("delta")["items"]]
