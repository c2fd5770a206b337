"""Graphs and grids over HTTP: of versions, of instances in all their states, of many instances at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qflowd.model.layout import GAP, WIDTH
from qflowd.model.roles import Role
from tests.support.http import ApiServer
from tests.support.lab import FAILED, Lab

DIAMOND = {"a": [], "b": ["a"], "c": {"a": "{{ a.output.ok }}"}, "d": ["b", "c"]}


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    lab = Lab(api.url)
    yield lab
    lab.close()


@pytest.fixture(autouse=True)
def nothing_is_left(lab: Lab) -> None:
    """What an earlier test has left to do is done."""
    lab.run()


def boxes(api: ApiServer, path: str) -> dict[str, dict]:
    return {box["key"]: box for box in api.get(path).data["boxes"]}


def test_the_graph_of_a_version_has_places_and_conditions(api: ApiServer, lab: Lab) -> None:
    lab.workflow("diamond", DIAMOND, {"b": {"map": [1, 2], "title": "Bars"}})
    graph = api.get("/workflows/diamond/versions/1/graph").data
    found = {box["key"]: box for box in graph["boxes"]}
    assert {key: (box["node"], box["layer"]) for key, box in found.items()} == {
        "a": (0, 0),
        "b": (1, 1),
        "c": (2, 1),
        "d": (3, 2),
    }
    assert [(box["kind"], box["job"], box["title"]) for box in (found["a"], found["b"])] == [
        ("task", "work", ""),
        ("head", "work", "Bars"),
    ]
    assert found["d"]["x"] == 2 * (WIDTH + GAP)
    assert found["b"]["counts"] is None
    edges = {(edge["from"], edge["to"]): edge for edge in graph["edges"]}
    assert edges.keys() == {("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")}
    assert [edges["a", child]["condition"] for child in "bc"] == [None, "{{ a.output.ok }}"]
    assert edges["a", "b"]["points"][0] == [WIDTH, found["a"]["y"] + found["a"]["height"] // 2]
    assert not graph["folded"]


def test_a_graph_is_not_sent_twice_and_no_browser_keeps_it_for_who_signs_in_next(api: ApiServer, lab: Lab) -> None:
    lab.workflow("kept", DIAMOND)
    reply = api.get("/workflows/kept/versions/1/graph")
    assert reply.headers["cache-control"] == "no-store"  # tenants share its address
    assert api.get("/workflows/kept/versions/1/graph", if_none_match=reply.headers["etag"]).status == 304
    assert api.get("/workflows/kept/versions/active/graph").data == reply.data


def test_a_graph_of_thousands_of_tasks_is_folded_unless_it_shall_not_be(api: ApiServer, lab: Lab) -> None:
    lab.workflow("large", {"first": [], **{f"t{n}": ["first"] for n in range(400)}})
    folded = api.get("/workflows/large/versions/1/graph").data
    assert [(box["key"], box["fold"] and box["fold"]["count"]) for box in folded["boxes"]] == [
        ("first", None),
        ("1:work", 400),
    ]
    assert folded["folded"]
    assert folded["boxes"][1]["fold"]["tasks"][:2] == ["t0", "t1"]
    whole = api.get("/workflows/large/versions/1/graph?fold=none").data
    assert len(whole["boxes"]) == 401
    assert not whole["folded"]


def test_what_is_not_there_is_named(api: ApiServer, lab: Lab) -> None:
    lab.workflow("named", DIAMOND)
    for path, message in {
        "/workflows/nmed/versions/1/graph": "there is no workflow 'nmed'; did you mean named?",
        "/workflows/named/versions/7/graph": "workflow 'named' has no version 7",
        "/workflows/named/versions/draft/graph": "workflow 'named' has no draft version",
        "/instances/99999/graph": "there is no instance 99999",
    }.items():
        reply = api.get(path)
        assert (reply.status, reply.code) == (404, 40401)
        assert message in reply.message
    other = api.as_(Role.READ, tenant="other")
    number = lab.start("named")
    for path in ("/workflows/named/versions/1/graph", f"/instances/{number}/graph", "/workflows/named/grid"):
        assert other.get(path).status == 404


def test_the_graph_of_an_instance_counts_rows_by_state(api: ApiServer, lab: Lab) -> None:
    lab.workflow("counted", DIAMOND, {"b": {"map": [1, 2, 3]}})
    number = lab.start("counted")
    waiting = boxes(api, f"/instances/{number}/graph")
    assert {key: box["state"] for key, box in waiting.items()} == {
        "a": "READY",
        "b": "PENDING",
        "c": "PENDING",
        "d": "PENDING",
    }
    assert waiting["b"]["counts"] == {"PENDING": 1}
    (row,) = lab.claim()
    assert boxes(api, f"/instances/{number}/graph")["a"]["state"] == "RUNNING"
    lab.finish(lab.final(row, output={"ok": False}))
    rows = {lab.key(row.id): row for row in lab.claim()}
    running = boxes(api, f"/instances/{number}/graph")
    assert running["b"]["state"] == "RUNNING"
    assert running["b"]["counts"] == {"RUNNING": 3}
    assert running["c"]["state"] == "SKIPPED"
    assert running["a"]["finished_at"] is not None
    assert running["b"]["finished_at"] is None
    lab.finish(lab.final(next(iter(rows.values())), FAILED))
    assert boxes(api, f"/instances/{number}/graph")["b"]["counts"] == {"RUNNING": 2, "FAILED": 1}


def test_an_instance_that_has_not_begun_shows_its_plan(api: ApiServer, lab: Lab) -> None:
    lab.workflow("held", DIAMOND)
    found = boxes(api, f"/instances/{lab.start('held', hold=1)}/graph")
    assert [(box["state"], box["counts"]) for box in found.values()] == [(None, None)] * 4


def test_ready_rows_of_what_is_paused_are_held(api: ApiServer, lab: Lab) -> None:
    lab.workflow("paused", {"a": [], "b": []})
    whole, task = lab.start("paused"), lab.start("paused")
    lab.command("pause", whole)
    lab.command("pause", task, task="b")
    assert {box["state"] for box in boxes(api, f"/instances/{whole}/graph").values()} == {"HELD"}
    assert [box["state"] for box in boxes(api, f"/instances/{task}/graph").values()] == ["READY", "HELD"]


def test_a_job_by_itself_is_one_box(api: ApiServer, lab: Lab) -> None:
    number = lab.start(job="work")
    (box,) = api.get(f"/instances/{number}/graph").data["boxes"]
    assert (box["key"], box["state"], box["task_id"]) == ("work", "READY", str(number << 20))


def test_a_map_that_is_made_bit_by_bit_counts_all_its_items(api: ApiServer, lab: Lab) -> None:
    lab.workflow("bits", {"m": []}, {"m": {"map": list(range(10)), "max_parallel": 2}})
    number = lab.start("bits")
    lab.claim()
    assert sum(boxes(api, f"/instances/{number}/graph")["m"]["counts"].values()) == 10


# ------------------------------------------------------------------------------------------------ grid


def test_a_grid_has_tasks_as_rows_and_the_latest_instances_as_columns(api: ApiServer, lab: Lab) -> None:
    lab.workflow("grid", {"a": [], "m": ["a"], "z": ["m"]}, {"m": {"map": [1, 2, 3], "title": "Map"}})
    good = lab.start("grid", business_date="2026-11-20")
    lab.run()
    bad = lab.start("grid")
    lab.run({f"m[{n}]": FAILED for n in range(3)})
    grid = api.get("/workflows/grid/grid").data
    assert [(row["node"], row["key"], row["kind"], row["depth"], row["title"]) for row in grid["rows"]] == [
        (0, "a", "task", 0, ""),
        (1, "m", "head", 1, "Map"),
        (2, "z", "task", 2, ""),
    ]
    assert [(column["id"], column["state"], column["business_date"]) for column in grid["columns"]] == [
        (bad, "FAILED", None),
        (good, "SUCCESS", "2026-11-20"),
    ]
    first = good << 20
    assert grid["cells"][str(good)][0] == [0, "SUCCESS", None, None, str(first)]
    assert grid["cells"][str(good)][1] == [1, "SUCCESS", 3, 0, str(first + 1)]
    failed = grid["cells"][str(bad)][1]
    assert failed[:4] == [1, "FAILED", 3, 3]
    assert int(failed[4]) > (bad << 20) + 1  # the first item that failed, whose log says why
    assert grid["cells"][str(bad)][2][1] == "UPSTREAM_FAILED"
    assert grid["before"] is None


def test_a_grid_goes_back_page_by_page(api: ApiServer, lab: Lab) -> None:
    lab.workflow("pages", {"a": []})
    numbers = [lab.start("pages") for _ in range(5)]
    seen, before = [], ""
    while True:
        grid = api.get(f"/workflows/pages/grid?limit=2{before}").data
        seen += [column["id"] for column in grid["columns"]]
        if grid["before"] is None:
            break
        before = f"&before={grid['before']}"
    assert seen == numbers[::-1]


def test_a_grid_joins_versions_by_the_keys_of_their_tasks(api: ApiServer, lab: Lab) -> None:
    lab.workflow("joined", {"old": [], "same": ["old"]})
    before = lab.start("joined")
    lab.workflow("joined", {"new": [], "more": ["new"], "same": ["more"]})
    after = lab.start("joined")
    grid = api.get("/workflows/joined/grid").data
    rows = {row["node"]: row["key"] for row in grid["rows"]}
    assert list(rows.values()) == ["new", "more", "same", "old"]
    assert [rows[cell[0]] for cell in grid["cells"][str(before)]] == ["old", "same"]
    assert [rows[cell[0]] for cell in grid["cells"][str(after)]] == ["new", "more", "same"]


def test_a_column_that_is_retried_is_not_what_was_remembered_of_it(api: ApiServer, lab: Lab) -> None:
    lab.workflow("again", {"a": [], "b": ["a"]})
    number = lab.start("again")
    lab.run({"b": FAILED})
    assert [cell[1] for cell in api.get("/workflows/again/grid").data["cells"][str(number)]] == ["SUCCESS", "FAILED"]
    lab.clock.advance(5)
    lab.command("retry", number)
    assert [cell[1] for cell in api.get("/workflows/again/grid").data["cells"][str(number)]] == ["SUCCESS", "READY"]
    lab.run()
    assert [cell[1] for cell in api.get("/workflows/again/grid").data["cells"][str(number)]] == ["SUCCESS", "SUCCESS"]


def test_a_workflow_that_never_ran_has_rows_without_columns(api: ApiServer, lab: Lab) -> None:
    lab.workflow("never", {"a": []})
    grid = api.get("/workflows/never/grid").data
    assert (len(grid["rows"]), grid["columns"], grid["cells"]) == (1, [], {})


def test_keys_with_slashes_and_of_digits_are_keys_before_they_are_numbers(api: ApiServer, lab: Lab) -> None:
    number = lab.workflow("cn/eod", {"a/b": []})
    assert api.get("/workflows/cn%2Feod/versions/1/graph").data["boxes"][0]["key"] == "a/b"
    assert api.get(f"/workflows/{number}/versions/1/graph").data["boxes"][0]["key"] == "a/b"
    lab.workflow(str(number), {"digits": []})
    assert api.get(f"/workflows/{number}/versions/1/graph").data["boxes"][0]["key"] == "digits"
