"""The first page over HTTP: what fails, runs and comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from qflowd.api.today import overview
from qflowd.model.roles import Role
from qflowd.store.clock import to_microseconds
from tests.support.hosts import daemon, plugin
from tests.support.http import ApiServer
from tests.support.lab import FAILED, Lab

DAY = "2026-11-20T00:00:00Z"


@pytest.fixture
def lab(own_api: ApiServer) -> Iterator[Lab]:
    lab = Lab(own_api.url)
    yield lab
    lab.close()


def test_an_empty_store_has_an_empty_overview(own_api: ApiServer, lab: Lab) -> None:
    found = own_api.get("/overview").data
    assert (found["states"], found["failing"], found["running"], found["fires"]) == ({}, [], [], [])
    assert (found["daemons"], found["oldest_ready_s"], found["faulty_files"]) == ([], None, [])


def test_the_overview_says_what_fails_runs_and_comes_next(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("bad", {"x": [], "y": []}, schedule={"cron": "30 16 * * *", "timezone": "Asia/Shanghai"})
    lab.workflow("good", {"x": []})
    numbers = [lab.start("bad", business_date=f"2026-11-{day}") for day in (18, 19, 20)]
    lab.run({"x": FAILED})
    lab.start("good")
    lab.run()
    running = lab.start("good")
    daemon(lab, "alpha")
    lab.clock.advance(5)
    found = own_api.get(f"/overview?since={DAY}").data
    assert found["states"] == {"FAILED": 3, "SUCCESS": 1, "RUNNING": 1}
    (group,) = found["failing"]
    assert (group["workflow"], group["task"], group["count"], group["instance_id"]) == ("bad", "x", 3, numbers[-1])
    assert (group["task_id"], group["business_date"]) == (str(numbers[-1] << 20), "2026-11-20")
    assert (found["failures"], found["more_failures"]) == (3, False)
    assert [(run["id"], run["workflow"], run["state"]) for run in found["running"]] == [(running, "good", "RUNNING")]
    assert [(fire["workflow"], fire["schedule"]) for fire in found["fires"]] == [("bad", "cron")]
    assert [(each["name"], each["host"], each["slots"], each["busy"]) for each in found["daemons"]] == [
        ("alpha", "secret-host", 6, 0)
    ]
    assert found["oldest_ready_s"] is not None


def test_the_overview_counts_failures_up_to_a_number_and_says_that_there_are_more(
    own_api: ApiServer, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "FAILURES", 2)
    lab.workflow("bad", {"x": []})
    for _ in range(3):
        lab.start("bad")
    lab.run({"x": FAILED})
    found = own_api.get("/overview").data
    assert (found["failures"], found["more_failures"], [each["count"] for each in found["failing"]]) == (2, True, [2])


def test_states_are_counted_from_an_instant_on_and_open_ones_always(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"x": []})
    first, *others = [lab.start("w") for _ in range(20)]
    lab.run(rounds=1)
    still_open = lab.start("w")
    created = {
        number: lab.clock.now() - timedelta(minutes=still_open - number) for number in (first, *others, still_open)
    }
    for number, at in created.items():
        text = at.replace(tzinfo=None).isoformat(sep=" ")
        value = {"sqlite": str(to_microseconds(at)), "postgres": f"'{text}+00'"}.get(
            lab.store.dialect.name, f"'{text}'"
        )
        lab.sql(f"UPDATE qflow.workflow_instance SET created_at = {value} WHERE id = {number}")
    for back, ended in ((0, 0), (5, 5), (100, 20)):
        since = (lab.clock.now() - timedelta(minutes=back)).strftime("%Y-%m-%dT%H:%M:%SZ")
        states = own_api.get(f"/overview?since={since}").data["states"]
        assert states == {"RUNNING": 1} | ({"SUCCESS": ended} if ended else {})
    later = (lab.clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert own_api.get(f"/overview?since={later}").data["states"] == {"RUNNING": 1}


def test_an_overview_is_of_one_tenant_and_shows_no_hosts(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"x": []})
    lab.start("w")
    number = daemon(lab, "secret-host")
    plugin(lab, number, "broken.py", "[]", "SyntaxError")
    other = own_api.as_(Role.ADMIN, tenant="desk").get("/overview").data
    assert (other["states"], other["running"], other["oldest_ready_s"], other["faulty_files"]) == ({}, [], None, [])
    assert [(each["name"], each["host"], each["pid"]) for each in other["daemons"]] == [
        (f"daemon-{number}", None, None)
    ]
    assert own_api.get("/overview").data["faulty_files"] == [{"file": "broken.py", "error": "SyntaxError"}]
