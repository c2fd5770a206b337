"""A write that was acknowledged is there, and one that is repeated is carried out once."""

from __future__ import annotations

import threading
from http.client import HTTPException
from pathlib import Path

from qflowd.model.roles import Role
from tests.support.hosts import registered
from tests.support.http import ApiProcess, ApiServer, HttpClient, Reply
from tests.support.lab import Lab


def count(api: ApiServer, table: str) -> int:
    statement = "count_new" if table == "submissions" else "find_open_work"
    rows = api.store.read(lambda tx: tx.run(statement, **({"tenant": "default"} if table == "submissions" else {})))
    return int(rows[0].submissions) if table == "submissions" else int(rows[0].command is not None)


def commands(api: ApiServer) -> int:
    return len(api.store.read(lambda tx: tx.run("list_open_commands", batch=1000, least=0)))


def test_a_command_that_is_repeated_is_asked_for_once(own_api: ApiServer) -> None:
    body = {"action": "set_limit", "args": {"limit": "vendor:x", "slots": 3}}
    first = own_api.post("/commands?wait=0", body, idempotency_key="k1")
    again = own_api.post("/commands?wait=0", dict(reversed(body.items())), idempotency_key="k1")
    assert (first.status, again.status) == (202, 202)
    assert first.data["command_id"] == again.data["command_id"]
    assert commands(own_api) == 1
    other = own_api.post("/commands?wait=0", body | {"reason": "x"}, idempotency_key="k1")
    assert (other.status, other.code) == (409, 40905)
    assert own_api.post("/commands?wait=0", body, idempotency_key="k2").data["command_id"] != first.data["command_id"]


def test_a_start_that_is_repeated_is_one_submission(own_api: ApiServer) -> None:
    lab = Lab(own_api.url)
    lab.workflow("daily", {"a": []})
    starts = [("/workflows/daily/start", {"params": {"n": 1}}, {"params": {"n": 2}}),
              ("/workflows/daily/instances", {"name": "x"}, {"name": "y"}),
              ("/submissions", {"job": "hello"}, {"job": "other"})]  # fmt: skip
    for path, body, other in starts:
        first, again = (own_api.post(f"{path}?wait=0", body, idempotency_key=path) for _ in range(2))
        assert (first.status, again.status) == (202, 202), first.body
        assert first.data["submission_id"] == again.data["submission_id"], path
        changed = own_api.post(f"{path}?wait=0", other, idempotency_key=path)
        assert (changed.status, changed.code) == (409, 40905), path
    keys = lab.sql("SELECT idempotency_key FROM qflow.submissions ORDER BY id")
    assert [key for (key,) in keys] == [path for path, _, _ in starts], "each has one row, with its key"
    lab.close()


def test_a_key_in_the_body_is_that_of_the_header(own_api: ApiServer) -> None:
    body = {"job": "hello", "idempotency_key": "k"}
    other = own_api.post("/submissions?wait=0", body, idempotency_key="j")
    assert (other.status, other.code) == (422, 42202)
    assert "'j'" in other.message
    assert count(own_api, "submissions") == 0
    assert own_api.post("/submissions?wait=0", body, idempotency_key="k").status == 202


def test_many_rows_that_are_repeated_are_written_once(own_api: ApiServer) -> None:
    rows = {"items": [{"job": "hello"}] * 5}
    first = own_api.post("/submissions?wait=0", rows, idempotency_key="many")
    again = own_api.post("/submissions?wait=0", rows, idempotency_key="many")
    assert [item["submission_id"] for item in first.data["items"]] == [
        item["submission_id"] for item in again.data["items"]
    ]
    assert count(own_api, "submissions") == 5


def test_a_workflow_that_is_sent_twice_is_stored_and_run_once(own_api: ApiServer) -> None:
    body = {"definition": {"workflow": "sent", "tasks": {"a": {"job": "hello"}}}}
    first = own_api.post("/workflows?wait=0", body, idempotency_key="w")
    again = own_api.post("/workflows?wait=0", body, idempotency_key="w")
    assert first.data["submission_id"] == again.data["submission_id"]
    assert count(own_api, "submissions") == 1


DOCUMENT = {"workflow": "drafted", "tasks": {"a": {"job": "hello"}}}
# Verbs that are carried out at once, in an order in which each may follow those before it.
VERBS = [
    ("/task-types", {"type": "hellos", "job": "hello"}),
    ("/task-definitions", {"key": "greeting", "type": "hellos"}),
    ("/workflows/drafted/versions", {"document": DOCUMENT, "new": True}),
    ("/workflows/drafted/versions/1/nodes", {"key": "b", "job": "hello"}),
    ("/workflows/drafted/versions/1/edges", {"from": "a", "to": "b"}),
    ("/workflows/drafted/versions/1/activate", {}),
    ("/workflows/drafted/archive", {"reason": "not now"}),
    ("/workflows/drafted/unarchive", {}),
    ("/workflows/drafted/versions", {"copy_of": 1}),
    ("/workflows/drafted/versions/2/archive", {}),
    ("/principals", {"name": "robot", "kind": "service", "role": "submit"}),
    ("/tenants", {"name": "desk"}),
]


