"""Lists of instances: every filter, every fault, to the end without loss or repetition; and one instance."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.api.finding import streams
from qflowd.model.roles import Role
from qflowd.model.states import InstanceState, TaskState
from qflowd.store.inbox import SUBMISSION
from tests.api.stand_in import Rows
from tests.support.http import ApiServer, HttpClient


@pytest.fixture(scope="module")
def rows(api: ApiServer) -> Iterator[Rows]:
    """Instances of two tenants, in all states, of several workflows and days."""
    found = Rows(api)
    daily = found.flow("daily_bars", 2, tags='["equity", "eod"]', domain="market_data")
    weekly = found.flow("weekly_report", 1, domain="reports")
    other = found.flow("daily_bars", 1, tenant="other")
    states = list(InstanceState)
    for i in range(60):
        found.instance(daily, states[i % 6].name, business_date=f"2026-11-{1 + i % 20:02}", trigger_type="schedule")
    for i in range(20):
        found.instance(weekly, "SUCCESS" if i else "FAILED", name=f"report {i}", trigger_type="api")
    found.instance(None, "SUCCESS")
    found.instance(other, "FAILED", tenant="other", business_date="2026-11-01")
    yield found
    found.close()


def pages(client: HttpClient, path: str, limit: int = 7) -> list[dict[str, Any]]:
    """All items of a list, a page at a time."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        sign = "&" if "?" in path else "?"
        reply = client.get(f"{path}{sign}limit={limit}{cursor}")
        assert reply.status == 200, reply.text
        found += reply.data["items"]
        if reply.data["next"] is None:
            return found
        cursor = f"&cursor={reply.data['next']}"


def ids(items: list[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


def test_a_list_ends_without_loss_or_repetition_newest_first(api: ApiServer, rows: Rows) -> None:
    found = ids(pages(api, "/instances"))
    assert found == sorted(found, reverse=True)
    assert found == sorted(
        {number for (number,) in rows.sql("SELECT id FROM qflow.workflow_instance WHERE tenant = 'default'")},
        reverse=True,
    )


EXPECTED = {
    "state=FAILED": "state = 4",
    "state=failed,TERMINATED": "state IN (4, 5)",
    "state=open": "state < 3",
    "state=pending": "state = 0",
    "state=SUCCESS,RUNNING": "state IN (1, 3)",
    "workflow=daily_bars": "definition_id = 1",
    "workflow=daily_*": "definition_id = 1",
    "workflow=*r*": "definition_id IS NOT NULL",
    "workflow=nothing": "1 = 0",
    "workflow=daily_bars&state=SUCCESS": "definition_id = 1 AND state = 3",
    "workflow=weekly_report&state=FAILED": "definition_id = 2 AND state = 4",
    "workflow=daily_*&state=PAUSED": "definition_id = 1 AND state = 2",
    "job=hello": "job = 'hello'",
    "business_date=2026-11-03": "business_date = '2026-11-03'",
    "business_date=2026-11-03&workflow=daily_bars": "business_date = '2026-11-03'",
    "business_date_from=2026-11-03&business_date_to=2026-11-06": "business_date BETWEEN '2026-11-03' AND '2026-11-06'",
    "business_date_from=2026-11-18": "business_date >= '2026-11-18'",
    "business_date_to=2026-11-02&workflow=daily_bars": "business_date <= '2026-11-02'",
    "workflow=daily_bars&business_date_from=2026-10-20&business_date_to=2026-11-04": "business_date <= '2026-11-04'",
    "trigger_type=api": "trigger_type = 'api'",
    "domain=market_data": "definition_id = 1",
    "tag=eod": "definition_id = 1",
    "tag=eo": "1 = 0",
    "name=report%20*": "name LIKE 'report %'",
    "name=REPORT%203": "name = 'report 3'",
    "since=1h": "1 = 1",
    "created_to=2020-01-01T00:00:00Z": "1 = 0",
    "created_from=2020-01-01T00:00:00Z&state=FAILED": "state = 4",
}


@pytest.mark.parametrize("query", EXPECTED)
def test_a_filter_finds_what_fits_and_nothing_else(api: ApiServer, rows: Rows, query: str) -> None:
    wanted = rows.sql(
        f"SELECT id FROM qflow.workflow_instance WHERE tenant = 'default' AND {EXPECTED[query]} ORDER BY id DESC"
    )
    assert ids(pages(api, f"/instances?{query}")) == [number for (number,) in wanted]


@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("state=FALED", 40002, "did you mean FAILED"),
        ("sate=FAILED", 40002, "did you mean state"),
        ("limit=501", 40002, "limit"),
        ("limit=0", 40002, "limit"),
        ("business_date=tomorrow", 40002, "business_date"),
        ("business_date=2026-11-01&business_date_to=2026-11-03", 40002, "one day"),
        ("since=soon", 40002, "15m"),
        ("since=1h&created_from=2026-01-01T00:00:00Z", 40002, "give one of them"),
        ("cursor=nonsense", 40003, "begin again"),
    ],
)
def test_what_cannot_be_meant_is_refused(api: ApiServer, rows: Rows, query: str, code: int, says: str) -> None:
    reply = api.get(f"/instances?{query}")
    assert (reply.status, reply.code) == (code // 100, code)
    assert says in reply.message


def test_a_cursor_fits_only_its_query(api: ApiServer, rows: Rows) -> None:
    cursor = api.get("/instances?limit=5").data["next"]
    assert api.get(f"/instances?limit=9&cursor={cursor}").status == 200
    reply = api.get(f"/instances?state=FAILED&cursor={cursor}")
    assert (reply.status, reply.code) == (400, 40003)


def test_a_total_is_counted_if_it_is_asked_for(api: ApiServer, rows: Rows) -> None:
    assert api.get("/instances?limit=5").data["total"] is None
    data = api.get("/instances?workflow=weekly_report&limit=5&total=1").data
    assert (data["total"], data["more"]) == (20, False)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=open",
        "state=FAILED,TERMINATED",
        "state=FAILED",
        "workflow=daily_*",
        "workflow=weekly_report&state=SUCCESS",
        "business_date=2026-11-05",
        "workflow=daily_bars&business_date=2026-11-05",
        "name=nobody",
        "workflow=nothing",
    ],
)
def test_a_total_is_that_of_all_pages(api: ApiServer, rows: Rows, query: str) -> None:
    data = api.get(f"/instances?{query}&limit=1&total=1").data
    assert (data["total"], data["more"]) == (len(pages(api, f"/instances?{query}")), False)


