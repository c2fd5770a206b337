"""Requests that wait hold no thread, and are asked for together."""

from __future__ import annotations

import threading

import pytest

from qflowd.api.http import app
from qflowd.api.inbox import outcomes
from qflowd.api.resources import plugin_calls
from qflowd.model.errors import StoreUnavailable
from tests.support.daemon import until
from tests.support.http import ApiServer, Reply
from tests.support.stand_in import StandIn

MANY = 8


def test_many_wait_with_one_thread_and_are_asked_for_in_one_statement(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find_answered = app.find_answered

    def counted(store, rows):
        asked.append(len(rows))
        return find_answered(store, rows)

    monkeypatch.setattr(app, "find_answered", counted)
    with ApiServer(database_url, {"threads": 1}) as api:
        body = {"action": "pause_limit", "args": {"limit": "vendor:x"}}
        numbers = [api.post("/commands?wait=0", body).data["command_id"] for _ in range(MANY)]
        replies: dict[int, Reply] = {}

        def wait(number: int) -> None:
            replies[number] = api.get(f"/commands/{number}?wait=60")

        threads = [threading.Thread(target=wait, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        until(lambda: MANY in asked, 20, what="all to wait")
        assert api.get("/version").status == 200, "the only thread is free"
        about = {"state": "DONE", "result": "{}", "error": None, "error_code": None}
        for number in numbers:
            api.store.transact(lambda tx, number=number: tx.run("answer_command", id=number, now=tx.now, **about))
        for thread in threads:
            thread.join(60)
        assert [replies[number].data["state"] for number in numbers] == ["DONE"] * MANY


def test_who_waits_when_the_server_ends_is_answered_what_there_is(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uvicorn cancelled them: a bare 500, also for what had been written."""
    has_waited = threading.Event()
    find_answered = app.find_answered

    def seen(store, rows):
        has_waited.set()
        return find_answered(store, rows)

    monkeypatch.setattr(app, "find_answered", seen)
    replies: dict[str, Reply] = {}
    with ApiServer(database_url) as api:
        body = {"action": "pause_limit", "args": {"limit": "vendor:x"}}

        def write() -> None:
            replies["write"] = api.post("/commands?wait=60", body)

        writer = threading.Thread(target=write)
        writer.start()
        assert has_waited.wait(20)
    writer.join(20)
    assert replies["write"].status == 202
    assert replies["write"].data["state"] == "NEW"


def test_a_job_that_was_submitted_is_not_refused_because_its_answer_cannot_be_read(
    own_api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told 503 repeats it: the job ran twice."""
    declared(own_api)

    def gone(*_: object) -> None:
        raise StoreUnavailable("lost the database")

    monkeypatch.setattr(plugin_calls, "read_submission", gone)
    reply = own_api.post("/plugins/hello?wait=0.1", {})
    assert reply.status == 202
    assert reply.headers["location"].endswith(f"/submissions/{reply.data['submission_id']}")


def test_a_write_that_is_there_is_not_refused_because_the_database_stands_still_afterwards(
    own_api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back = threading.Event()
    monkeypatch.setattr(outcomes, "read_commands", lambda *_: is_back.wait(60))
    monkeypatch.setattr(own_api.api, "longest_s", 0.5)
    try:
        reply = own_api.post("/commands?wait=0.1", {"action": "pause_limit", "args": {"limit": "vendor:x"}})
    finally:
        is_back.set()
    assert reply.status == 202
    assert reply.headers["location"].endswith(f"/commands/{reply.data['command_id']}")


def test_what_has_no_answer_says_when_to_look_again(own_api: ApiServer) -> None:
    declared(own_api)
    submission = own_api.post("/submissions?wait=0", {"job": "hello"}).data["submission_id"]
    batch = own_api.post("/batches?wait=0", {"action": "pause", "ids": [1]}).data["id"]
    for path in (f"/submissions/{submission}", f"/commands/{batch}", f"/batches/{batch}"):
        reply = own_api.get(path)
        assert (reply.data["state"], reply.headers["x-poll-after"]) == ("NEW", "2"), path


def declared(api: ApiServer) -> None:
    """A daemon that knows the job `hello`."""
    stand_in = StandIn(api.url)
    stand_in.daemon()
    stand_in.close()
