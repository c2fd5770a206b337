"""The live stream: what a subscriber is told, what it costs, how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qflowd.api.http import slow_clients
from qflowd.api.live.hub import MOST_UNSENT
from qflowd.engine.access.tokens import revoke_token
from qflowd.model.ids import task_id
from qflowd.model.roles import Role
from tests.support.daemon import until
from tests.support.http import ApiServer, HttpClient
from tests.support.stand_in import StandIn


class Stream:
    """One open stream, read as a browser reads it."""

    def __init__(
        self, client: HttpClient, topics: str, last_event: str | None = None, buffer: int | None = None
    ) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(60)
        if buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.connect((client.host, client.port))
        more = f"Last-Event-ID: {last_event}\r\n" if last_event else ""
        head = (
            f"GET /api/v1/stream?topics={topics} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {client.token}\r\n{more}\r\n"
        )
        self._socket.sendall(head.encode())
        self._rest = b""
        self.head = self._until(b"\r\n\r\n").decode()
        self.last_id: str | None = None

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    def event(self) -> tuple[str, Any]:
        """The next event; ("end", None) when the stream has ended."""
        while True:
            try:
                text = self._until(b"\n\n").decode()
            except EOFError:
                return "end", None
            fields = dict(re.findall(r"^(\w+): (.*)$", text, re.MULTILINE))
            if "event" in fields:
                self.last_id = fields.get("id", self.last_id)
                return fields["event"], json.loads(fields["data"])

    def next(self, kind: str) -> Any:
        """The data of the next event of this kind; those before it are read over."""
        while (found := self.event())[0] != kind:
            assert found[0] != "end", f"the stream ended before {kind}"
        return found[1]

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            if not (part := self._socket.recv(65536)):
                raise EOFError
            self._rest += part
        found, _, self._rest = self._rest.partition(mark)
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def stand_in(api: ApiServer) -> Iterator[StandIn]:
    found = StandIn(api.url)
    yield found
    found.close()


@contextlib.contextmanager
def streaming(
    client: HttpClient, topics: str, last_event: str | None = None, buffer: int | None = None
) -> Iterator[Stream]:
    stream = Stream(client, topics, last_event, buffer)
    try:
        yield stream
    finally:
        stream.close()


def submitted(api: ApiServer, stand_in: StandIn, tasks: tuple[str, ...] = ("READY", "READY")) -> int:
    import qflowd

    with qflowd.connect(api.url) as client:
        number = client.submit(job="hello").id
    return stand_in.admit(number, tasks=tasks)


def test_an_instance_is_told_as_a_whole_and_then_by_what_changes(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    with streaming(api, f"instance:{number}") as stream:
        first = stream.next("snapshot")
        assert first["topic"] == f"instance:{number}"
        assert first["counts"] == {"0": {"READY": 1}, "1": {"READY": 1}}
        stand_in.finish(number, ordinal=1)
        changed = stream.next("delta")
        assert changed["counts"] == {"0": {"READY": 1}, "1": {"SUCCESS": 1}}
        # Of the boxes only those that have changed, as the graph shows them.
        assert list(changed["nodes"]) == ["1"]
        box = next(box for box in api.get(f"/instances/{number}/graph").data["boxes"] if box["node"] == 0)
        assert first["nodes"]["0"] == {name: box[name] for name in first["nodes"]["0"]}
        assert changed["changed"] == [1]
        stand_in.end(number)
        assert stream.next("delta")["instance"]["state"] == "SUCCESS"


def test_new_instances_come_into_the_list(api: ApiServer, stand_in: StandIn) -> None:
    with streaming(api, "instances") as stream:
        stream.next("snapshot")
        number = submitted(api, stand_in)
        rows = stream.next("delta")["items"]
        assert [row["id"] for row in rows] == [number]


def test_an_old_instance_that_runs_is_told_when_it_ends(own_api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qflowd.api.live.topics.NEWEST", 2)
    stand_in = StandIn(own_api.url)
    old = submitted(own_api, stand_in)
    newer = [submitted(own_api, stand_in, ("SUCCESS",)) for _ in range(3)]
    for number in newer:
        stand_in.end(number)
    with streaming(own_api, "instances") as stream:
        assert set(stream.next("snapshot")["items"]) == {str(number) for number in (old, *newer[1:])}
        stand_in.end(old, "FAILED", "it broke")
        (row,) = stream.next("delta")["items"]
        assert (row["id"], row["state"], row["error"]) == (old, "FAILED", "it broke")
    stand_in.close()


def test_the_first_page_is_told_field_by_field_and_hosts_to_system_callers_alone(own_api: ApiServer) -> None:
    stand_in = StandIn(own_api.url)
    stand_in.daemon("secret-host")
    with (
        streaming(own_api.as_(Role.SYSTEM), "overview") as whole,
        streaming(own_api.as_(Role.READ), "overview") as part,
    ):
        first, other = whole.next("snapshot")["overview"], part.next("snapshot")["overview"]
        assert first.keys() == other.keys() == own_api.get("/overview").data.keys()
        assert first["daemons"][0]["name"] == "secret-host"
        assert "secret-host" not in json.dumps(other)
        number = submitted(own_api, stand_in)
        while "running" not in (changed := whole.next("delta")["overview"]):
            pass
        assert "faulty_files" not in changed
        assert changed["now"] > first["now"]
        assert [run["id"] for run in changed["running"]] == [number]
    stand_in.close()


def test_topics_that_are_not_there_are_named_one_by_one(api: ApiServer) -> None:
    reply = api.get("/stream?topics=overview,instance:999999,batch:999998")
    assert (reply.status, reply.code) == (404, 40401)
    assert [each["where"] for each in reply.data["errors"]] == ["topics.instance:999999", "topics.batch:999998"]


def test_a_log_is_told_line_by_line_from_now_on(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    stand_in.log(number, "long ago")
    with streaming(api, f"log:{task_id(number, 0)}") as stream:
        stream.next("snapshot")
        stand_in.log(number, "now", "x" * 10_000)
        lines = stream.next("log")["lines"]
        if len(lines) == 1:
            lines += stream.next("log")["lines"]
    assert [line["message"][:3] for line in lines] == ["now", "xxx"]
    assert len(lines[1]["message"]) < 5000
    assert {line["task_id"] for line in lines} == {str(task_id(number, 0))}


def test_who_comes_back_is_told_what_was_missed(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    with streaming(api, f"instance:{number}") as kept, streaming(api, f"instance:{number}") as stream:
        stream.next("snapshot")
        kept.next("snapshot")
        last = stream.last_id
        stream.close()
        stand_in.finish(number, ordinal=0)
        kept.next("delta")
        with streaming(api, f"instance:{number}", last) as again:
            kind, data = again.event()
    assert kind == "delta"
    assert data["counts"]["0"] == {"SUCCESS": 1}


def test_who_comes_back_hears_of_several_topics_in_the_order_of_events(api: ApiServer, stand_in: StandIn) -> None:
    """Else the last one heard may be older than one that is still to come, which is then never told."""
    first, second = submitted(api, stand_in), submitted(api, stand_in)
    topics = f"instance:{first},instance:{second}"
    with streaming(api, topics) as kept, streaming(api, topics) as stream:
        for each in (stream, stream, kept, kept):
            each.next("snapshot")
        last = stream.last_id
        stream.close()
        told = []
        for ordinal in (0, 1):
            for number in (first, second):
                stand_in.finish(number, ordinal=ordinal)
                told.append(kept.next("delta")["topic"])
        with streaming(api, topics, last) as again:
            heard, seen_ids = [], set()
            for _ in told:
                heard.append(again.next("delta")["topic"])
                seen_ids.add(again.last_id)
    assert heard == told
    assert len(seen_ids) == 2  # none at first, then that of the last: who leaves in between hears all of them again


def test_who_asks_gets_nothing_older_than_what_was_told(api: ApiServer, stand_in: StandIn) -> None:
    for _ in range(3):
        number = submitted(api, stand_in)
        with streaming(api, "overview") as stream:
            stream.next("snapshot")
            api.get("/overview")  # kept for a second
            stand_in.end(number)
            while "states" not in (told := stream.next("delta")["overview"]):
                pass
            assert api.get("/overview").data["states"] == told["states"]


def test_a_client_that_reads_nothing_loses_its_connection(
    api: ApiServer, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "SLOWEST_SEND_S", 1.0)
    number = submitted(api, stand_in)
    with streaming(api, f"log:{task_id(number, 0)}", buffer=4096) as stream:
        stream.next("snapshot")
        before = api.count_connections()

        def is_cut() -> bool:
            stand_in.log(number, *["x" * 4_000] * 200)
            return api.count_connections() < before

        until(is_cut, 60, what="the connection to be cut")


def test_who_comes_back_to_another_server_is_told_to_ask_again(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    with streaming(api, f"instance:{number}", "ffffffff.12") as stream:
        assert stream.event()[0] == "resync"


@pytest.mark.parametrize("topic", ["weather", "instance", "instance:x", "instances:1", "log:", ""])
def test_a_topic_that_is_not_there_is_named(api: ApiServer, topic: str) -> None:
    reply = api.get(f"/stream?topics={topic}")
    assert (reply.status, reply.code) == (400, 40002)
    assert "there is no topic" in reply.message


def test_more_topics_than_a_stream_takes_are_refused(api: ApiServer) -> None:
    reply = api.get("/stream?topics=" + ",".join(f"instance:{number}" for number in range(21)))
    assert (reply.status, reply.code) == (400, 40002)


@pytest.mark.parametrize("kind", ["instance", "log", "batch"])
def test_what_is_another_tenants_does_not_exist(api: ApiServer, stand_in: StandIn, kind: str) -> None:
    number = submitted(api, stand_in)
    ids = {"instance": number, "log": task_id(number, 0), "batch": 1}
    reply = api.as_(Role.ADMIN, "other").get(f"/stream?topics={kind}:{ids[kind]}")
    assert (reply.status, reply.code) == (404, 40401)


def test_the_head_of_a_stream_alone_opens_none(api: ApiServer) -> None:
    for _ in range(5):
        reply = api.request("HEAD", "/stream?topics=instances")
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["content-type"].startswith("text/event-stream")


def test_a_principal_has_four_streams(api: ApiServer) -> None:
    caller = api.as_(Role.READ)
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(streaming(caller, "instances")).next("snapshot")
        reply = caller.get("/stream?topics=instances")
        assert (reply.status, reply.code) == (429, 42903)
        assert reply.headers["retry-after"] == "5"


def test_twenty_who_look_at_one_instance_cost_as_much_as_one(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    looks = []
    read = api.api.store.read

    def counted(work: Any) -> Any:
        looks.append(work)
        return read(work)

    api.api.store.read = counted  # type: ignore[method-assign]
    try:
        with contextlib.ExitStack() as stack:
            clients = [api.as_(Role.READ) for _ in range(5)]
            streams = [
                stack.enter_context(streaming(client, f"instance:{number}")) for client in clients for _ in range(4)
            ]
            for stream in streams:
                stream.next("snapshot")
            looks.clear()
            stand_in.finish(number, ordinal=0)
            for stream in streams:
                stream.next("delta")
            # The head, the nodes, the rows, for each second that went by; and now and then a look at credentials.
            assert len(looks) <= 40
    finally:
        del api.api.store.read
    until(lambda: api.api.hub.count_streams("")[0] == 0, 30, what="the streams to be left")


def test_without_subscribers_no_statement_is_run(own_api: ApiServer) -> None:
    with streaming(own_api, "instances") as stream:
        stream.next("snapshot")
    until(lambda: own_api.api.hub.count_streams("")[0] == 0, 30, what="the stream to be left")
    looks: list[Any] = []
    own_api.api.store.read = looks.append  # type: ignore[method-assign]
    time.sleep(2.5)  # more than two periods of the hub: nothing must come, so there is nothing to wait for
    del own_api.api.store.read
    assert looks == []


def test_a_stream_ends_with_its_token(api: ApiServer) -> None:
    caller = api.as_(Role.READ)
    assert caller.token is not None
    token = caller.token.split("_")[1]
    with streaming(caller, "instances") as stream:
        stream.next("snapshot")
        api.store.transact(lambda tx: revoke_token(tx, _system(), token))
        assert stream.next("bye") == {}
        assert stream.event() == ("end", None)


def _system() -> Any:
    from qflowd.engine.access.audit import Actor

    return Actor("tests")


def test_three_open_streams_do_not_keep_a_server_from_ending(sqlite_url: str, tmp_path: Path) -> None:
    with ApiServer(sqlite_url) as other:
        token = other.token
        (tmp_path / "qflowd.toml").write_text(f'[database]\nurl = "{sqlite_url}"\n')
        server = subprocess.Popen(
            [sys.executable, "-m", "qflowd", "api", "--bind", "127.0.0.1:0"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "QFLOWD_CONFIG": str(tmp_path / "qflowd.toml")},
        )
        assert server.stdout is not None
        port = int(server.stdout.readline().strip().strip("/").rpartition(":")[2])
        client = HttpClient(port, token)
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(streaming(client, "instances")) for _ in range(3)]
            for stream in streams:
                stream.next("snapshot")
            server.send_signal(signal.SIGTERM)
            assert [stream.next("bye") for stream in streams] == [{}] * 3
            _, told = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "error" not in told.lower()


def test_a_second_viewer_gets_what_there_is_however_much(own_api: ApiServer) -> None:
    """More than may be left unread: it has not had the time to read anything."""
    stand_in = StandIn(own_api.url)
    for _ in range(100):
        stand_in.end(submitted(own_api, stand_in, ("SUCCESS",)), "FAILED", "it broke; " * 100)
    stand_in.close()
    with streaming(own_api, "instances") as first, streaming(own_api, "instances") as second:
        whole = first.next("snapshot")
        assert len(json.dumps(whole)) > MOST_UNSENT
        assert all(len(row["error"] or "") <= 300 for row in whole["items"].values())
        kind, data = second.event()
        assert (kind, len(data["items"])) == ("snapshot", 100)


def test_a_topic_keeps_no_more_than_so_many_bytes_for_those_who_come_back(api: ApiServer, stand_in: StandIn) -> None:
    number = submitted(api, stand_in)
    with streaming(api, f"log:{task_id(number, 0)}") as stream:
        stream.next("snapshot")
        first = stream.last_id
        for _ in range(2):
            stand_in.log(number, *["x" * 4000] * 50)
            stream.next("log")
    with streaming(api, f"log:{task_id(number, 0)}", first) as again:
        assert again.event()[0] == "resync"
