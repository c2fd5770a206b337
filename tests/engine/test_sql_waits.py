"""A task that waits for a condition in another database holds no slot until its query says that it holds."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from qflowd.config.records import ConnectionConfig
from qflowd.engine.waits import sql_waits
from qflowd.engine.waits.open_looks import IDLE_S, LOOK_S
from qflowd.engine.waits.sql_judge import LONGEST_VALUE, judge_value
from qflowd.engine.waits.sql_waits import SqlWaits
from qflowd.model.errors import StoreUnavailable
from qflowd.store.guests import guest
from tests.support.daemon import until
from tests.support.lab import Lab
from tests.support.signals_sent import DAY, drive, error, send, signals, wait_reason

WAITS = "waits for connection vendor: SELECT"


def asker(lab: Lab, name: str = "a1", patience_s: float = 60, **urls: str | ConnectionConfig) -> SqlWaits:
    """What a daemon asks with. The connection `vendor` leads to the database of the lab, unless `urls` says otherwise."""
    urls = urls or {"vendor": lab.url}
    connections = {key: ConnectionConfig(each) if isinstance(each, str) else each for key, each in urls.items()}
    return SqlWaits(lab.store, lab.topics, connections, name, lambda: lab.clock.now().timestamp(), patience_s)


def begin(lab: Lab, sql: str = "", **wait: Any) -> int:
    """An instance whose task waits until a bar of its business date is there."""
    if not sql:
        sql = (
            f"SELECT count(*) > 0 FROM {signals(lab)} WHERE business_date = :d AND name = 'it''s :d; 5%' AND 1 < :least"
        )
        wait = {"params": {"d": "{{ business_date }}", "least": 2}, **wait}
    lab.define("bars", {"come": {"wait_for": {"sql": sql, "connection": "vendor", **wait}}})
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    return number


def look(lab: Lab, service: SqlWaits, seconds: float = 30) -> None:
    """Look again so many seconds later, and do what follows."""
    lab.clock.advance(seconds)
    service.tick()
    drive(lab)


def deliver(lab: Lab) -> None:
    send(lab, "it''s :d; 5%", business_date=DAY)


def test_a_wait_ends_when_the_condition_holds_and_is_looked_at_every_so_often(lab: Lab) -> None:
    number, service = begin(lab, timeout="2h"), asker(lab)
    until_at = "since 2026-11-20T09:30:00Z, at most until 2026-11-20T11:30:00Z"
    assert wait_reason(lab, number, "come").startswith(WAITS)
    assert wait_reason(lab, number, "come").endswith(until_at)
    assert service.tick() == LOOK_S
    assert f"{until_at}; daemon a1: the query gives " in wait_reason(lab, number, "come")
    deliver(lab)
    look(lab, service, 29)
    assert lab.state(number) == "RUNNING"
    look(lab, service, 1)
    [(state, output)] = lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}")
    assert (state, int(json.loads(output))) == ("SUCCESS", 1)
    assert service.tick() == IDLE_S
    lab.check(drained=True)


@pytest.mark.parametrize(
    ("value", "remark"),
    [
        ("NULL", "the query gives NULL"),
        ("0", "the query gives 0"),
        ("''", "the query gives the string ''"),
        ("'0'", "the query gives the string '0'"),
        ("1 WHERE 1 = 0", "the query gives no row"),
        ("no_such_column", "no_such_column"),
        ("1 FROM qflow.no_such_table", "no_such_table"),
    ],
)
def test_what_does_not_hold_is_said_and_waited_for(lab: Lab, value: str, remark: str) -> None:
    number = begin(lab, f"SELECT {value}")
    look(lab, asker(lab))
    assert remark in wait_reason(lab, number, "come").partition("; daemon a1: ")[2]
    assert lab.state(number) == "RUNNING"


@pytest.mark.parametrize(("value", "output"), [("2", 2), ("'no'", "no"), ("1.5", 1.5), ("DATE('2026-11-20')", DAY)])
def test_any_other_value_holds_and_is_the_output(lab: Lab, value: str, output: object) -> None:
    number = begin(lab, f"SELECT {value}, 0")
    look(lab, asker(lab))
    [(state, found)] = lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}")
    assert (state, float(json.loads(found)) if output == 1.5 else json.loads(found)) == ("SUCCESS", output)


def test_a_daemon_without_the_connection_says_what_is_missing_and_another_one_may_have_it(lab: Lab) -> None:
    number, without = begin(lab), asker(lab, other=lab.url)
    without.tick()
    remedy = "; daemon a1: connection vendor is not under [connections] of its qflowd.toml"
    assert wait_reason(lab, number, "come").endswith(remedy)
    other = asker(lab, "a2")
    other.tick()
    look(lab, without, 0)
    assert "; daemon a2: the query gives" in wait_reason(lab, number, "come")
    deliver(lab)
    look(lab, other)
    assert lab.state(number) == "SUCCESS"


def test_a_daemon_asks_a_connection_for_the_tenants_that_it_is_for(lab: Lab) -> None:
    wait = {"come": {"wait_for": {"sql": "SELECT 1", "connection": "vendor"}}}
    numbers = []
    for tenant in ("default", "desk"):  # in the same words, so that they are asked once
        lab.define("bars", wait, tenant=tenant)
        numbers.append(lab.start("bars", tenant=tenant))
    drive(lab)
    look(lab, asker(lab, vendor=ConnectionConfig(lab.url, ("desk",))))
    assert [lab.state(number) for number in numbers] == ["RUNNING", "SUCCESS"]
    remedy = "; daemon a1: connection vendor is not for tenant default: add it to [connections.vendor] tenants of its qflowd.toml"
    assert wait_reason(lab, numbers[0], "come").endswith(remedy)
    look(lab, asker(lab, "a2"))
    assert lab.state(numbers[0]) == "SUCCESS"


def test_two_daemons_that_see_it_end_the_wait_once(lab: Lab) -> None:
    number, other = begin(lab), Lab(lab.url, owner=8)
    deliver(lab)
    lab.just_before("meet_seen", lambda: look(other, asker(other, "a2")))
    look(lab, asker(lab))
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)
    other.close()


def test_a_wait_ends_at_its_timeout_and_is_asked_for_no_more(lab: Lab) -> None:
    number, service = begin(lab, "SELECT 0", timeout="2h"), asker(lab)
    service.tick()
    lab.clock.advance(7200)
    drive(lab)
    assert error(lab, number, "come") == (
        "connection vendor: SELECT 0 had not held by 2026-11-20T11:30:00Z; daemon a1: the query gives 0"
    )
    service.tick()
    assert lab.sql("SELECT is_open FROM qflow.file_wait") == [(0,)]


def test_a_database_that_refuses_is_tried_again_and_no_password_is_shown(lab: Lab) -> None:
    number = begin(lab)
    away = {
        "sqlite": "sqlite:////no/such/folder/bars.db",
        "postgres": "postgresql://me:geheim@127.0.0.1:1/bars",
        "mariadb": "mysql://me:geheim@127.0.0.1:1/bars",
    }
    look(lab, asker(lab, vendor=away.get(lab.store.dialect.name) or away["mariadb"]))
    reason = wait_reason(lab, number, "come")
    assert "; daemon a1: cannot connect: " in reason
    assert "geheim" not in reason
    deliver(lab)
    look(lab, asker(lab))
    assert lab.state(number) == "SUCCESS"


def test_what_takes_too_long_is_stopped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest.Guest, "statement_s", 1)
    slow = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "postgres": "SELECT 1 FROM (SELECT pg_sleep(60)) x",
    }
    number = begin(lab, slow.get(lab.store.dialect.name, "SELECT SLEEP(60)"))
    look(lab, asker(lab))
    reason = wait_reason(lab, number, "come")
    assert "the query was stopped after 1 s" in reason or "max_statement_time exceeded" in reason


def test_a_database_that_hangs_holds_nobody_up_and_its_answer_is_taken_later(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, service = begin(lab), asker(lab, patience_s=0)
    deliver(lab)
    answers = _held(monkeypatch)
    look(lab, service)
    assert lab.state(number) == "RUNNING"
    monkeypatch.setattr(sql_waits, "HANGS_S", 0)
    look(lab, service)
    assert wait_reason(lab, number, "come").endswith("; daemon a1: connection vendor does not answer")
    answers()

    def has_ended() -> bool:
        look(lab, service, 1)
        return lab.state(number) == "SUCCESS"

    until(has_ended, 60)


def _held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Hold every answer back until this is called."""
    may_answer, ask_all = threading.Event(), sql_waits._ask_all

    def ask_and_wait(*args: Any) -> Any:
        answers = ask_all(*args)
        may_answer.wait(60)
        return answers

    monkeypatch.setattr(sql_waits, "_ask_all", ask_and_wait)
    return may_answer.set


