"""A task with `wait_for` holds no slot before its fact has come."""

from __future__ import annotations

import json

import pytest

from qflowd.model.ids import ORDINALS
from qflowd.store.inbox import SIGNAL as SIGNAL_ROW
from qflowd.store.tx import Store, Tx
from tests.support.lab import Lab
from tests.support.signals_sent import DAY, NAME, REGISTERING, SIGNAL, drive, error, registering, send, wait_reason


@pytest.fixture
def bars(lab: Lab) -> int:
    """An instance whose first task only waits, and whose second one is given what the signal brought."""
    lab.define(
        "bars",
        {
            "ready": {"wait_for": SIGNAL},
            "load": {"job": "work", "after": "ready", "params": {"rows": "{{ ready.output.rows }}"}},
        },
    )
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    return number


def test_a_task_that_only_waits_ends_with_the_payload_of_the_signal(lab: Lab, bars: int) -> None:
    assert lab.states(bars) == {"ready": "PENDING", "load": "PENDING"}
    assert wait_reason(lab, bars, "ready") == (
        f"waits for signal {NAME} since 2026-11-20T09:30:00Z, at most until 2026-11-20T11:30:00Z"
    )
    lab.clock.advance(600)
    send(lab, payload='{"rows": 17}')
    drive(lab)
    assert lab.state(bars) == "SUCCESS"
    [(kind, state, output, seconds, reason)] = lab.sql(
        f"SELECT kind, state, output, duration_s, wait_reason FROM qflow.tasks WHERE instance_id = {bars} AND task = 'ready'"
    )
    assert (kind, state, json.loads(output), float(seconds), reason) == ("wait", "SUCCESS", {"rows": 17}, 600.0, None)
    assert lab.sql("SELECT state, error FROM qflow.signals") == [("ACCEPTED", None)]
    lab.check(drained=True)


def test_a_task_with_a_job_waits_before_it_may_be_claimed(lab: Lab) -> None:
    lab.define("plain", {"load": {"job": "work", "wait_for": SIGNAL}})
    number = lab.start("plain", business_date=DAY)
    lab.waits.tick()
    assert (lab.states(number), lab.claim()) == ({"load": "PENDING"}, [])
    [(job, pool)] = lab.sql(f"SELECT job, pool FROM qflow.tasks WHERE instance_id = {number}")
    assert (job, pool) == ("work", "default")
    send(lab)
    lab.waits.tick()
    [row] = lab.claim()
    lab.finish(lab.final(row))
    assert (lab.state(number), lab.column("task_instance", "attempt", number * ORDINALS)) == ("SUCCESS", 1)
    lab.check(drained=True)


def test_a_signal_is_kept_for_those_that_come_later_and_later_ones_change_nothing(lab: Lab) -> None:
    lab.define("bars", {"ready": {"wait_for": SIGNAL}})
    for payload in ("1", "2"):
        send(lab, payload=payload)
    lab.waits.tick()
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    assert lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}") == [("SUCCESS", "1")]
    send(lab, payload="3")
    drive(lab)
    assert lab.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}") == [("SUCCESS", "1")]


@pytest.mark.parametrize("statement", REGISTERING)
def test_a_signal_that_is_sent_and_taken_while_a_task_registers_wakes_it(lab: Lab, statement: str) -> None:
    just_before = registering(lab, statement)
    other = Lab(lab.url, owner=8)
    lab.define("bars", {"ready": {"wait_for": SIGNAL}})
    number = lab.start("bars", business_date=DAY)

    def send_and_take() -> None:
        send(lab)
        other.waits.tick()

    just_before(send_and_take)
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    other.close()


def test_a_signal_that_is_sent_between_registration_and_look_wakes_its_task(lab: Lab) -> None:
    lab.define("bars", {"ready": {"wait_for": SIGNAL}})
    number = lab.start("bars", business_date=DAY)
    lab.just_before("look", lambda: send(lab))
    drive(lab)
    assert lab.state(number) == "SUCCESS"


def test_a_signal_that_is_committed_after_later_ones_and_after_the_look_wakes_its_task(lab: Lab, bars: int) -> None:
    if not lab.store.dialect.has_row_locks:
        pytest.skip("SQLite has one writer at a time, so ids are in the order of commits")
    late = Store(lab.url)

    def write(tx: Tx) -> None:
        tx.run("insert_signal", **SIGNAL_ROW | {"name": NAME})
        send(lab, "other.ready/1")  # has a greater id, and is committed first
        drive(lab)
        assert lab.state(bars) == "RUNNING"

    late.transact(write, name="send_late")
    late.close()
    drive(lab)
    assert lab.state(bars) == "SUCCESS"


def test_a_daemon_that_is_lost_after_registration_leaves_the_look_to_another(lab: Lab) -> None:
    lab.define("bars", {"ready": {"wait_for": SIGNAL}})
    send(lab)
    lab.waits.tick()
    number = lab.start("bars", business_date=DAY)

    def die() -> None:
        raise SystemExit

    lab.just_before("look", die)
    with pytest.raises(SystemExit):
        lab.waits.tick()
    other = Lab(lab.url, owner=8)
    drive(other)
    assert lab.state(number) == "SUCCESS"
    other.close()


def test_two_daemons_end_a_wait_once(lab: Lab, bars: int) -> None:
    other = Lab(lab.url, owner=8)
    send(lab, payload='{"rows": 1}')
    lab.just_before("finish", other.waits.tick)
    drive(lab)
    assert lab.state(bars) == "SUCCESS"
    lab.check(drained=True)
    other.close()


