"""What there is to run work, limits, and how runs have gone, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.model.roles import Role
from tests.support.hosts import daemon, plugin, registered
from tests.support.http import ApiServer
from tests.support.lab import FAILED, Lab


@pytest.fixture
def lab(own_api: ApiServer) -> Iterator[Lab]:
    lab = Lab(own_api.url)
    yield lab
    lab.close()


def test_what_a_file_says_is_told_to_the_system_alone(own_api: ApiServer, lab: Lab) -> None:
    number = daemon(lab, "alpha")
    registered(lab, "bars")
    plugin(lab, number, "market.py", '["bars"]')
    said = "/secret/market.py, line 3: no"
    lab.sql(f"UPDATE qflow.plugin SET error = '{said}'")
    assert [row["error"] for row in own_api.get("/plugins").data] == [said]
    for path in ("/plugins", "/plugins/bars", "/jobs", "/jobs/bars", "/rows/list_plugins", "/rows/list_jobs"):
        assert "secret" not in own_api.as_(Role.ADMIN).get(path).text
    assert "a system caller sees why" in own_api.as_(Role.READ).get("/plugins").text


def test_the_quota_of_a_tenant_bounds_which_jobs_it_sees(own_api: ApiServer, lab: Lab) -> None:
    number = daemon(lab, "alpha")
    registered(lab, "bars", "orders")
    plugin(lab, number, "market.py", '["bars", "orders"]')
    own_api.post("/tenants", {"name": "desk"})
    etag = own_api.get("/tenants/desk/quotas").headers["etag"]
    assert own_api.put("/tenants/desk/quotas", {"quotas": {"allowed_jobs": ["bar*"]}}, if_match=etag).status == 200
    desk = own_api.as_(Role.OPERATE, "desk")
    assert [job["job"] for job in desk.get("/jobs").data] == ["bars"]
    assert [row["jobs"] for row in desk.get("/plugins").data] == [["bars"]]
    assert [desk.get(f"/search?q={name}").data["jobs"] for name in ("orders",)] == [[]]
    assert len(desk.get("/search?q=bar").data["jobs"]) == 1
    assert "orders" not in desk.get("/rows/list_jobs").text + desk.get("/rows/list_plugins").text
    assert desk.get("/jobs/orders").code == 40401
    assert desk.post("/plugins/orders?wait=0").code == 40302
    assert desk.post("/plugins/bars?wait=0").status == 202


def test_jobs_and_plugins_are_those_that_the_caller_may_run(own_api: ApiServer, lab: Lab) -> None:
    number = daemon(lab, "alpha")
    registered(lab, "bars", "orders")
    plugin(lab, number, "market.py", '["bars"]')
    plugin(lab, number, "trade/orders.py", '["orders"]')
    mine = own_api.as_(Role.READ, jobs=("bar*",))
    assert [(job["job"], job["file"], job["state"]) for job in mine.get("/jobs").data] == [("bars", None, "WITHDRAWN")]
    assert [job["file"] for job in own_api.get("/jobs").data] == ["/secret/bars.py", "/secret/orders.py"]
    assert mine.get("/jobs/bars").data["params_schema"] == {"type": "object"}
    assert mine.get("/jobs/orders").status == 404
    assert [(row["file"], row["jobs"]) for row in mine.get("/plugins").data] == [(None, ["bars"])]
    assert mine.get("/plugins/bars").data[0]["file"] is None
    assert mine.get("/plugins/market").status == 404
    assert own_api.get("/plugins/orders").data[0]["daemon"] == "alpha"
    assert own_api.get("/plugins/trade%2Forders.py").data[0]["jobs"] == ["orders"]
    assert own_api.get("/plugins/nothing").status == 404
    bound = own_api.as_(Role.SYSTEM, jobs=("bar*",))
    assert [(job["job"], job["file"]) for job in bound.get("/jobs").data] == [("bars", "/secret/bars.py")]
    assert [(row["file"], row["jobs"]) for row in bound.get("/plugins").data] == [
        ("market.py", ["bars"]),
        ("trade/orders.py", []),
    ]
    only_workflows = own_api.as_(Role.READ, workflows=("*",))
    assert (only_workflows.get("/jobs").data, only_workflows.get("/plugins").data) == ([], [])
    (row,) = own_api.get("/daemons").data
    assert (row["slots"], row["busy"], row["faulty_files"]) == (6, 0, 0)
    (pool,) = own_api.get("/pools").data
    assert (pool["pool"], pool["daemon"], pool["processes"], pool["threads"]) == ("default", "alpha", 2, 3)


def test_limits_have_their_rates_and_breakers_as_values(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"x": []}, {"x": {"limits": {"vendor": 1}}})
    lab.start("w")
    args = '{"limit": "vendor", "slots": 3, "rate": "100/min", "breaker": "5/min"}'
    assert lab.command("set_limit", args=args)[0] == "DONE"
    (row,) = own_api.get("/limits").data
    assert (row["name"], row["slots"], row["used"], row["waiting"]) == ("vendor", 3, 0, 1)
    assert row["rates"] == ["100/min"]
    assert row["breaker_state"] == "CLOSED"
    assert isinstance(row["breaker"], dict)


def test_statistics_of_all_are_by_workflow_day_and_task(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"a": [], "b": ["a"]})
    lab.workflow("other", {"a": []})
    for workflow in ("w", "w", "other"):
        lab.start(workflow)
        for outcome in (5, FAILED) if workflow == "w" else (5,):
            rows = lab.claim()
            lab.clock.advance(10)
            lab.finish(*(lab.final(row, outcome) for row in rows))
    lab.start(job="work")
    lab.run()
    found = own_api.get("/stats?by=workflow").data
    assert (found["runs"], found["failed"], found["measured"]) == (4, 2, None)
    shown = [(each["workflow"], each["job"], each["runs"], each["failed"]) for each in found["items"]]
    assert shown == [("w", None, 2, 2), ("other", None, 1, 0), (None, "work", 1, 0)]
    assert found["items"][1]["p50_s"] == pytest.approx(10, abs=1)
    by_task = own_api.get("/stats?by=task").data
    assert by_task["measured"] == 3
    tasks = {(each["workflow"], each["task"]): (each["runs"], each["failed"]) for each in by_task["items"]}
    assert tasks == {("w", "a"): (2, 0), ("w", "b"): (2, 2), ("other", "a"): (1, 0)}
    by_day = own_api.get("/stats?by=day&zone=Asia/Shanghai&days=1").data
    assert [(each["runs"], each["failed"]) for each in by_day["items"]] == [(4, 2)]
    assert own_api.as_(Role.READ, tenant="desk").get("/stats").data["items"] == []
    for wrong in ("by=colour", "zone=Mars", "days=0"):
        assert own_api.get(f"/stats?{wrong}").code == 40002


def test_statistics_are_by_day_and_by_task(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"a": [], "m": ["a"]}, {"m": {"map": [1, 2]}})
    for n in range(4):
        lab.start("w")
        for seconds in (10, 20):
            rows = lab.claim()
            lab.clock.advance(seconds)
            lab.finish(*(lab.final(row, FAILED if n == 3 and seconds == 20 else 5) for row in rows))
        lab.run()
    found = own_api.get("/workflows/w/stats").data
    assert (found["runs"], found["failed"], found["measured"]) == (4, 1, 4)
    assert sum(day["runs"] for day in found["days"]) == 4
    assert sum(day["failed"] for day in found["days"]) == 1
    assert [(node["key"], node["runs"], node["failed"], node["retries"]) for node in found["nodes"]] == [
        ("a", 4, 0, 0),
        ("m", 4, 2 + 1, 0),
    ]
    assert found["p50_s"] == pytest.approx(30, abs=1)
    assert own_api.get("/workflows/w/stats?zone=Mars").code == 40002
    assert own_api.get("/workflows/w/stats?days=0").code == 40002
    lab.workflow("new", {"a": []})
    empty = own_api.get("/workflows/new/stats?zone=Asia/Shanghai").data
    assert (empty["runs"], empty["p50_s"], empty["days"], empty["nodes"]) == (0, None, [], [])


def test_the_daemon_that_ran_a_task_is_named_to_the_system_alone(own_api: ApiServer, lab: Lab) -> None:
    lab.workflow("w", {"x": []})
    lab.start("w")
    [row] = lab.claim()
    lab.finish(batch=Batch(final=[lab.final(row, FAILED)], attempts=[lab.failed_attempt(row, "no")]))
    number = daemon(lab, "secret-host")
    lab.sql(f"UPDATE qflow.attempt SET daemon_id = {number}")
    paths = [
        f"/tasks/{row.id}",
        f"/tasks/{row.id}/attempts",
        "/tasks?state=FAILED",
        "/rows/show_attempts?instance_id=1&after=0&after_fence=0&batch=9",
    ]
    for path in paths:
        reply = own_api.as_(Role.ADMIN).get(path)
        assert (reply.status, "secret-host" in reply.text) == (200, False)
    assert [item["daemon"] for item in own_api.get(paths[1]).data["items"]] == ["secret-host"]