def test_every_verb_that_is_repeated_is_carried_out_once_and_answered_alike(own_api: ApiServer) -> None:
    lab = Lab(own_api.url)
    registered(lab, "hello")
    lab.close()
    before = len(own_api.get("/audit").data["items"])
    for number, (path, body) in enumerate(VERBS):
        first, again = (own_api.post(path, body, idempotency_key=f"v{number}", if_match="*") for _ in range(2))
        assert first.status in (200, 201), (path, first.body)
        assert (again.status, again.data) == (first.status, first.data), path
        assert (again.headers.get("etag"), again.headers.get("location")) == (
            first.headers.get("etag"),
            first.headers.get("location"),
        )
    assert [each["version"] for each in own_api.get("/workflows/drafted/versions").data] == [2, 1]
    assert [each["key"] for each in own_api.get("/workflows/drafted/versions/1/nodes").data] == ["a", "b"]
    entries = own_api.get("/audit").data["items"]
    assert len(entries) == before + len(VERBS) - 1  # of the tenant that is made: its own audit


def test_a_secret_is_shown_once_and_made_once(own_api: ApiServer) -> None:
    first, again = (own_api.post("/tokens", {"note": "mine"}, idempotency_key="t") for _ in range(2))
    assert (first.status, again.status, again.code) == (201, 409, 40901)
    assert "its text is shown once" in again.message
    assert first.data["token"] not in str(
        own_api.store.read(lambda tx: tx.run("load_http_key", tenant="default", name="t"))
    )
    assert [each["note"] for each in own_api.get("/tokens").data["items"]].count("mine") == 1


def test_a_key_of_another_tenant_is_another_key(own_api: ApiServer) -> None:
    body = {"action": "pause", "workflow": "x"}
    first = own_api.as_(Role.ADMIN, tenant="a").post("/commands?wait=0", body, idempotency_key="k")
    second = own_api.as_(Role.ADMIN, tenant="b").post("/commands?wait=0", body, idempotency_key="k")
    assert first.data["command_id"] != second.data["command_id"]


def test_a_key_that_cannot_be_kept_is_refused(own_api: ApiServer) -> None:
    assert own_api.post("/commands", {"action": "pause", "workflow": "x"}, idempotency_key="x" * 201).code == 42202


def test_two_that_come_at_once_are_one(own_api: ApiServer) -> None:
    body = {"action": "set_limit", "args": {"limit": "vendor:x", "slots": 3}}
    replies: list[Reply] = []

    def post() -> None:
        replies.append(own_api.post("/commands?wait=0", body, idempotency_key="race"))

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies} == {202}
    assert len({reply.data["command_id"] for reply in replies}) == 1
    assert commands(own_api) == 1


def test_a_key_is_forgotten_after_a_day(own_api: ApiServer) -> None:
    body = {"action": "set_limit", "args": {"limit": "vendor:x", "slots": 3}}
    first = own_api.post("/commands?wait=0", body, idempotency_key="old")
    long_ago = "'2020-01-01'" if own_api.store.dialect.name != "sqlite" else "1"
    own_api.store.connection().script(f"UPDATE qflow.http_key SET created_at = {long_ago}")
    again = own_api.post("/commands?wait=0", body, idempotency_key="old")
    assert again.data["command_id"] != first.data["command_id"]


def test_a_server_that_is_killed_in_a_write_loses_nothing_that_it_acknowledged(
    own_api: ApiServer, tmp_path: Path
) -> None:
    token = own_api.token_of(Role.ADMIN)
    acknowledged: dict[str, int] = {}
    for life in range(3):
        process = ApiProcess(own_api.url, tmp_path)
        client = HttpClient(process.port, token)
        has_some = threading.Event()

        def write(number: int, client: HttpClient = client, life: int = life, seen: threading.Event = has_some) -> None:
            for turn in range(1000):
                key = f"{life}-{number}-{turn}"
                try:
                    reply = client.post("/commands?wait=0", _asked(key), idempotency_key=key)
                except (OSError, HTTPException):  # half an answer, too
                    return
                assert reply.status == 202, reply.body
                acknowledged[key] = reply.data["command_id"]
                if turn > 3:
                    seen.set()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        assert has_some.wait(60)
        process.kill()
        for thread in threads:
            thread.join(60)
    stored = {row.id for row in own_api.store.read(lambda tx: tx.run("list_open_commands", batch=100_000, least=0))}
    assert len(acknowledged) > 9
    assert set(acknowledged.values()) <= stored
    for key, number in list(acknowledged.items())[-20:]:
        repeated = own_api.post("/commands?wait=0", _asked(key), idempotency_key=key)
        assert repeated.data["command_id"] == number, "the repetition gets the first answer"


def _asked(key: str) -> dict:
    return {"action": "pause_limit", "args": {"limit": "vendor:x"}, "reason": key}