@pytest.mark.parametrize("query", ["", "state=open", "workflow=weekly_report", "workflow=weekly_report&state=SUCCESS"])
def test_a_total_ends_where_counting_does(
    api: ApiServer, rows: Rows, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_COUNTED", 3)
    data = api.get(f"/instances?{query}&limit=1&total=1").data
    assert (data["total"], data["more"]) == (3, True)


def test_progress_is_that_of_the_list_whoever_counts(api: ApiServer, rows: Rows) -> None:
    rows.instance((1, 1), "RUNNING", ("SUCCESS", "SKIPPED", "RUNNING"))
    listed = pages(api, "/instances", 100)
    assert 0.6667 in {item["progress"] for item in listed}
    for item in listed[:12]:
        assert api.get(f"/instances/{item['id']}").data["progress"] == item["progress"]


def test_the_instances_of_a_workflow_are_found_by_its_key_and_its_number(api: ApiServer, rows: Rows) -> None:
    found = ids(pages(api, "/workflows/weekly_report/instances"))
    assert len(found) == 20
    assert ids(pages(api, "/workflows/2/instances")) == found
    assert len(pages(api, "/workflows/weekly_report/instances?state=FAILED")) == 1
    assert api.get("/workflows/nothing/instances").code == 40401


def test_an_instance_is_shown_with_its_counts_and_params(api: ApiServer, rows: Rows) -> None:
    number = rows.instance((1, 1), "RUNNING", ("SUCCESS", "RUNNING"), params='{"day": 1}', overrides='{"tasks": {}}')
    reply = api.get(f"/instances/{number}")
    data = reply.data
    assert (data["id"], data["workflow"], data["version"], data["state"]) == (number, "daily_bars", 1, "RUNNING")
    assert data["counts"] == {"SUCCESS": 1, "RUNNING": 1}
    assert (data["params"], data["overrides"], data["tags"]) == ({"day": 1}, {"tasks": {}}, ["equity", "eod"])
    assert data["created_at"].endswith("Z")
    assert reply.headers["x-poll-after"] == "2"
    assert reply.headers["etag"].startswith('W/"')
    assert api.get(f"/instances/{number}", if_none_match=reply.headers["etag"]).status == 304


def test_waiting_for_an_instance_ends_when_it_has_ended(api: ApiServer, rows: Rows) -> None:
    number = rows.instance((1, 1), "RUNNING", ("RUNNING",))
    assert api.get(f"/instances/{number}?wait=0.05").data["state"] == "RUNNING"
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(api.get(f"/instances/{number}?wait=30")))
    thread.start()
    rows.end(number, "FAILED", "it broke")
    thread.join(20)
    assert (found[0].data["state"], found[0].data["error"]) == ("FAILED", "it broke")
    assert "x-poll-after" not in found[0].headers