@pytest.mark.parametrize("is_seen_gone", [True, False])
def test_an_answer_that_comes_late_is_for_no_later_wait(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, is_seen_gone: bool
) -> None:
    number, service = begin(lab, timeout="1h"), asker(lab, patience_s=0)
    deliver(lab)
    answers = _held(monkeypatch)
    look(lab, service)
    threads = [each for each in threading.enumerate() if each.name == "qflowd-ask-vendor"]
    look(lab, service, 3600)
    assert lab.state(number) == "FAILED"
    if is_seen_gone:
        look(lab, service)
    lab.sql(f"DELETE FROM {signals(lab) if lab.store.dialect.name != 'sqlite' else 'qflow.signals'}")
    assert lab.command("retry", number)[0] == "DONE"
    drive(lab)
    answers()
    for each in threads:
        each.join(60)
    asked = service._asides["vendor"]
    look(lab, service)
    until(lambda: not look(lab, service) and not asked.late_s, 60)
    assert lab.state(number) == "RUNNING"
    deliver(lab)

    def has_ended() -> bool:
        look(lab, service)
        return lab.state(number) == "SUCCESS"

    until(has_ended, 60)


def test_an_answer_that_could_not_be_written_is_asked_for_again_at_once(lab: Lab) -> None:
    number, service = begin(lab, "SELECT 1", every="1h"), asker(lab)

    def be_away() -> None:
        raise StoreUnavailable("the database is away")

    lab.just_before("meet_seen", be_away)
    with pytest.raises(StoreUnavailable):
        service.tick()
    look(lab, service, 0)
    assert lab.state(number) == "SUCCESS"


