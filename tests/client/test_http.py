"""A client over HTTP: what networks do to it, and what it lets nobody see."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

import qflowd
from qflowd.api.call import Call
from qflowd.client import Client
from qflowd.client.http import connection
from qflowd.client.transport import READS, rows_at_once
from qflowd.model.errors import AccessDenied, InvalidRequest, QueryTooSlow, Rejected, StoreUnavailable
from qflowd.model.ids import ORDINALS, key_range
from qflowd.model.roles import Role
from tests.conftest import KINDS, GetServer
from tests.support.front import LOSE, Front
from tests.support.http import ApiServer, server_of
from tests.support.stand_in import StandIn

AWAY = (503, {"Content-Type": "application/json"}, b'{"code": 50301, "message": "the database is away", "data": null}')
SLOW = (
    503,
    {"Content-Type": "application/json"},
    b'{"code": 50302, "message": "the query took too long", "data": null}',
)
PAGE = (200, {"Content-Type": "text/html"}, b"<html>sign in</html>")


@pytest.fixture(scope="module", params=KINDS)
def api(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[ApiServer]:
    """A server with a system principal, shared by the tests of a module."""
    yield from server_of(request.param, get_server)


@pytest.fixture(scope="module")
def engine(api: ApiServer) -> Iterator[StandIn]:
    found = StandIn(api.url)
    yield found
    found.close()


@pytest.fixture
def front(api: ApiServer) -> Iterator[Front]:
    with Front(api.port) as found:
        yield found


@pytest.fixture
def client(api: ApiServer, front: Front) -> Iterator[Client]:
    with qflowd.connect(f"http://127.0.0.1:{front.port}", token=api.token) as found:
        yield found


def as_(api: ApiServer, role: Role, **scope: Any) -> Client:
    return qflowd.connect(f"http://127.0.0.1:{api.port}", token=api.token_of(role, **scope))


def test_a_submission_whose_answer_is_lost_is_not_another_one(engine: StandIn, client: Client, front: Front):
    front.does(LOSE, LOSE)
    number = client.submit(job="once").id
    rows = engine.sql("SELECT id, idempotency_key FROM qflow.submissions WHERE job = 'once' ORDER BY id")
    assert [len(front.seen), len(rows), len({key for _, key in rows})] == [3, 3, 1]  # the engine makes one of a key
    assert rows[-1][0] == number


def test_a_command_whose_answer_is_lost_is_there_once(engine: StandIn, client: Client, front: Front):
    number = client.submit(job="commanded").id
    front.does(LOSE)
    answer = client.command("pause", number, timeout=0)
    assert engine.sql(f"SELECT id FROM qflow.commands WHERE instance_id = {number}") == [(answer.id,)]
    assert len({seen.headers["Idempotency-Key"] for seen in front.seen}) == 1


@pytest.mark.parametrize(
    "error", [StoreUnavailable("it is away"), QueryTooSlow("it took too long")], ids=["away", "slow"]
)
def test_what_is_written_is_named_though_it_cannot_be_read(
    api: ApiServer, engine: StandIn, client: Client, front: Front, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    known = client.submit(job="named").id
    read = Call.read

    def fails(call: Call, statement: str, **params: Any) -> list[Any]:
        if statement in ("show_submission_answers", "show_command_answers"):
            raise error
        return read(call, statement, **params)

    monkeypatch.setattr(Call, "read", fails)
    front.does()
    number = client.submit(job="named").id
    answer = client.command("pause", known, timeout=0)
    assert len([seen for seen in front.seen if "/rows/" not in seen.path]) == 2  # nothing was sent again
    assert engine.sql(f"SELECT id FROM qflow.submissions WHERE job = 'named' AND id > {known}") == [(number,)]
    assert engine.sql(f"SELECT id FROM qflow.commands WHERE instance_id = {known}") == [(answer.id,)]
    many = api.post("/submissions?wait=0", {"items": [{"job": "named"}] * 2})
    asked = api.post("/commands?wait=0", {"items": [{"action": "pause", "instance_id": known}]})
    batch = api.post("/batches?wait=0", {"action": "retry", "where": {"workflow": "named"}})
    assert [(reply.status, reply.code) for reply in (many, asked, batch)] == [(202, 0)] * 3
    assert [item["state"] for item in many.data["items"]] == ["NEW"] * 2
    assert [(item["action"], item["state"]) for item in asked.data["items"]] == [("pause", "NEW")]
    assert batch.headers["location"] == f"/api/v1/batches/{batch.data['id']}"
    assert (batch.data["state"], batch.data["where"], batch.data["total"]) == ("NEW", {"workflow": "named"}, None)
    monkeypatch.setattr(Call, "read", read)
    assert api.get(f"/batches/{batch.data['id']}").data == batch.data | {"created_at": ANY}


def test_who_is_told_to_come_later_does(client: Client, front: Front):
    front.does((429, {"Retry-After": "1"}, b""), AWAY, (502, {}, b"Bad Gateway"))
    assert client.workflows() == []
    first, second, *_ = (seen.at for seen in front.seen)
    assert len(front.seen) == 4
    assert second - first >= 1


def test_patience_ends(client: Client, front: Front, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "PATIENCE_S", 2.0)
    front.does(*[AWAY] * 20)
    with pytest.raises(StoreUnavailable, match="the database is away"):
        client.workflows()
    assert 1 < len(front.seen) < 8


def test_what_took_too_long_is_not_asked_again(client: Client, front: Front):
    front.does(SLOW)
    with pytest.raises(QueryTooSlow):
        client.workflows()
    assert len(front.seen) == 1


def test_a_token_is_not_sent_on_by_a_redirect(client: Client, front: Front):
    front.does((302, {"Location": "https://elsewhere.example/"}, b""))
    with pytest.raises(
        InvalidRequest, match=r"redirects to https://elsewhere\.example/; if that is right, connect there"
    ):
        client.workflows()
    assert len(front.seen) == 1


def test_what_is_not_an_api_is_named(api: ApiServer, front: Front):
    for answer in (PAGE, (404, {}, b"not here")):
        front.does(answer)
        with pytest.raises(InvalidRequest, match=f"http://127.0.0.1:{front.port}"):
            qflowd.connect(f"http://127.0.0.1:{front.port}", token=api.token)


def test_nobody_there_is_told_at_once(api: ApiServer, front: Front):
    port = front.port
    front.__exit__()
    with pytest.raises(StoreUnavailable, match=f"http://127.0.0.1:{port} does not answer: .*refused"):
        qflowd.connect(f"http://127.0.0.1:{port}", token=api.token)
    front.__init__(api.port)
    front.__enter__()


def test_waiting_takes_few_requests(engine: StandIn, client: Client, front: Front):
    number = engine.admit(client.submit(job="waited").id, "waited")
    front.does()
    with pytest.raises(TimeoutError):
        client.instance(number).wait(1.5)
    assert len([seen for seen in front.seen if "/show_state" in seen.path]) <= 3
    engine.end(number)
    assert client.instance(number).wait(20) == "SUCCESS"


def test_a_token_stands_in_no_message(api: ApiServer, front: Front, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    secret = api.token.rpartition("_")[2]
    client = qflowd.connect(f"http://127.0.0.1:{front.port}", token=api.token)
    said = [repr(client), repr(client.transport), str(vars(client))]
    with pytest.raises(InvalidRequest) as refused:
        _ = client.store
    said.append(str(refused.value))
    with pytest.raises(AccessDenied) as unknown:
        qflowd.connect(f"http://127.0.0.1:{front.port}", token=f"{api.token}x")
    said += [str(unknown.value), caplog.text]
    assert [text for text in said if secret in text] == []
    assert {seen.path for seen in front.seen if "token" in seen.path.lower() or secret in seen.path} == set()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://qflowd.example", "would send the token in the clear"),
        ("https://user:word@qflowd.example", "the token is given by itself"),
        ("https://qflowd.example/?token=1", "the token is given by itself"),
        ("https://", "write https://HOST"),
        ("https://host:port", "cannot be read as a URL"),
    ],
)
def test_a_url_that_would_give_a_token_away_is_refused(url: str, message: str):
    with pytest.raises(InvalidRequest, match=message):
        qflowd.connect(url, token="qf_abc")


def test_a_token_belongs_to_an_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("QFLOWD_TOKEN", raising=False)
    with pytest.raises(InvalidRequest, match=r"needs a token: .*QFLOWD_TOKEN"):
        qflowd.connect("https://qflowd.example")
    with pytest.raises(InvalidRequest, match="for an HTTP API"):
        qflowd.connect(f"sqlite:///{tmp_path}/x.db", token="qf_abc")
    with pytest.raises(InvalidRequest, match="blanks"):
        qflowd.connect("https://qflowd.example", token="qf_abc\n")


def test_the_environment_names_the_api(api: ApiServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("QFLOWD_URL", f"http://localhost:{api.port}/")
    monkeypatch.setenv("QFLOWD_TOKEN", api.token)
    with qflowd.connect() as client:
        assert client.count_new() >= 0


def test_a_certificate_must_be_known(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "both.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
    ]
    names = ["2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", file, "-out", file]
    made = subprocess.run([*command, *names], capture_output=True, check=True)
    assert made.returncode == 0
    with Front(api.port, str(file)) as front:
        url = f"https://localhost:{front.port}"
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            qflowd.connect(url, token=api.token)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with qflowd.connect(url, token=api.token) as client:
            assert client.count_new() >= 0


def test_a_role_that_does_not_reach_is_named(api: ApiServer):
    with as_(api, Role.READ) as reader, pytest.raises(AccessDenied, match="needs role submit"):
        reader.submit(job="hello")
    with as_(api, Role.SUBMIT, jobs=("listed",)) as bound:
        with pytest.raises(AccessDenied, match="not on the list"):
            bound.submit(job="hello")
        assert bound.submit(job="listed").state() == "NEW"
    with pytest.raises(AccessDenied, match="only role system may look at other"):
        qflowd.connect(f"http://127.0.0.1:{api.port}", "other", token=api.token_of(Role.ADMIN))


def test_what_a_daemon_would_refuse_is_rejected_by_the_api(client: Client):
    with pytest.raises(Rejected, match="there is no instance 4711"):
        client.command("terminate", 4711)


def test_hosts_and_files_are_for_the_system(engine: StandIn, api: ApiServer, client: Client):
    engine.daemon("bastion-7", ("hello",))
    assert [(row["host"], row["name"]) for row in client.daemons()] == [("here", "bastion-7")]
    with as_(api, Role.ADMIN) as tenant:
        seen = [tenant.daemons(), tenant.pools(), tenant.jobs(), tenant.plugins()]
        assert "bastion-7" not in json.dumps(seen, default=str)
        assert [(row["host"], row["pid"]) for row in tenant.daemons()] == [(None, None)]
        assert [row["file"] for row in tenant.jobs()] == [None]
        assert [row["jobs"] for row in tenant.plugins()] == [["hello"]]
    with as_(api, Role.READ, jobs=("other",)) as bound:
        assert (bound.jobs(), bound.plugins()) == ([], [])


@pytest.mark.parametrize("name", [name for name, params in READS.items() if "batch" in params])
def test_a_request_holds_few_rows(api: ApiServer, name: str):
    others = key_range(1) | {"after": ORDINALS, "instance_id": 1, "before": 9, "before_fence": 9, "after_fence": 0}
    others |= {"task": "hello", "workflow": "hello", "name": "cron", "series": "bars", "is_all": 0, "id": 1}
    others |= dict.fromkeys(("since", "older_at"), "2026-11-20T00:00:00Z")
    query = "".join(f"&{key}={others[key]}" for key in READS[name] if key != "batch")
    most = rows_at_once(name)
    assert api.get(f"/rows/{name}?batch={most}{query}").status == 200
    reply = api.get(f"/rows/{name}?batch={most + 1}{query}")
    assert (reply.status, reply.code) == (400, 40002)
    assert str(most) in reply.message


def test_reads_are_taken_strictly(api: ApiServer):
    assert api.get("/rows/show_instanc?id=1").code == 40401
    for query in ("", "?id=1&after=3", "?id=x", "?id=-1", "?ids=1"):
        reply = api.get(f"/rows/show_instance{query}")
        assert (reply.status, reply.code) == (400, 40002), query
    assert api.get("/rows/show_instance").message.startswith("show_instance takes id, not none")
    assert api.get("/rows/show_instance?id=4711").data == {"columns": [], "rows": []}
    assert api.get("/rows/show_state?id=4711&wait=50").data["rows"] == []  # there is nothing to wait for
