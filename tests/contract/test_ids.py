"""Ids that clients write themselves: refused in the row, and the next ordinary INSERT is none the worse."""

from __future__ import annotations

import time

import pytest

from tests.contract.desk import Desk
from tests.support.daemon import BUSY, until

LARGEST = 1 << 42


def insert_with_id(desk: Desk, number: int, table: str = "submissions") -> None:
    extra = " OVERRIDING SYSTEM VALUE" if desk.kind == "postgres" else ""
    columns, values = {
        "submissions": ("job", "'hello'"),
        "commands": ("action, workflow, reason", "'disable', 'yearly', 'stray'"),
        "signals": ("name", "'stray'"),
    }[table]
    desk.run(f"INSERT INTO qflow.{table} (id, {columns}){extra} VALUES ({number}, {values})")


def strays(desk: Desk) -> int:
    return int(desk.run("SELECT COUNT(*) AS n FROM qflow.submissions WHERE id > %s", (LARGEST,))[0]["n"])


def in_range(desk: Desk) -> int:
    """Submit as everybody does: the id, or 0 where the counter is not in the range yet."""
    try:
        number = desk.submit(job="hello")
    except Exception:  # noqa: BLE001 - after the largest id of all there is no next one
        return 0
    return number if number <= LARGEST else 0


def test_postgres_refuses_ids_of_ones_own(desk: Desk):
    if desk.kind != "postgres":
        pytest.skip("others take them")
    with pytest.raises(Exception, match="cannot insert a non-DEFAULT value into column"):
        desk.run("INSERT INTO qflow.submissions (id, job) VALUES (7, 'hello')")


@pytest.mark.parametrize("number", [-1, -(1 << 63)])
def test_a_negative_id_is_refused_in_its_row(desk: Desk, number: int):
    insert_with_id(desk, number)
    assert f"id: {number} is outside 1 to {LARGEST}; leave the id to the database" in desk.rejected(number)
    desk.is_alive()


def test_the_largest_id_of_all_would_do(desk: Desk):
    """In the range, so it runs; nobody is helped by it."""
    if desk.kind != "postgres":
        pytest.skip("the counter would stay at the end of the range")
    insert_with_id(desk, LARGEST)
    assert desk.ended(LARGEST)["state"] == "SUCCESS"
    assert desk.tasks(LARGEST)["hello"]["id"] == LARGEST << 20


@pytest.mark.parametrize("number", [LARGEST + 1, (1 << 63) - 1])
def test_an_id_above_the_range_is_refused_and_the_counter_put_back(desk: Desk, number: int):
    before = desk.submit(job="hello")
    insert_with_id(desk, number)
    assert f"id: {number} is outside 1 to {LARGEST}" in desk.rejected(number)
    if desk.kind != "postgres" and number < 1 << 62:
        # Until it is put back, the database counts on from there; whoever comes meanwhile is told so.
        assert "leave the id to the database" in desk.rejected(desk.submit(job="hello"))
    until(lambda: strays(desk) == 0, 20, what="the strays' removal")
    following = until(lambda: in_range(desk), 20, every_s=0.5)
    assert before < following < before + 100
    assert desk.ended(following)["state"] == "SUCCESS"


@pytest.mark.parametrize("number", [LARGEST, LARGEST - 1, LARGEST - (1 << 30)])
def test_an_id_at_the_end_of_the_range_leaves_room_for_those_that_follow(desk: Desk, number: int):
    if desk.kind == "postgres":
        pytest.skip("its counter knows nothing of ids written by hand")
    before = desk.submit(job="hello")
    insert_with_id(desk, number)
    assert desk.rejected(number) == f"id: {number} is too near the end of the range; leave the id to the database"
    following = until(lambda: (n := desk.submit(job="hello")) < before + 100 and n, 30, every_s=0.5)
    assert desk.ended(following)["state"] == "SUCCESS"


@pytest.mark.parametrize("number", [-(1 << 63), -5, 1 << 50, (1 << 63) - 1])
def test_a_command_is_carried_out_whatever_its_id_and_the_next_ones_are_none_the_worse(desk: Desk, number: int):
    insert_with_id(desk, number, "commands")
    assert desk.answer(number, "commands")["state"] == "DONE"
    if number < 0:
        desk.forget(number, table="commands")
    elif desk.kind != "postgres":
        until(lambda: counter_is_back(desk, "commands", action="enable", workflow="yearly"), 40, every_s=0.5)
        [row] = desk.run("SELECT MAX(id) AS id FROM qflow.commands WHERE reason = 'stray' AND state = 'DONE'")
        assert row["id"] <= LARGEST
    assert desk.command("enable", workflow="yearly")["state"] == "DONE"


@pytest.mark.parametrize("number", [1 << 50, (1 << 63) - 1])
def test_a_signal_is_kept_whatever_its_id_and_the_next_ones_are_none_the_worse(desk: Desk, number: int):
    if desk.kind == "postgres":
        pytest.skip("its counter knows nothing of ids written by hand")
    desk.run("DELETE FROM qflow.signals WHERE name = 'stray'")
    insert_with_id(desk, number, "signals")
    until(lambda: counter_is_back(desk, "signals", name="next"), 40, every_s=0.5)
    [row] = desk.run("SELECT id FROM qflow.signals WHERE name = 'stray'")
    assert 1 <= row["id"] < LARGEST


def counter_is_back(desk: Desk, table: str, **values: str) -> bool:
    try:
        return desk.insert(table, **values) <= LARGEST
    except Exception:  # noqa: BLE001 - after the largest id of all there is no next one
        return False


def test_the_counter_is_put_back_while_others_continue_submitting(desk: Desk):
    if desk.kind == "postgres":
        pytest.skip("its counter knows nothing of ids written by hand")
    insert_with_id(desk, 1 << 50)
    desk.rejected(1 << 50)
    following = until(lambda: in_range(desk), 20, every_s=0.5)
    assert desk.ended(following)["state"] == "SUCCESS"


def test_the_counter_waits_for_a_transaction_that_uses_the_table(desk: Desk):
    """On MySQL: without stopping anybody else for longer than a moment."""
    if desk.kind != "mariadb":
        pytest.skip("nothing to wait for")
    user = desk.connect()
    desk.run("BEGIN", connection=user)
    desk.run("SELECT COUNT(*) FROM qflow.submissions", connection=user)
    insert_with_id(desk, 1 << 50)
    desk.rejected(1 << 50)
    until(lambda: "cannot be put back yet" in desk.daemon.log(), 20)
    other = desk.connect()
    began = time.monotonic()
    desk.submit(connection=other, job="hello")
    assert time.monotonic() - began < 5 * BUSY
    other.close()
    desk.run("COMMIT", connection=user)
    user.close()
    # The daemon tries again after a while; who cannot wait does it by hand, as the page says.
    desk.run("DELETE FROM qflow.submissions WHERE id > %s", (LARGEST,))

    def put_back() -> int:
        desk.run("ALTER TABLE qflow.submissions AUTO_INCREMENT = 1")
        number = in_range(desk)
        if not number:
            desk.run("DELETE FROM qflow.submissions WHERE id > %s", (LARGEST,))
        return number

    until(put_back, 20, every_s=0.5)
    desk.is_alive()