@pytest.mark.parametrize("value", [b"\0", b"", b"0", "0  ", " ", memoryview(b"\0\0")])
def test_a_bit_that_is_not_set_and_blanks_do_not_hold(value: Any) -> None:
    assert judge_value((value,)).found is None


def test_of_a_long_value_only_the_beginning_is_kept() -> None:
    for value in ("x" * 5000, b"x" * 5000):
        assert judge_value((value,)).found == json.dumps("x" * LONGEST_VALUE)


def test_whatever_a_driver_meets_is_told_and_stops_no_other_connection(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(guest.Guest):
        stopped = ()

        def open(self, name: str) -> None:
            raise RuntimeError("a package is missing")

        def _first_value(self, sql: str, params: Any) -> None: ...

        def close(self) -> None: ...

    kind_of = guest._kind_of
    monkeypatch.setattr(guest, "_kind_of", lambda url: Odd if url == "odd://" else kind_of(url))
    asks = {key: {"wait_for": {"sql": "SELECT 1", "connection": key}} for key in ("aaa", "odd", "vendor")}
    lab.define("all", asks)
    number = lab.start("all")
    drive(lab)
    look(lab, asker(lab, aaa=lab.url, odd="odd://", vendor=lab.url))
    assert lab.states(number) == {"aaa": "SUCCESS", "odd": "PENDING", "vendor": "SUCCESS"}
    assert wait_reason(lab, number, "odd").endswith("; daemon a1: cannot connect: a package is missing")


def test_a_query_that_fails_leaves_the_others_their_answers(lab: Lab) -> None:
    asks = {
        key: {"wait_for": {"sql": sql, "connection": "vendor"}}
        for key, sql in {"a": "SELECT x", "b": "SELECT 1"}.items()
    }
    lab.define("both", asks)
    number = lab.start("both")
    drive(lab)
    look(lab, asker(lab))
    assert lab.states(number) == {"a": "PENDING", "b": "SUCCESS"}


@pytest.mark.parametrize(
    ("wait", "fault"),
    [
        ({"every": "{{ '1s' }}"}, "wait_for.every: must be 5s or longer, not '1s'"),
        ({"params": {"d": "{{ [1] }}"}}, "wait_for.params.d: must be one value"),
    ],
)
def test_what_cannot_be_asked_fails_its_task(lab: Lab, wait: dict[str, Any], fault: str) -> None:
    number = begin(lab, "SELECT 1" if "every" in wait else "SELECT :d", **wait)
    assert (lab.state(number), fault in error(lab, number, "come")) == ("FAILED", True)


def test_a_value_that_is_too_long_fails_its_task(lab: Lab) -> None:
    wait = {"sql": "SELECT :d", "connection": "vendor", "params": {"d": "{{ params.long }}"}}
    lab.define("bars", {"come": {"wait_for": wait}}, params={"long": {"default": "x" * 1001}})
    number = lab.start("bars")
    drive(lab)
    assert error(lab, number, "come") == "wait_for.params.d: has 1,001 characters; at most 1,000 are allowed"
