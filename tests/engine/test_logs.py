"""Log lines on their way to the table: one that a database refuses holds up no other."""

from contextlib import closing

import msgspec
import pytest

from qflowd.engine.running import logs as engine_logs
from qflowd.engine.running.logs import Logs
from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import Store
from qflowd.workers.log_budget import PrintedLine
from tests.support.lab import Lab
from tests.support.proxy import Proxy


def line(message: str, *, level: str = "INFO", logger: str = "work") -> PrintedLine:
    return PrintedLine(1 << 20, 1, 1, 1, "log", level, logger, message, None)


def test_a_line_that_is_refused_holds_up_no_other(lab):
    bad = [line("bad", logger="a\0b"), line("bad", level="L" * 100)]
    printed = iter([[line("first"), *bad, line("last")]])
    logs = Logs(lab.store, lambda: next(printed))
    logs.tick()
    kept = [message for (message,) in lab.sql("SELECT message FROM qflow.log_line ORDER BY id")]
    assert (kept[0], kept[-1]) == ("first", "last")
    assert len(kept) == {"sqlite": 4}.get(lab.store.dialect.name, 3)


def test_what_nobody_can_attribute_is_in_the_log_of_the_daemon(lab, caplog):
    stray = msgspec.structs.replace(line("who wrote this"), task_id=0)
    Logs(lab.store, lambda: [stray, line("told")]).tick()
    assert [message for (message,) in lab.sql("SELECT message FROM qflow.log_line ORDER BY id")] == ["told"]
    assert "who wrote this" in caplog.text


def test_where_nothing_is_printed_it_looks_less_often_until_something_is(lab):
    printed = iter([[], [], [], [], [line("at last")], []])
    logs = Logs(lab.store, lambda: next(printed))
    assert [logs.tick() for _ in range(6)] == [0.4, 0.8, 1.0, 1.0, 0.2, 0.4]


@pytest.mark.parametrize("is_applied", [True, False])
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_lines_whose_commit_is_not_answered_are_there_once(get_server, kind, is_applied, monkeypatch):
    monkeypatch.setattr(engine_logs, "BATCH", 50)
    server = get_server(kind)
    url = server.create_store()
    lines = [msgspec.structs.replace(line(f"line {number}"), at_us=number // 20) for number in range(120)]
    printed = iter([lines, [line("more")]])
    with closing(Lab(url)) as lab, Proxy(server.port) as proxy:
        with closing(Store(url.replace(f":{server.port}", f":{proxy.port}"), clock=lab.clock)) as store:
            logs = Logs(store, lambda: next(printed))
            if is_applied:
                proxy.lose_reply("log_line", "line 70")
            else:
                store.connection()
                proxy.hang_up_on("line 70")
            with pytest.raises(StoreUnavailable):
                logs.tick()
            logs.tick()
        assert proxy.lost == int(is_applied)
        written = [message for (message,) in lab.sql("SELECT message FROM qflow.log_line ORDER BY id")]
        assert written == [row.message for row in lines] + ["more"]
    server.give_back(url)
