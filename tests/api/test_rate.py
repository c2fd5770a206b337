"""How much one caller may ask: so many a second, four at work; without credentials a quarter, by address."""

from __future__ import annotations

import threading

import pytest

from qflowd.api.access import rate
from qflowd.api.access.rate import Buckets
from qflowd.api.resources import audit, me
from qflowd.model.roles import Role
from tests.api.person import Person
from tests.support.daemon import until
from tests.support.http import ApiServer, HttpClient

SLOW = {"rate": "1/h", "burst": 8}


def test_who_asks_too_much_is_told_how_long_to_wait(database_url):
    with ApiServer(database_url, SLOW) as api:
        one, two = api.as_(Role.READ), api.as_(Role.READ)
        assert [one.get("/me").status for _ in range(8)] == [200] * 8
        reply = one.get("/me")
        assert (reply.status, reply.code) == (429, 42901)
        assert 3000 < int(reply.headers["retry-after"]) <= 3600
        assert "read-2" in reply.message
        assert two.get("/me").status == 200


def test_of_writes_a_quarter_is_allowed(sqlite_url):
    with ApiServer(sqlite_url, SLOW) as api:
        client = api.as_(Role.READ)
        assert [client.put("/me", {}).status for _ in range(3)] == [200, 200, 429]
        assert client.get("/me").status == 200


def test_without_credentials_an_address_has_a_quarter_and_health_is_not_counted(sqlite_url):
    with ApiServer(sqlite_url, SLOW) as api:
        good = api.as_(Role.READ)
        assert good.get("/me").status == 200
        statuses = [HttpClient(api.port, token).get("/me").status for token in (None, "x", "y", "z")]
        assert statuses == [401, 401, 429, 429]
        assert HttpClient(api.port).get("/version").status == 429
        assert Person(api).sign_in("x").status == 429
        assert [HttpClient(api.port).get("/healthz").status for _ in range(5)] == [200] * 5
        assert good.get("/me").status == 200


def test_four_requests_of_one_principal_are_at_work_and_others_wait_for_their_turn(own_api, monkeypatch):
    begun, free = threading.Semaphore(0), threading.Event()
    original, counts, lock = me._me, [0, 0], threading.Lock()

    def slow(*args):
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        begun.release()
        free.wait(20)
        with lock:
            counts[0] -= 1
        return original(*args)

    monkeypatch.setattr(me, "_me", slow)
    client, replies = own_api.as_(Role.READ), []
    threads = [threading.Thread(target=lambda: replies.append(client.get("/me").status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        assert begun.acquire(timeout=10)
    other = own_api.as_(Role.READ)
    assert other.get("/sessions").status == 200  # somebody else's turn
    free.set()
    for thread in threads:
        thread.join()
    assert (replies, counts[1]) == ([200] * 6, 4)


def test_who_waits_too_long_for_a_turn_is_told_so(own_api, monkeypatch):
    begun, free = threading.Semaphore(0), threading.Event()
    original = me._me

    def slow(*args):
        begun.release()
        free.wait(20)
        return original(*args)

    monkeypatch.setattr(me, "_me", slow)
    monkeypatch.setattr(rate, "LONGEST_QUEUE_S", 0.1)
    client = own_api.as_(Role.READ)
    threads = [threading.Thread(target=client.get, args=("/me",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        assert begun.acquire(timeout=10)
    reply = client.get("/me")
    free.set()
    for thread in threads:
        thread.join()
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, 42901, "1")
    assert "4 requests of read-2 are at work" in reply.message
    assert client.get("/me").status == 200


def test_a_bucket_fills_up_again(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rate.time, "monotonic", lambda: now[0])
    bucket = Buckets(2.0, 3)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]
    assert bucket.take("b") == 0
    now[0] += 0.5
    assert (bucket.take("a"), bucket.take("a")) == (0, pytest.approx(0.5))
    now[0] += 1000
    assert [bucket.take("a") for _ in range(4)][:3] == [0, 0, 0]


def test_buckets_at_rest_take_no_room(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rate.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(rate, "MOST_KEYS", 10)
    bucket = Buckets(1.0, 2)
    for number in range(100):
        bucket.take(str(number))
    assert len(bucket._left) <= 11
    now[0] += 10
    bucket.take("x")
    assert len(bucket._left) <= 11


def test_reading_a_part_of_a_download_is_work(own_api, monkeypatch):
    begun, free = threading.Semaphore(0), threading.Event()
    original = audit.list_audit

    def slow(*args):
        begun.release()
        free.wait(20)
        return original(*args)

    monkeypatch.setattr(audit, "list_audit", slow)
    monkeypatch.setattr(rate, "LONGEST_QUEUE_S", 0.1)
    client, replies = own_api.as_(Role.ADMIN), []
    threads = [threading.Thread(target=lambda: replies.append(client.get("/audit.csv"))) for _ in range(4)]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=10)
    assert client.get("/me").code == 42901
    free.set()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [200] * 4
    assert all("TOKEN_CREATE" in reply.text for reply in replies)
    assert client.get("/me").status == 200


def test_who_lets_too_many_requests_wait_is_answered_at_once(own_api, monkeypatch):
    monkeypatch.setattr(rate, "MOST_WAITING", 2)
    body = {"action": "pause_limit", "args": {"limit": "vendor:x"}}
    number = own_api.post("/commands?wait=0", body).data["command_id"]
    threads = [threading.Thread(target=own_api.get, args=(f"/commands/{number}?wait=60",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: own_api.api.rates._waiting.total() == 2, 10, what="both to wait")
    reply = own_api.get(f"/commands/{number}?wait=60")
    assert (reply.status, reply.data["state"]) == (200, "NEW")
    reply = own_api.post("/commands?wait=60", body)
    assert (reply.status, reply.message) == (202, "it is written; the answer was not waited for")
    about = {"state": "DONE", "result": "{}", "error": None, "error_code": None}
    own_api.store.transact(lambda tx: tx.run("answer_command", id=number, now=tx.now, **about))
    for thread in threads:
        thread.join(60)
    assert not own_api.api.rates._waiting
