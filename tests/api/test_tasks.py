"""Tasks over HTTP: of an instance at any place, across instances by what an index finds, and one with all of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskKind, TaskState
from tests.api.stand_in import Rows
from tests.api.test_instances import pages
from tests.support.http import ApiServer

ITEMS = 5_400  # the symbols of the Chinese A-share market
FAILED = (17, 4_200)


@pytest.fixture(scope="module")
def rows(api: ApiServer) -> Iterator[Rows]:
    """A map of 5,400 items, two of which failed, and small instances in every state."""
    found = Rows(api)
    daily = found.flow("daily_bars", 3)
    large = found.instance(daily, "RUNNING", ("SUCCESS", "PENDING", "PENDING"), next_ordinal=ITEMS + 3)
    found.sql(
        f"UPDATE qflow.task_instance SET kind = {int(TaskKind.HEAD)}, open_parents = {ITEMS}, need = 1 WHERE id = {large * ORDINALS + 1}",
        found.insert("fan_out", task_id=large * ORDINALS + 1, first_ordinal=3, items=ITEMS, opened=ITEMS),
    )
    for start in range(0, ITEMS, 900):
        texts = [_item(found, large, i) for i in range(start, start + 900)]
        head, _, _ = texts[0].partition(" VALUES ")
        found.sql(f"{head} VALUES {', '.join(text.partition(' VALUES ')[2] for text in texts)}")
    for i in FAILED:
        found.sql(
            found.insert(
                "attempt",
                task_id=large * ORDINALS + 3 + i,
                fence=1,
                attempt=1,
                state=6,
                reason=1,
                finished_at="NOW",
                error=f"ValueError: item {i}\nmore",
            )
        )
    weekly = found.flow("weekly_report", 2)
    found.instance(weekly, "RUNNING", ("RUNNING", "PENDING"))
    found.instance(weekly, "FAILED", ("FAILED", "UPSTREAM_FAILED"))
    owner = found.daemon()
    found.sql(f"UPDATE qflow.task_instance SET owner = {owner} WHERE state IN (3, 4)")
    yield found
    found.close()


def _item(rows: Rows, instance: int, i: int) -> str:
    state = "FAILED" if i in FAILED else "READY" if i >= ITEMS - 100 else "SUCCESS"
    return rows.row(instance, 3 + i, state, node=1, map_index=i, label=f"s{i:04}")


def test_all_rows_of_a_map_are_listed_in_order(api: ApiServer, rows: Rows) -> None:
    found = pages(api, "/instances/1/tasks", 500)
    assert [int(item["task_id"]) for item in found] == [ORDINALS + i for i in range(ITEMS + 3)]
    assert isinstance(found[0]["task_id"], str)
    assert {item["kind"] for item in found} == {"task", "head"}


@pytest.mark.parametrize("place", [0, 2_500, ITEMS - 3])
def test_any_place_of_a_map_is_reached_at_once(api: ApiServer, rows: Rows, place: int) -> None:
    data = api.get(f"/instances/1/tasks?node=t1&from={place}&limit=5").data
    assert [item["map_index"] for item in data["items"]] == list(range(place, min(place + 5, ITEMS)))
    assert data["total"] == ITEMS
    whole = api.get(f"/instances/1/tasks?from={place}&limit=5").data
    assert [int(item["task_id"]) - ORDINALS for item in whole["items"]] == list(range(place, min(place + 5, ITEMS + 3)))
    assert whole["total"] == ITEMS + 3


def test_a_place_behind_the_end_has_no_rows(api: ApiServer, rows: Rows) -> None:
    assert api.get("/instances/1/tasks?node=t1&from=99999").data["items"] == []


def test_failed_rows_are_found_among_thousands_and_come_first(api: ApiServer, rows: Rows) -> None:
    assert [item["map_index"] for item in pages(api, "/instances/1/tasks?state=FAILED")] == list(FAILED)
    first = api.get("/instances/1/tasks?failed=first&limit=4").data["items"]
    assert [item["state"] for item in first] == ["FAILED", "FAILED", "READY", "READY"]
    assert first[0]["error"] == "ValueError: item 17\nmore"
    assert len(pages(api, "/instances/1/tasks?failed=first", 500)) == ITEMS + 3


def test_rows_are_found_by_a_part_of_their_label_or_key(api: ApiServer, rows: Rows) -> None:
    assert [item["label"] for item in pages(api, "/instances/1/tasks?q=S042")] == [f"s{i:04}" for i in range(420, 430)]
    assert len(pages(api, "/instances/1/tasks?q=t0")) == 1
    assert api.get("/instances/1/tasks?q=%25").data["items"] == []


def test_why_rows_wait_is_said_of_each(api: ApiServer, rows: Rows) -> None:
    found = pages(api, "/instances/1/tasks?state=READY", 500)
    assert len(found) == 100
    [reason] = {item["wait_reason"] for item in found}
    assert "waits for a free slot in pool default" in reason


def test_a_filter_has_a_total_if_it_is_asked_for(api: ApiServer, rows: Rows) -> None:
    assert api.get("/instances/1/tasks?state=READY&limit=1&total=1").data["total"] == 100


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/instances/1/tasks?node=nothing", 40401),
        ("/instances/1/tasks?from=3&state=FAILED", 40002),
        ("/instances/1/tasks?from=-1", 40002),
        ("/instances/1/tasks?failed=last", 40002),
        ("/instances/77/tasks", 40401),
        ("/instances/x/tasks", 40401),
        ("/instances/1/tasks/nothing", 40401),
        ("/instances/1/tasks/t0?map_index=1", 40401),
        (f"/instances/1/tasks/t1?map_index={ITEMS}", 40401),
        ("/tasks", 42206),
        ("/tasks?state=SUCCESS", 42206),
        ("/tasks?state=FAILED,PENDING", 42206),
        ("/tasks?workflow=daily_bars", 42206),
        ("/tasks?workflow=daily_bars&since=8d", 42206),
        ("/tasks?workflow=daily_bars&since=7d&job=hello", 42206),
        ("/tasks?instance=1&workflow=x", 40002),
        ("/tasks?instance=77", 40401),
        ("/tasks/77", 40401),
        ("/tasks/99999999999999999999", 40401),
        ("/tasks/9999999999999999999", 40401),
        ("/tasks/77/output", 40401),
        ("/tasks/77/params", 40401),
        ("/tasks/77/attempts", 40401),
        ("/tasks/77/log", 40401),
        ("/attempts/77-1", 40401),
        ("/attempts/x", 40401),
        ("/instances/77/timeline", 40401),
        ("/instances/77/breakpoint", 40401),
        ("/instances/77/saga", 40401),
    ],
)
def test_what_is_not_there_or_needs_more_words_is_told(api: ApiServer, rows: Rows, path: str, code: int) -> None:
    reply = api.get(path)
    assert (reply.status, reply.code) == (code // 100, code), reply.text


def test_tasks_across_instances_by_state(api: ApiServer, rows: Rows) -> None:
    def found(query: str) -> list[tuple[int, str]]:
        return [(item["instance_id"], item["state"]) for item in pages(api, f"/tasks?{query}", 30)]

    assert found("state=FAILED") == [(3, "FAILED"), (1, "FAILED"), (1, "FAILED")]
    assert found("state=RUNNING,RESERVED") == [(2, "RUNNING")]
    assert found("state=READY") == [(1, "READY")] * 100
    assert found("state=READY,RUNNING,FAILED") == [
        (2, "RUNNING"),
        *[(1, "READY")] * 100,
        (3, "FAILED"),
        *[(1, "FAILED")] * 2,
    ]
    assert found("state=FAILED&workflow=weekly_report") == [(3, "FAILED")]
    assert found("state=FAILED&task=t1&pool=default&job=hello") == [(1, "FAILED")] * 2
    assert found("state=READY&workflow=weekly_report") == []
    assert found("state=READY&job=other") == []


def test_tasks_of_a_workflow_within_some_days(api: ApiServer, rows: Rows) -> None:
    found = pages(api, "/tasks?workflow=weekly_report&since=7d", 1)
    assert [(item["instance_id"], item["task"]) for item in found] == [(3, "t0"), (3, "t1"), (2, "t0"), (2, "t1")]
    assert len(pages(api, "/tasks?workflow=weekly_report&since=1d&task=t1")) == 2
    assert len(pages(api, "/tasks?workflow=weekly_report&since=1d&state=pending")) == 1


def test_tasks_of_an_instance_by_the_list_of_all(api: ApiServer, rows: Rows) -> None:
    assert len(pages(api, "/tasks?instance=1&state=FAILED&task=t1")) == 2


def test_one_task_has_its_attempts_and_its_lines(api: ApiServer, rows: Rows) -> None:
    id = ORDINALS + 3 + 17
    rows.log(1, "began", "broke", ordinal=20)
    data = api.get(f"/tasks/{id}").data
    assert (data["task_id"], data["task"], data["map_index"], data["label"], data["state"]) == (
        str(id),
        "t1",
        17,
        "s0017",
        "FAILED",
    )
    assert [attempt["error"] for attempt in data["attempts"]] == ["ValueError: item 17\nmore"]
    assert data["attempts"][0]["id"] == f"{id}-1"
    assert [line["message"] for line in data["logs"]] == ["began", "broke"]
    assert api.get(f"/tasks/{id}?tail=1").data["logs"][0]["message"] == "broke"
    assert api.get("/instances/1/tasks/t1?map_index=17").data["task_id"] == str(id)
    assert api.get("/instances/1/tasks/t1").data["kind"] == "head"
    assert api.get(f"/attempts/{id}-1").data["error"] == "ValueError: item 17\nmore"
    assert [each["fence"] for each in api.get(f"/tasks/{id}/attempts").data["items"]] == [1]


def test_outputs_and_params_are_sent_as_they_are(api: ApiServer, rows: Rows) -> None:
    id = ORDINALS
    rows.sql(f"""UPDATE qflow.task_instance SET output = '{{"rows": 5400}}' WHERE id = {id}""")
    reply = api.get(f"/tasks/{id}/output")
    assert (reply.status, reply.text, reply.headers["content-type"]) == (200, '{"rows": 5400}', "application/json")
    assert api.get(f"/tasks/{id}").data["output"] == {"rows": 5400}
    assert api.get(f"/tasks/{id}/params").text == "{}"
    assert api.get(f"/tasks/{ORDINALS + 3}/output").text == "null"
    reply = api.get(f"/tasks/{ORDINALS + 3 + ITEMS - 1}/output")
    assert (reply.code, "it is READY, not SUCCESS" in reply.message) == (40401, True)


def test_an_output_of_16_mb_comes_whole(api: ApiServer, rows: Rows) -> None:
    id = ORDINALS + 4
    for part in range(16):
        rows.sql(rows.insert("large_value", task_id=id, part=part, value="x" * 1_000_000))
    assert len(api.get(f"/tasks/{id}/output").body) == 16_000_000
    assert api.get(f"/tasks/{id}").data["output"] is None


def test_the_timeline_has_a_row_a_task_and_counts_the_items_of_a_map(api: ApiServer, rows: Rows) -> None:
    data: Any = api.get("/instances/1/timeline?bins=10").data
    assert [(row["key"], row["kind"], row["count"]) for row in data["rows"]] == [
        ("t0", "task", 1),
        ("t1", "head", ITEMS),
        ("t2", "task", 1),
    ]
    assert len(data["rows"][1]["bins"]) == 10
    assert sum(data["rows"][1]["bins"]) >= ITEMS - 100
    assert data["rows"][0]["bins"] is None
    assert data["from"] <= data["to"]


def test_where_an_instance_stands(api: ApiServer, rows: Rows) -> None:
    data = api.get("/instances/1/breakpoint").data
    assert (data["total"], data["failed"], data["would_start"]) == (ITEMS + 2, 2, 100)
    assert [task["task"] for task in data["tasks"]] == ["t0", "t1", "t2"]
    assert api.get("/instances/1/saga").data["items"] == []


def test_the_queue_says_what_is_ready_and_why_it_waits(api: ApiServer, rows: Rows) -> None:
    for by, name in {"pool": "default", "job": "hello"}.items():
        data = api.get(f"/queue?by={by}").data
        assert [(entry["name"], entry["tasks"]) for entry in data["items"]] == [(name, 100)]
        assert data["items"][0]["waits_s"] >= 0
    [entry] = api.get("/queue?by=reason").data["items"]
    assert "waits for a free slot in pool default" in entry["name"]


def test_an_instance_names_the_failure_that_tells_why(api: ApiServer, rows: Rows) -> None:
    named = {number: api.get(f"/instances/{number}").data["first_failure"] for number in (1, 2, 3)}
    assert named == {1: str(ORDINALS + 3 + 17), 2: None, 3: str(3 * ORDINALS)}
    # A map that failed because of an item, and a task before it: the item tells more.
    state = int(TaskState.FAILED)
    rows.sql(f"UPDATE qflow.task_instance SET state = {state} WHERE id IN ({ORDINALS}, {ORDINALS + 1})")
    try:
        assert api.get("/instances/1").data["first_failure"] == named[1]
        rows.sql(f"UPDATE qflow.task_instance SET state = 5 WHERE id > {ORDINALS + 1} AND state = {state} AND node = 1")
        assert api.get("/instances/1").data["first_failure"] == str(ORDINALS)
    finally:
        items = ", ".join(str(ORDINALS + 3 + i) for i in FAILED)
        rows.sql(
            f"UPDATE qflow.task_instance SET state = 5 WHERE id = {ORDINALS}",
            f"UPDATE qflow.task_instance SET state = 0 WHERE id = {ORDINALS + 1}",
            f"UPDATE qflow.task_instance SET state = {state} WHERE id IN ({items})",
        )


def test_failures_are_listed_and_grouped(api: ApiServer, rows: Rows) -> None:
    found = pages(api, "/failures", 1)
    assert [(item["instance_id"], item["map_index"], item["error_class"]) for item in found] == [
        (3, None, "error"),
        (1, 4_200, "ValueError"),
        (1, 17, "ValueError"),
    ]
    groups = api.get("/failures?group=1").data
    assert sorted((group["workflow"], group["task"], group["count"]) for group in groups["items"]) == [
        ("daily_bars", "t1", 2),
        ("weekly_report", "t0", 1),
    ]
    [group] = api.get("/failures?group=1&workflow=daily_*").data["items"]
    first, newest = (datetime.fromisoformat(group[name]) for name in ("first_at", "newest_at"))
    assert (group["count"], group["map_index"], first <= newest) == (2, 4_200, True)
    assert api.get("/failures?group=1&error_class=*Timeout").data["items"] == []
    assert [api.get("/failures?group=1&limit=1").data[name] for name in ("total", "more")] == [2, False]
    assert len(pages(api, "/failures?workflow=daily_*&error_class=value*&task=t1&since=1d")) == 2
    assert pages(api, "/failures?error_class=*Timeout") == []
    assert api.get("/failures?total=1").data["total"] == 3
    id = ORDINALS + 3 + 17
    rows.sql(rows.insert("failure", task_id=id, fence=1, handled_at="NOW", handled_by="ann", note="known"))
    assert len(pages(api, "/failures")) == 2
    [handled] = pages(api, "/failures?handled=1")
    assert (handled["task_id"], handled["handled_by"], handled["note"]) == (str(id), "ann", "known")
    assert api.get("/failures?handled=1&group=1").data["items"][0]["count"] == 1


def test_rows_of_a_job_without_workflow_are_found_by_their_state(api: ApiServer, rows: Rows) -> None:
    alone = rows.instance(None, "SUCCESS", ("SUCCESS",))
    for query in ("state=SUCCESS", "failed=first", "state=SUCCESS&total=1"):
        assert len(pages(api, f"/instances/{alone}/tasks?{query}")) == 1
    assert api.get(f"/instances/{alone}/tasks?state=SUCCESS&total=1").data["total"] == 1
