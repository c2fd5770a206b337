"""Requests that wait hold no thread, and are asked for together."""

from __future__ import annotations

import threading

import pytest

from qflowd.api.http import app
from tests.support.daemon import until
from tests.support.http import ApiServer, Reply

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
