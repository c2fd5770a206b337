"""The 44 paths of the former scheduler: each is there letter by letter, and a client of it gets its work done by them alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from qflowd.api.table import endpoints
from tests.support.daemon import Daemon, until
from tests.support.http import ApiServer, Reply

LINES = [line.split() for line in (Path(__file__).parent / "scheduling_paths.txt").read_text("utf-8").splitlines()]
WORK = """
from qflowd import job


@job
def work(fail: bool = False):
    print("at work", flush=True)
    if fail:
        raise ValueError("as asked")
    return 1
"""


class FormerClient:
    """Calls paths of the file, with its parameters filled in, and keeps which were called."""

    def __init__(self, api: ApiServer) -> None:
        self.api, self.called = api, set[tuple[str, str]]()
        self.names: dict[str, Any] = {}

    def call(self, line: str, body: Any = None, query: str = "", **names: Any) -> Reply:
        """`line`: a method and a path as they stand in the file."""
        method, path = line.split()
        assert [method, path] in LINES
        self.called.add((method, path))
        filled = re.sub(r"\{(\w+)\}", lambda match: str({**self.names, **names}[match[1]]), path)
        if method in ("POST", "PUT") and body is None:
            body = {}
        return self.api.request(method, filled + query, body)

    def do(self, line: str, body: Any = None, query: str = "", **names: Any) -> Any:
        reply = self.call(line, body, query, **names)
        assert reply.status < 300, f"{line}: {reply.text}"
        assert reply.code == 0
        return reply.data

    def attempts(self, run: int, node: str) -> int:
        line = "GET /scheduling/dag/{dagId}/run/{runId}/node/{nodeId}"
        return len(self.do(line, runId=run, nodeId=node)["attempts"])

    def ended(self, run: int) -> dict[str, Any]:
        line = "GET /scheduling/dag/{dagId}/run/{runId}"
        return until(lambda: found if (found := self.do(line, runId=run))["finished_at"] else None, 60)


@pytest.fixture
def client(database_url: str, tmp_path: Path) -> Iterator[FormerClient]:
    with ExitStack() as stack:
        api = stack.enter_context(ApiServer(database_url))
        stack.enter_context(Daemon(database_url, tmp_path, plugins={"work.py": WORK}))
        yield FormerClient(api)


def test_each_of_the_44_paths_is_there_letter_by_letter() -> None:
    assert len(LINES) == 44
    there = [[route.method, route.path] for route in endpoints() if route.path.startswith("/scheduling/")]
    assert sorted(there) == sorted(LINES)


def test_a_client_gets_its_work_done_by_these_paths_alone(client: FormerClient) -> None:
    types_and_definitions(client)
    a_dag_and_its_version(client)
    nodes_and_edges(client)
    runs(client)
    what_people_do(client)
    what_is_left_is_removed(client)
    assert sorted(client.called) == sorted((method, path) for method, path in LINES)


def types_and_definitions(client: FormerClient) -> None:
    client.do(
        "POST /scheduling/task-type", {"type": "load", "job": "work", "params_schema": {"fail": {"type": "boolean"}}}
    )
    page = client.do("GET /scheduling/task-type/list", query="?page=1&size=1")
    assert (page["page"], page["size"], page["total"], len(page["items"])) == (1, 1, 1, 1)
    type_id = page["items"][0]["id"]
    assert client.do("GET /scheduling/task-type/{id}", id=type_id)["type"] == "load"
    changed = {"job": "work", "title": "Loads", "params_schema": {"fail": {"type": "boolean"}}}
    client.do("PUT /scheduling/task-type/{id}", changed, id=type_id)
    client.do("POST /scheduling/task", {"key": "bars", "type": "load", "params": {"fail": False}})
    task_id = client.do("GET /scheduling/task/list")["items"][0]["id"]
    assert client.do("GET /scheduling/task/{id}", id=task_id)["key"] == "bars"
    client.do("PUT /scheduling/task/{id}", {"type": "load", "title": "Bars"}, id=task_id)
    assert client.do("GET /scheduling/task-param/{taskId}", taskId=task_id)["key"] == "bars"


def a_dag_and_its_version(client: FormerClient) -> None:
    definition = {"workflow": "daily", "tasks": {"a": {"job": "work"}}}
    assert client.do("POST /scheduling/dag", {"definition": definition})["workflow"] == "daily"
    [row] = client.do("GET /scheduling/dag/list")["items"]
    assert row["workflow"] == "daily"
    number = client.do("GET /scheduling/dag/{id}", id="daily")["id"]
    client.names["dagId"] = number  # numbers come first here
    assert client.do("PUT /scheduling/dag/{id}", {"title": "Daily"}, id=number)["title"] == "Daily"
    made = client.do("POST /scheduling/dag/{dagId}/version", {"copy_of": "active"})
    client.names["versionId"] = made["version"]
    assert client.do("GET /scheduling/dag/{dagId}/version/{versionId}")["state"] == "DRAFT"
    client.do("PUT /scheduling/dag/{dagId}/version/{versionId}", {"document": definition})
    page = client.do("GET /scheduling/dag/{dagId}/version/list", query="?size=2")
    assert (page["total"], len(page["items"])) == (3, 2)


def nodes_and_edges(client: FormerClient) -> None:
    version = "/scheduling/dag/{dagId}/version/{versionId}"
    client.do(f"POST {version}/node", {"key": "b", "job": "work"})
    client.do(f"POST {version}/node", {"key": "c", "task": "bars"})
    client.do(f"POST {version}/edge", {"from": "a", "to": "b"})
    client.do(f"POST {version}/edge", {"from": "a", "to": "c"})
    client.do(f"DELETE {version}/edge/{{edgeId}}", edgeId="a:c")
    client.do(f"PUT {version}/node/{{nodeId}}", {"job": "work", "key": "second", "after": "a"}, nodeId="b")
    assert client.do(f"GET {version}/node/{{nodeId}}", nodeId=0)["key"] == "a"
    assert [each["key"] for each in client.do(f"GET {version}/node/{{nodeId}}/down", nodeId="a")] == ["second"]
    assert [each["key"] for each in client.do(f"GET {version}/node/{{nodeId}}/up", nodeId="second")] == ["a"]
    client.do(f"DELETE {version}/node/{{nodeId}}", nodeId="c")
    client.do(f"PUT {version}", {"state": "ACTIVE"})


def runs(client: FormerClient) -> None:
    run = client.do("POST /scheduling/dag/{dagId}/trigger", {}, query="?wait=20")["instance_id"]
    assert client.ended(run)["state"] == "SUCCESS"
    page = client.do("GET /scheduling/dag/{dagId}/runs", query="?state=SUCCESS")
    assert [(row["id"], row["state"]) for row in page["items"]] == [(run, "SUCCESS")]
    rows = client.do("GET /scheduling/dag/{dagId}/run/{runId}/nodes", runId=run)["items"]
    assert sorted(row["task"] for row in rows) == ["a", "second"]
    one = client.do("GET /scheduling/dag/{dagId}/run/{runId}/node/{nodeId}", runId=run, nodeId="second")
    assert one["state"] == "SUCCESS"
    log = client.do("GET /scheduling/task-instance/{instanceId}/log", instanceId=one["task_id"])
    assert [line["message"] for line in log["items"]] == ["at work"]
    history = one["attempts"][0]["id"]
    assert client.do("GET /scheduling/task-history/{historyId}", historyId=history)["attempt"] == 1
    other = client.call("GET /scheduling/dag/{dagId}/run/{runId}", runId=run + 1000)
    assert (other.status, other.code) == (404, 40401)


def what_people_do(client: FormerClient) -> None:
    dag, node = "/scheduling/dag/{dagId}", "/scheduling/dag/{dagId}/node/{nodeId}"
    for line in (f"POST {dag}/pause", f"POST {dag}/resume"):
        client.do(line, {"reason": "a test"}, query="?wait=20")
    for action in ("pause", "resume"):
        client.do(f"POST {node}/{action}", {"reason": "a test"}, query="?wait=20", nodeId="second")
    started = client.do(f"POST {node}/trigger", {"reason": "a test"}, query="?wait=20", nodeId="second")
    assert started
    failed = client.do(f"POST {dag}/trigger", {"params": {"fail": True}}, query="?wait=20")["instance_id"]
    assert client.ended(failed)["state"] == "FAILED"
    client.do(f"POST {node}/retry", {"reason": "a test"}, query="?wait=20", nodeId="a")
    until(lambda: client.attempts(failed, "a") == 2, 60)
    assert client.ended(failed)["state"] == "FAILED"
    client.do(f"POST {dag}/retry", {"reason": "a test"}, query="?wait=20")
    until(lambda: client.attempts(failed, "a") == 3, 60)
    client.do(f"POST {dag}/stop", {"reason": "a test"}, query="?wait=20")
    assert client.do("GET /scheduling/audit/list")["items"]


def what_is_left_is_removed(client: FormerClient) -> None:
    used = client.call("DELETE /scheduling/task-type/{id}", id="load")
    assert (used.status, used.code) == (409, 40903)
    client.do("DELETE /scheduling/task/{id}", id="bars")
    client.do("DELETE /scheduling/task-type/{id}", id="load")
    until(lambda: client.call("DELETE /scheduling/dag/{id}", id="daily").status == 200, 60)
