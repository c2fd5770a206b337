"""Workflows over HTTP: the list with last runs, one workflow, its versions, tasks, edges, schedules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from qflowd.define.documents import read
from qflowd.store.clock import to_microseconds
from tests.support.http import ApiServer
from tests.support.lab import FAILED, Lab

DIAMOND = {"a": [], "b": ["a"], "c": {"a": "{{ a.output.ok }}"}, "d": ["b", "c"]}
NIGHTLY = {"cron": "30 16 * * 1-5", "timezone": "Asia/Shanghai"}


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    lab = Lab(api.url)
    yield lab
    lab.close()


def listed(api: ApiServer, query: str) -> list[str]:
    return [item["workflow"] for item in api.get(f"/workflows?{query}").data["items"]]


def test_the_list_shows_last_runs_open_ones_and_the_next_fire(api: ApiServer, lab: Lab) -> None:
    lab.workflow("list_a", {"x": []}, title="Runs", tags=["quant"], domain="cn", schedule=NIGHTLY)
    lab.workflow("list_b", {"x": []})
    numbers = [lab.start("list_a") for _ in range(16)]
    lab.run({"x": FAILED})
    still_open = lab.start("list_a")
    a, b = api.get("/workflows?q=list_").data["items"]
    assert (a["workflow"], a["title"], a["tags"], a["domain"], a["version"]) == ("list_a", "Runs", ["quant"], "cn", 1)
    assert [run["id"] for run in a["runs"]] == [still_open, *numbers[:2:-1]]
    assert [run["state"] for run in a["runs"]] == ["RUNNING", *["FAILED"] * 13]
    assert a["open"] == 1
    assert a["next_fire_at"].endswith("T08:30:00Z")
    assert (b["runs"], b["open"], b["next_fire_at"], b["enabled"]) == ([], 0, None, True)
    lab.run()


def test_the_list_is_filtered_and_goes_on_page_by_page(api: ApiServer, lab: Lab) -> None:
    for n in range(5):
        lab.workflow(f"page_{n}", {"x": []}, domain=f"d{n % 2}", tags=["t_t", f"n{n}"], enabled=n != 4)
    assert listed(api, "q=PAGE_&tag=N2") == ["page_2"]
    assert listed(api, "q=page_&domain=d1") == ["page_1", "page_3"]
    assert listed(api, "q=page_&tag=n2") == ["page_2"]
    assert listed(api, "q=page_&tag=n") == []
    assert listed(api, "q=page_&tag=t%25t") == []
    assert listed(api, "q=page_&enabled=false") == ["page_4"]
    assert listed(api, "q=page%25") == []
    first = api.get("/workflows?q=page_&limit=2").data
    second = api.get(f"/workflows?q=page_&limit=2&cursor={first['next']}").data
    third = api.get(f"/workflows?q=page_&limit=2&cursor={second['next']}").data
    found = [item["workflow"] for page in (first, second, third) for item in page["items"]]
    assert found == [f"page_{n}" for n in range(5)]
    assert third["next"] is None
    reply = api.get(f"/workflows?q=pag&limit=2&cursor={first['next']}")
    assert (reply.status, reply.code) == (400, 40003)


def test_archived_workflows_are_apart(api: ApiServer, lab: Lab) -> None:
    lab.workflow("gone", {"x": []})
    lab.command("archive", workflow="gone")
    assert listed(api, "q=gone") == []
    assert listed(api, "q=gone&archived=true") == ["gone"]
    assert api.get("/workflows/gone").data["archived_at"] is not None


def test_one_workflow_has_its_schedules_and_last_runs(api: ApiServer, lab: Lab) -> None:
    number = lab.workflow("one", {"x": []}, description="What it is for.", schedule=NIGHTLY)
    run = lab.start("one", business_date="2026-11-20")
    found = api.get("/workflows/one").data
    assert (found["id"], found["description"], found["version"], found["open"]) == (number, "What it is for.", 1, 1)
    assert [(each["id"], each["business_date"]) for each in found["runs"]] == [(run, "2026-11-20")]
    assert [(each["name"], each["cron"]) for each in found["schedules"]] == [("cron", "30 16 * * 1-5")]
    assert api.get(f"/workflows/{number}").data["workflow"] == "one"
    assert api.get("/workflows/on").status == 404
    lab.run()


def test_a_version_is_given_in_every_format_and_as_it_was_written(api: ApiServer, lab: Lab) -> None:
    lab.workflow("formats", DIAMOND, {"d": {"retries": 2, "params": {"code": "000300"}}})
    (row,) = api.get("/workflows/formats/versions").data
    assert (row["version"], row["state"], row["share"]) == (1, "ACTIVE", 1.0)
    reply = api.get("/workflows/formats/versions/1")
    assert (reply.data["format"], reply.data["as_written"]) == ("json", True)
    assert reply.headers["etag"] == f'"{row["hash"]}"'
    document = reply.data["document"]
    assert document["tasks"]["d"]["after"] == {"b": True, "c": True}
    for format in ("yaml", "toml", "json"):
        found = api.get(f"/workflows/formats/versions/active?format={format}").data
        assert found["format"] == format
        assert read(found["text"], format, "x").data["tasks"]["d"]["params"] == {"code": "000300"}
    assert api.get("/workflows/formats/versions/1?format=xml").code == 40002


def test_two_versions_are_compared_task_by_task_and_line_by_line(api: ApiServer, lab: Lab) -> None:
    lab.workflow("compared", {"a": [], "b": ["a"]})
    lab.workflow("compared", {"a": [], "c": ["a"]}, {"a": {"retries": 3}})
    found = api.get("/workflows/compared/versions/1/diff?to=2").data
    assert (found["before"], found["after"]) == (1, 2)
    assert [(each["change"], each["task"], each["key"]) for each in found["changes"]] == [
        ("added", "a", "retries"),
        ("renamed", "c", ""),
    ]
    assert "+    retries: 3" in found["text"]
    same = api.get("/workflows/compared/versions/2/diff").data  # with the active one
    assert (same["after"], same["changes"], same["text"]) == (2, [], "")


def test_tasks_and_edges_of_a_version(api: ApiServer, lab: Lab) -> None:
    lab.workflow("nodes", DIAMOND | {"e": ["d"]}, {"b": {"title": "B", "map": [1]}})
    path = "/workflows/nodes/versions/active"
    nodes = api.get(f"{path}/nodes").data
    assert [(node["node"], node["key"], node["depth"], node["kind"]) for node in nodes] == [
        (0, "a", 0, "task"),
        (1, "b", 1, "head"),
        (2, "c", 1, "task"),
        (3, "d", 2, "task"),
        (4, "e", 3, "task"),
    ]
    assert nodes[1]["document"] == {"title": "B", "job": "work", "after": {"a": True}, "map": [1]}
    assert (nodes[3]["up"], nodes[3]["down"]) == (["b", "c"], ["e"])
    assert api.get(f"{path}/nodes/d").data == nodes[3] == api.get(f"{path}/nodes/3").data
    for around, keys in {
        "up": "bc",
        "down": "e",
        "up?deep=1": "abc",
        "up?deep=true": "abc",
        "down?deep=0": "e",
    }.items():
        assert [node["key"] for node in api.get(f"{path}/nodes/d/{around}").data] == list(keys)
    assert [node["key"] for node in api.get(f"{path}/nodes/a/down?deep=1").data] == list("bcde")
    edges = api.get(f"{path}/edges").data
    assert [(edge["id"], edge["condition"]) for edge in edges] == [
        ("a:b", None),
        ("a:c", "{{ a.output.ok }}"),
        ("b:d", None),
        ("c:d", None),
        ("d:e", None),
    ]
    assert api.get(f"{path}/nodes/nothing").status == 404


def test_schedules_of_all_workflows_with_what_fires_next(api: ApiServer, lab: Lab) -> None:
    lab.workflow("fires", {"x": []}, schedule=NIGHTLY)
    found = api.get("/schedules?from=2026-11-20T09:30:00Z&to=2026-11-24T09:30:00Z").data
    mine = [fire for fire in found["fires"] if fire["workflow"] == "fires"]
    assert [row["name"] for row in found["schedules"] if row["workflow"] == "fires"] == ["cron"]
    assert {fire["state"] for fire in mine} <= {"NEXT", "DUE"}
    (row,) = api.get("/workflows/fires/schedules").data
    fires = api.get(f"/workflows/fires/schedules/{row['name']}/fires?next=3").data
    assert fires["past"] == []
    assert fires["next"][0]["at"] == row["next_fire_at"]
    assert len(fires["next"]) == 3
    assert all(each["at"] == f"{each['business_date']}T08:30:00Z" for each in fires["next"])
    assert api.get("/workflows/fires/schedules/other/fires").status == 404
    assert api.get("/schedules?from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z").code == 40002


def test_a_fire_that_was_is_told_with_what_came_of_it(api: ApiServer, lab: Lab) -> None:
    definition = lab.workflow("fired", {"x": []}, schedule=NIGHTLY)
    number = lab.start("fired")
    lab.run()
    at = literal(lab, datetime(2026, 11, 19, 8, 29, 59, tzinfo=UTC))
    lab.sql(
        "INSERT INTO qflow.schedule_fire (definition_id, name, fire_at, instance_id, created_at) "
        f"VALUES ({definition}, 'cron', {at}, {number}, {at})"
    )
    (past,) = api.get("/workflows/fired/schedules/cron/fires").data["past"]
    assert (past["at"], past["state"], past["instance_id"]) == ("2026-11-19T08:29:59Z", "SUCCESS", number)
    span = api.get("/schedules?from=2026-11-19T00:00:00Z&to=2026-11-19T12:00:00Z").data["fires"]
    assert [(fire["workflow"], fire["at"]) for fire in span if fire["instance_id"]] == [("fired", past["at"])]


def test_what_should_have_fired_and_did_not_is_told_as_due(api: ApiServer, lab: Lab) -> None:
    definition = lab.workflow("due", {"x": []}, schedule=NIGHTLY)
    at = literal(lab, datetime(2020, 3, 2, 8, 30, tzinfo=UTC))
    lab.sql(f"UPDATE qflow.schedule SET next_fire_at = {at} WHERE definition_id = {definition}")
    found = api.get("/schedules?from=2020-03-01T00:00:00Z&to=2020-03-04T00:00:00Z").data["fires"]
    mine = [(fire["at"], fire["state"]) for fire in found if fire["workflow"] == "due"]
    assert mine == [("2020-03-02T08:30:00Z", "DUE"), ("2020-03-03T08:30:00Z", "DUE")]


def literal(lab: Lab, at: datetime) -> Any:
    """An instant as the SQL of this database writes it."""
    if lab.store.dialect.name == "sqlite":
        return to_microseconds(at)
    return f"'{at:%Y-%m-%d %H:%M:%S}{'+00' if lab.store.dialect.name == 'postgres' else ''}'"


def test_what_is_searched_is_found_by_how_it_begins(api: ApiServer, lab: Lab) -> None:
    lab.workflow("zebra_eod", {"zebra_task": []}, title="Streifen")
    number = lab.start("zebra_eod", name="zebra run")
    found = api.get("/search?q=ZEBRA").data
    assert [each["workflow"] for each in found["workflows"]] == ["zebra_eod"]
    assert [(each["workflow"], each["task"]) for each in found["tasks"]] == [("zebra_eod", "zebra_task")]
    assert [(each["id"], each["workflow"]) for each in found["instances"]] == [(number, "zebra_eod")]
    assert [each["workflow"] for each in api.get("/search?q=streif").data["workflows"]] == ["zebra_eod"]
    assert [each["id"] for each in api.get(f"/search?q=%23{number}").data["instances"]] == [number]
    assert api.get("/search?q=%25").data == {"workflows": [], "tasks": [], "instances": [], "jobs": [], "datasets": []}
    assert api.get("/search").code == 40002
    lab.run()


def test_letters_that_no_database_folds_are_found_as_they_are_written(api: ApiServer, lab: Lab) -> None:
    lab.workflow("kurse", {"a": []}, title="Über alles", tags=["Ärger"])
    number = lab.start("kurse", name="Übersicht")
    found = api.get("/search?q=%C3%9Cber").data
    assert [each["workflow"] for each in found["workflows"]] == ["kurse"]
    assert [each["id"] for each in found["instances"]] == [number]
    assert [each["workflow"] for each in api.get("/workflows?tag=%C3%84rger").data["items"]] == ["kurse"]
    assert [each["id"] for each in api.get("/instances?name=%C3%9Cber*").data["items"]] == [number]
    lab.run()


def test_every_answer_is_json_that_names_its_fields(api: ApiServer) -> None:
    item = json.loads(api.get("/workflows?limit=1").body)["data"]["items"][0]
    assert {"runs", "open", "next_fire_at", "wait_reason", "error"} <= item.keys()


def test_a_plan_shows_order_params_and_fires_without_running(api: ApiServer, lab: Lab) -> None:
    lab.workflow(
        "planned",
        {"a": [], "b": ["a"]},
        {
            "a": {"params": {"day": "{{ business_date }}", "n": "{{ params.n }}", "of": "{{ instance.id }}"}},
            "b": {"params": {"x": "{{ a.output }}"}, "retries": 3, "timeout": "90s"},
        },
        params={"n": {"type": "integer", "default": 7}},
        defaults={"pool": "slow"},
        schedule=NIGHTLY,
    )
    found = api.get("/workflows/planned/plan?business_date=2026-11-20").data
    assert (found["version"], found["params"]) == (1, {"n": 7})
    a, b = found["tasks"]
    assert (a["step"], b["step"], b["after"], a["pool"], b["retries"], b["timeout_s"]) == (1, 2, ["a"], "slow", 3, 90.0)
    assert a["params"] == {"day": "2026-11-20", "n": 7, "of": "{{ instance.id }}"}
    assert b["params"] == {"x": "{{ a.output }}"}
    assert found["unknown_jobs"] == ["work"]
    assert len(found["next_fires"]) == 5
    assert found["next_fires"][0].keys() == {"schedule", "at", "business_date"}
    assert a["wait_for"] is None
    before = {"day": "{{ prev_session(business_date) }}"}
    wait = {"workflow": "planned", "business_date": before["day"], "timeout": "3h"}
    lab.workflow("closes", {"a": []}, {"a": {"params": before, "wait_for": wait}}, calendar="XSHG")
    asked = api.get("/workflows/closes/plan?business_date=2026-11-20").data
    assert (asked["tasks"][0]["params"], asked["tasks"][0]["wait_for"]) == ({"day": "2026-11-19"}, wait)
    assert api.get("/workflows/planned/plan?version=9").status == 404


def test_a_schedule_by_a_calendar_that_nobody_has_leaves_the_others_their_fires(api: ApiServer, lab: Lab) -> None:
    lab.workflow("known", {"x": []}, schedule={"cron": "0 5 * * *"})
    definition = lab.workflow("unknown", {"x": []}, schedule={"at": "close", "calendar": "XSHG"})
    lab.sql(f"UPDATE qflow.schedule SET calendar = 'XMARS' WHERE definition_id = {definition}")
    found = api.get("/schedules")
    assert found.status == 200
    assert [row["calendar"] for row in found.data["schedules"] if row["workflow"] == "unknown"] == ["XMARS"]
    assert {"known"} <= {fire["workflow"] for fire in found.data["fires"]}
    fires = api.get("/workflows/unknown/schedules/cron/fires").data
    assert (fires["next"], fires["note"]) == ([], "there is no calendar 'XMARS'; did you mean XNAS?")
