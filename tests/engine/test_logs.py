"""Log lines on their way to the table: one that a database refuses holds up no other."""

from qflowd.engine.logs import Logs
from qflowd.workers.log_budget import LogLine


def line(message: str, *, level: str = "INFO", logger: str = "work") -> LogLine:
    return LogLine(1 << 20, 1, 1, 1, "log", level, logger, message, None)


def test_a_line_that_is_refused_holds_up_no_other(lab):
    bad = [line("bad", logger="a\0b"), line("bad", level="L" * 100)]
    printed = iter([[line("first"), *bad, line("last")]])
    logs = Logs(lab.store, lambda: next(printed))
    logs.tick()
    kept = [message for (message,) in lab.sql("SELECT message FROM qflow.log_line ORDER BY id")]
    assert (kept[0], kept[-1]) == ("first", "last")
    assert len(kept) == {"sqlite": 4}.get(lab.store.dialect.name, 3)


def test_what_nobody_can_attribute_is_in_the_log_of_the_daemon(lab, caplog):
    stray = line("who wrote this")._replace(task_id=0)
    Logs(lab.store, lambda: [stray, line("told")]).tick()
    assert [message for (message,) in lab.sql("SELECT message FROM qflow.log_line ORDER BY id")] == ["told"]
    assert "who wrote this" in caplog.text
