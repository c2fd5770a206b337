"""A daemon runs while people publish over HTTP: what it runs next is what was published last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qflowd import connect
from qflowd.client.client import Client
from qflowd.model.errors import Rejected
from tests.support.daemon import Daemon
from tests.support.http import ApiServer

WORK = "from qflowd import job\n\n\n@job\ndef work():\n    return 1\n"


def document(*tasks: str, **more: Any) -> dict[str, Any]:
    return {"workflow": "daily", "tasks": {task: {"job": "work"} for task in tasks}} | more


def tasks_of_a_run(client: Client, **columns: Any) -> list[str]:
    run = client.submit("daily", **columns)
    assert run.wait(60) == "SUCCESS"
    return sorted(task.task for task in run.tasks())


def test_a_daemon_that_runs_uses_what_was_published_last(database_url: str, tmp_path: Path) -> None:
    with (
        ApiServer(database_url) as api,
        Daemon(database_url, tmp_path, plugins={"work.py": WORK}),
        connect(database_url) as client,
    ):
        versions = "/workflows/daily/versions"
        made = api.post(versions, {"document": document("a"), "new": True})
        assert tasks_of(api, made) == ["a"]
        assert api.post(f"{versions}/1/activate").status == 200
        assert tasks_of_a_run(client) == ["a"]

        copy = api.post(versions, {"copy_of": "active"})
        edited = api.request(
            "POST", f"{versions}/2/nodes", {"key": "b", "job": "work", "after": "a"}, {"If-Match": copy.headers["etag"]}
        )
        assert tasks_of(api, edited) == ["a", "b"]
        assert tasks_of_a_run(client) == ["a"]  # a draft is no version that runs
        edited = api.request(
            "POST", f"{versions}/2/nodes", {"key": "c", "job": "work"}, {"If-Match": edited.headers["etag"]}
        )
        assert tasks_of_a_run(client, version=2) == ["a", "b", "c"]  # as it is now, not as a daemon has met it before
        assert api.post(f"{versions}/2/activate").status == 200
        assert tasks_of_a_run(client) == ["a", "b", "c"]
        assert api.post(f"{versions}/1/activate").status == 200
        assert tasks_of_a_run(client) == ["a"]
        assert api.post("/workflows/daily/archive", {"reason": "enough"}).data["archived"] is True
        with pytest.raises(Rejected, match="is archived"):
            client.submit("daily").wait(60)


def tasks_of(api: ApiServer, reply: Any) -> list[str]:
    assert reply.status < 300, reply.text
    return sorted(box["key"] for box in reply.data["graph"]["boxes"])
