"""What goes in comes out: instants, texts and row sets on each database; what cannot be kept is refused by name."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qflowd.store.clock import to_microseconds
from qflowd.store.dialects.base import DataRefused
from qflowd.store.dialects.postgres_connection import array_text
from qflowd.store.tx import Store, Tx
from tests.store.conftest import add_statement

NOW = datetime(2026, 11, 20, 9, 30, 1, 234567, tzinfo=UTC)
INSTANTS = [
    NOW,
    NOW.replace(microsecond=0),
    NOW.replace(microsecond=1),
    NOW.replace(microsecond=999999),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, 10, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, 0, 5, tzinfo=timezone(timedelta(hours=9))),  # also an instant, though not in UTC
]
TEXTS = ["", "NULL", "null", '"', "\\", "a,b", "{}", "'; --", "%s %(x)s :now", "日线 ☂ 🚀", "\t\r\n", " pad ", "é", "é"]
_ids = itertools.count(1)
relaxed = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def with_statements(store: Store) -> Store:
    add_statement(store, "due_of", "SELECT due_at FROM qflow.timer WHERE task_id = :id")
    add_statement(store, "input_of", "SELECT params FROM qflow.task_input WHERE task_id = :id")
    add_statement(store, "put_input", "INSERT INTO qflow.task_input (task_id, params) VALUES (:id, :params)")
    add_statement(
        store,
        "put_inputs",
        "INSERT INTO qflow.task_input (task_id, params) SELECT r.id, r.params FROM {rows: id bigint, params text} r WHERE 1 = 1",
    )
    add_statement(
        store, "count_inputs", "SELECT COUNT(*) AS n FROM qflow.task_input WHERE task_id BETWEEN :first AND :last"
    )
    return store


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_an_instant_keeps_its_microseconds(shared, instant):
    with_statements(shared)
    one, two = next(_ids), next(_ids)
    shared.transact(lambda tx: tx.run("insert_timers", [(one, 0, 0, instant), (two, 0, 0, instant)]))
    found = shared.read(lambda tx: [tx.one("due_of", id=number).due_at for number in (one, two)])
    assert found == [instant, instant]
    assert all(value.tzinfo is UTC for value in found)


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_an_instant_given_as_microseconds_is_the_same(shared, instant):
    if instant.year > 2255 and shared.dialect.name == "postgres":
        pytest.skip("PostgreSQL multiplies intervals by doubles: exact until the year 2255")
    number = next(_ids) << 20
    add_statement(shared, "start_of", "SELECT started_at, finished_at, output FROM qflow.task_instance WHERE id = :id")
    shared.transact(lambda tx: tx.run("insert_tasks", [(number, "[0]", 0, 3, 1, 0, 0, 0, None)]))
    row = (number, 0, 5, 0, 1, 1, to_microseconds(instant), "é")
    assert shared.transact(lambda tx: tx.count("finish_tasks", [row], now=NOW)) == 1
    found = shared.read(lambda tx: tx.one("start_of", id=number))
    assert (found.started_at, found.finished_at, found.output) == (instant, NOW, "é")


def test_a_finished_task_that_never_started_has_no_start(shared):
    number = next(_ids) << 20
    add_statement(shared, "start_of", "SELECT started_at, finished_at, output FROM qflow.task_instance WHERE id = :id")
    shared.transact(lambda tx: tx.run("insert_tasks", [(number, "[0]", 0, 3, 1, 0, 0, 0, None)]))
    shared.transact(lambda tx: tx.run("finish_tasks", [(number, 0, 6, 1, 0, None, None, None)], now=NOW))
    assert shared.read(lambda tx: tx.one("start_of", id=number)) == (None, NOW, None)


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_a_text_comes_back_as_it_went_in(shared, text):
    with_statements(shared)
    one, two = next(_ids), next(_ids)
    shared.transact(lambda tx: (tx.run("put_input", id=one, params=text), tx.run("put_inputs", [(two, text)])))
    assert shared.read(lambda tx: [tx.one("input_of", id=i).params for i in (one, two)]) == [text, text]


def test_a_text_of_five_megabytes_comes_back(shared):
    with_statements(shared)
    number, text = next(_ids), 'x"é\\' * 1_000_000
    shared.transact(lambda tx: tx.run("put_inputs", [(number, text)]))
    assert shared.read(lambda tx: tx.one("input_of", id=number).params) == text


def test_keys_differ_by_case_accent_and_trailing_blank(shared):
    keys = ["job", "Job", "JOB", "jöb", "job "]
    rows = [("default", "pool", key, "[]") for key in keys]
    shared.transact(lambda tx: tx.run("insert_lane", rows))
    found = shared.read(lambda tx: tx.run("find_lanes", rows))
    assert sorted(row.job for row in found) == sorted(keys)


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_row_sets_of_any_size(shared, count):
    with_statements(shared)
    ids = [next(_ids) for _ in range(count)]
    first, last = (ids[0], ids[-1]) if ids else (-2, -1)
    written = shared.transact(lambda tx: tx.count("put_inputs", [(i, f"params of {i}") for i in ids]))
    assert written == count
    assert shared.read(lambda tx: tx.one("count_inputs", first=first, last=last)).n == count
    now = [(i, 0, 0, NOW) for i in ids]
    assert shared.transact(lambda tx: tx.count("insert_timers", now)) == count
    assert shared.transact(lambda tx: tx.count("delete_timers", [(i, 0, 0) for i in ids])) == count


def test_a_row_set_of_nothing_finds_nothing(shared):
    assert shared.read(lambda tx: tx.run("load_instances", [])) == []
    assert shared.transact(lambda tx: tx.count("advance_tasks", [], now=NOW)) == 0
    assert shared.read(lambda tx: tx.run("find_ended_unrun", [])) == []
    assert shared.transact(lambda tx: tx.count("release_tasks", [])) == 0


def test_inboxes_and_views_show_instants_as_the_contract_says(sqlite_only):
    store = sqlite_only
    pattern = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    names = "tenant workflow version job name params overrides business_date priority hold allow_duplicates idempotency_key trigger_type submitted_by"
    row: dict[str, Any] = dict.fromkeys(names.split()) | {
        "tenant": "default",
        "priority": 0,
        "hold": 0,
        "allow_duplicates": 0,
        "trigger_type": "sql",
    }
    number = store.transact(lambda tx: tx.one("insert_submission", run_at=NOW, **row)).id
    answer = [(number, "ACCEPTED", number, None, None)]
    store.transact(lambda tx: tx.run("answer_submissions", answer, now=NOW))
    connection = store.connection()
    [(run_at, created_at, answered_at)] = connection.script(
        f"SELECT run_at, created_at, answered_at FROM qflow.submissions WHERE id = {number}"
    )
    assert run_at == answered_at == "2026-11-20T09:30:01.234567Z"
    assert pattern.fullmatch(created_at)
    values = (
        number,
        "default",
        None,
        "log",
        None,
        2,
        1,
        1,
        0,
        None,
        "sql",
        None,
        None,
        "{}",
        None,
        None,
        NOW,
        NOW,
        None,
        None,
        None,
    )
    store.transact(lambda tx: tx.run("insert_instances", [values], now=NOW))
    [(created_at, started_at, finished_at)] = connection.script(
        f"SELECT created_at, started_at, finished_at FROM qflow.instances WHERE id = {number}"
    )
    assert created_at == started_at == "2026-11-20T09:30:01.234567Z"
    assert finished_at is None


@pytest.fixture
def sqlite_only(shared):
    if shared.dialect.name != "sqlite":
        pytest.skip("instants are texts in SQLite only")
    return shared


def test_a_lone_surrogate_is_refused_data(shared):
    with_statements(shared)
    text = "\ud800"
    with pytest.raises(DataRefused):
        shared.transact(lambda tx: tx.run("put_input", id=next(_ids), params=text))
    with pytest.raises(DataRefused):
        shared.transact(lambda tx: tx.run("put_inputs", [(next(_ids), "good"), (next(_ids), text)]))
    assert shared.transact(lambda tx: tx.count("put_inputs", [(next(_ids), "good")])) == 1


def test_a_nul_is_refused_or_kept_whole_but_never_cut(shared):
    with_statements(shared)
    number = next(_ids)
    for statement, rows, params in (
        ("put_input", (), {"id": number, "params": "a\0b"}),
        ("put_inputs", [(number, "a\0b")], {}),
    ):

        def work(tx: Tx, statement: str = statement, rows: Any = rows, params: Any = params) -> str:
            tx.run(statement, rows, **params)
            found = tx.one("input_of", id=number).params
            raise Undone(found)

        with pytest.raises((DataRefused, Undone)) as caught:
            shared.transact(work)
        assert caught.type is DataRefused if shared.dialect.name == "postgres" else str(caught.value) == "a\0b"


class Undone(Exception):
    pass


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("insert_tasks", [(1 << 40, "[0]", 0, 99, 1, 0, 0, 0, None)]),  # no such state
        ("insert_tasks", [(1 << 40, "[0]", 0, 1, 1, 0, -1, 0, None)]),  # fewer than no parents
        ("insert_tasks", [(1 << 40, "[0]", 0, None, 1, 0, 0, 0, None)]),  # what must not be null
        ("insert_tasks", [(1 << 70, "[0]", 0, 1, 1, 0, 0, 0, None)]),  # out of range
    ],
    ids=["check", "negative", "null", "range"],
)
def test_a_row_that_breaks_a_rule_is_refused_data_and_nothing_is_kept(shared, statement, rows):
    add_statement(shared, "count_tasks_at", "SELECT COUNT(*) AS n FROM qflow.task_instance WHERE id >= :id")
    if rows[0][0] == 1 << 70 and shared.dialect.name == "mysql":
        pytest.skip("MariaDB's JSON_TABLE cuts a number to its column's range, whatever ON ERROR says")
    good = ((1 << 40) + 1, "[0]", 0, 1, 1, 0, 0, 0, None)
    with pytest.raises(DataRefused):
        shared.transact(lambda tx: tx.run(statement, [good, *rows]))
    assert shared.read(lambda tx: tx.one("count_tasks_at", id=1 << 40)).n == 0


def test_a_text_too_long_for_its_column_is_refused_data(shared):
    if shared.dialect.name == "sqlite":
        pytest.skip("SQLite's columns have no length")
    row = ("default", "pool", "j" * 20_000, "[]")  # beyond MySQL's column and PostgreSQL's index row
    if shared.dialect.name == "postgres":
        import random

        row = ("default", "pool", "".join(chr(random.randrange(33, 1000)) for _ in range(20_000)), "[]")
    with pytest.raises(DataRefused):
        shared.transact(lambda tx: tx.run("insert_lane", [row]))


def test_a_text_above_the_servers_packet_is_refused_data(shared):
    if shared.dialect.name != "mysql":
        pytest.skip("only MySQL has a largest packet")
    with_statements(shared)
    for statement, rows, params in (
        ("put_input", (), {"id": next(_ids), "params": "x" * (20 << 20)}),
        ("put_inputs", [(next(_ids), "x" * (20 << 20))], {}),
    ):
        with pytest.raises(DataRefused, match="packet"):
            shared.transact(lambda tx, s=statement, r=rows, p=params: tx.run(s, r, **p))
        shared.transact(lambda tx: tx.run("put_input", id=next(_ids), params="the connection is of use again"))


def test_a_key_that_is_there_is_refused_data_where_the_statement_does_not_leave_it(shared):
    with_statements(shared)
    number = next(_ids)
    shared.transact(lambda tx: tx.run("put_input", id=number, params="x"))
    with pytest.raises(DataRefused):
        shared.transact(lambda tx: tx.run("put_input", id=number, params="y"))


# ------------------------------------------------------------------------------------------------ PostgreSQL's arrays

texts = st.one_of(st.none(), st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
awkward = st.sampled_from([None, "", "NULL", '"', "\\", '\\"', "{", "}", ",", " ", "\n", "''", "日線", "🚀"])


@pytest.fixture(scope="module")
def postgres_connection(get_server):
    connection = get_server("postgres").connect()
    yield connection
    connection.close()


@relaxed
@given(st.lists(st.one_of(texts, awkward), max_size=12))
def test_our_text_arrays_are_what_postgresql_reads(postgres_connection, values):
    [found] = postgres_connection.execute("SELECT CAST(%s AS text[])", [array_text(values, "text")]).fetchone()
    assert found == values


@relaxed
@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=12))
def test_our_number_arrays_are_what_postgresql_reads(postgres_connection, values):
    [found] = postgres_connection.execute("SELECT CAST(%s AS bigint[])", [array_text(values, "bigint")]).fetchone()
    assert found == values


@relaxed
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), max_size=12))
def test_our_float_arrays_are_what_postgresql_reads(postgres_connection, values):
    [found] = postgres_connection.execute("SELECT CAST(%s AS float8[])", [array_text(values, "double")]).fetchone()
    assert found == values


@relaxed
@given(
    st.lists(
        st.one_of(st.none(), st.datetimes(NOW.replace(year=1900, tzinfo=None), timezones=st.just(UTC))),
        max_size=12,
    )
)
def test_our_instant_arrays_are_what_postgresql_reads(postgres_connection, values):
    [found] = postgres_connection.execute(
        "SELECT CAST(%s AS timestamptz[])", [array_text(values, "instant")]
    ).fetchone()
    assert found == values