@pytest.mark.parametrize(
    ("on_timeout", "ready", "load"),
    [
        ("fail", ("FAILED", "timeout", 1), "UPSTREAM_FAILED"),
        ("skip", ("SKIPPED", "timeout", 1), "SKIPPED"),
        ("continue", ("SUCCESS", None, 1), "SUCCESS"),
    ],
)
def test_a_wait_ends_at_its_deadline(lab: Lab, on_timeout: str, ready: tuple[str, str | None, int], load: str) -> None:
    wait = {**SIGNAL, "on_timeout": on_timeout}
    lab.define("bars", {"ready": {"wait_for": wait}, "load": {"job": "work", "after": "ready"}})
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    lab.clock.advance(7199)
    drive(lab)
    assert lab.states(number)["ready"] == "PENDING"
    lab.clock.advance(1)
    drive(lab)
    sql = f"SELECT state, reason, attempt FROM qflow.tasks WHERE instance_id = {number} AND task = 'ready'"
    assert (lab.sql(sql), lab.states(number)["load"]) == ([ready], load)
    if on_timeout != "continue":
        assert error(lab, number, "ready") == f"signal {NAME} had not come by 2026-11-20T11:30:00Z"
    lab.check(drained=True)


def test_a_signal_that_is_there_when_its_deadline_is_dealt_with_counts(lab: Lab, bars: int) -> None:
    lab.clock.advance(7201)
    lab.promote.tick()
    send(lab, payload='{"rows": 5}')
    drive(lab)
    assert lab.state(bars) == "SUCCESS"


def test_a_signal_with_a_business_date_is_for_instances_of_that_date_until_it_expires(lab: Lab) -> None:
    lab.define("bars", {"ready": {"wait_for": {"signal": "bars.ready"}}})
    days = {day: lab.start("bars", business_date=day) for day in (DAY, "2026-11-23")}
    undated = lab.start("bars")
    drive(lab)
    send(lab, "bars.ready", business_date=DAY, expires_at="2026-11-20 10:00:00")
    drive(lab)
    assert [lab.state(number) for number in days.values()] == ["SUCCESS", "RUNNING"]
    assert lab.state(undated) == "RUNNING"
    lab.clock.advance(3600)
    late = lab.start("bars", business_date=DAY, allow_duplicates=1)
    drive(lab)
    assert lab.state(late) == "RUNNING"
    send(lab, "bars.ready")
    drive(lab)
    assert {lab.state(number) for number in (late, undated, *days.values())} == {"SUCCESS"}


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"name": "two words"}, "name: the name of a signal 'two words' contains ' '; use letters, digits and _ - . /"),
        ({"payload": "{rows: 1}"}, "payload is not valid JSON"),
        ({"name": "x" * 201}, "name: the name of a signal has 201 characters; at most 200 are allowed"),
    ],
)
def test_a_bad_signal_is_answered_in_its_row(lab: Lab, columns: dict[str, str], sentence: str) -> None:
    send(lab, **columns)
    good = send(lab)
    drive(lab)
    [(state, why)] = lab.sql(f"SELECT state, error FROM qflow.signals WHERE id = {good - 1}")
    assert (state, str(why)[: len(sentence)]) == ("REJECTED", sentence)
    assert lab.sql(f"SELECT state FROM qflow.signals WHERE id = {good}") == [("ACCEPTED",)]


def test_a_name_that_has_no_value_fails_the_task(lab: Lab) -> None:
    lab.define("bars", {"ready": {"wait_for": {"signal": "bars ready {{ business_date }}"}}})
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    assert error(lab, number, "ready").startswith(
        "wait_for.signal: the name of a signal 'bars ready 2026-11-20' contains"
    )


def test_delays_and_instants_are_timers(lab: Lab) -> None:
    lab.define(
        "times",
        {
            "a": {"wait_for": {"delay": "10m"}},
            "b": {"job": "work", "wait_for": {"until": "{{ business_date }}T10:00:00Z"}},
            "past": {"wait_for": {"until": "2026-11-20T09:00:00Z"}},
        },
    )
    number = lab.start("times", business_date=DAY)
    drive(lab)
    assert lab.states(number) == {"a": "PENDING", "b": "PENDING", "past": "SUCCESS"}
    assert wait_reason(lab, number, "a") == "waits until 2026-11-20T09:40:00Z since 2026-11-20T09:30:00Z"
    lab.clock.advance(600)
    drive(lab)
    assert lab.states(number)["a"] == "SUCCESS"
    lab.clock.advance(1200)
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_wait_ends_although_an_older_release_has_taken_its_timer(lab: Lab) -> None:
    lab.define("late", {"a": {"wait_for": {"delay": "10m"}}, "b": {"wait_for": SIGNAL | {"on_timeout": "continue"}}})
    number = lab.start("late", business_date=DAY)
    drive(lab)
    lab.sql("DELETE FROM qflow.timer")
    lab.clock.advance(605)
    drive(lab)
    assert lab.states(number)["a"] == "PENDING"
    lab.clock.advance(5)
    drive(lab)
    assert lab.states(number) == {"a": "SUCCESS", "b": "PENDING"}
    lab.clock.advance(7200)
    drive(lab)
    assert lab.state(number) == "SUCCESS"


def test_a_signal_with_an_id_of_its_writers_own_is_taken(lab: Lab, bars: int) -> None:
    given = "OVERRIDING SYSTEM VALUE" if lab.url.startswith("postgres") else ""
    lab.sql(f"INSERT INTO qflow.signals (id, name) {given} VALUES (-7, '{NAME}')")
    drive(lab)
    assert lab.state(bars) == "SUCCESS"