@pytest.mark.parametrize("of", ["instances/{}", "tasks/{}"])
def test_waiting_for_a_change_ends_with_another_answer_than_the_caller_has(api: ApiServer, rows: Rows, of: str) -> None:
    number = rows.instance((1, 1), "RUNNING", ("RUNNING",))
    path = "/" + of.format(number if of.startswith("instances") else number << 20)
    etag = api.get(path).headers["etag"]
    assert api.get(f"{path}?wait=0.4&until=change", if_none_match=etag).status == 304
    assert api.get(f"{path}?wait=30&until=change", if_none_match='W/"older"').headers["etag"] == etag
    assert api.get(f"{path}?until=change", if_none_match=etag).status == 304
    found: list[Any] = []
    wait = f"{path}?wait=30&until=change"
    thread = threading.Thread(target=lambda: found.append(api.get(wait, if_none_match=etag)))
    thread.start()
    rows.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.SUCCESS)} WHERE id = {number << 20}")
    thread.join(20)
    assert (found[0].status, found[0].headers["etag"] != etag) == (200, True)
    assert api.get(f"{path}?until=never").code == 40002


def test_what_is_another_tenants_is_not_there(api: ApiServer, rows: Rows) -> None:
    [(number,)] = rows.sql("SELECT id FROM qflow.workflow_instance WHERE tenant = 'other'")
    assert api.get(f"/instances/{number}").code == 40401
    other = api.as_(Role.READ, tenant="other")
    assert ids(pages(other, "/instances")) == [number]
    api.post("/tenants", {"name": "other"})
    assert ids(pages(api, "/instances?tenant=other")) == [number]
    assert other.get("/instances/1").code == 40401
    for path in ("tasks", "tasks/t0", "timeline", "log", "breakpoint", "saga"):
        reply = api.get(f"/instances/{number}/{path}")
        assert (reply.status, reply.code) == (404, 40401), path


def test_a_submission_without_an_instance_says_where_it_stands(api: ApiServer, rows: Rows) -> None:
    id = api.store.transact(lambda tx: tx.one("insert_submission", **SUBMISSION | {"workflow": "daily_bars"})).id
    rows.sql(f"DELETE FROM qflow.workflow_instance WHERE id = {id}")
    reply = api.get(f"/instances/{id}")
    assert (reply.code, reply.message) == (
        40401,
        f"there is no instance {id}; its submission is NEW; a daemon makes its instance when it takes it",
    )
    assert "GET /instances lists them" in api.get("/instances/999999").message


def test_a_list_that_grows_while_it_is_read_shows_each_row_once(api: ApiServer, rows: Rows) -> None:
    before = set(ids(pages(api, "/instances", 500)))
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        data = api.get(f"/instances?limit=11{cursor}").data
        found += ids(data["items"])
        rows.instance((1, 1), "SUCCESS")
        cursor = None if data["next"] is None else f"&cursor={data['next']}"
    assert len(found) == len(set(found))
    assert set(found) >= before
