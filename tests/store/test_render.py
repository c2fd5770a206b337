"""Macros of sql/: what each becomes on each database, and what a mistake in a file says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qflowd.model.states import TaskState
from qflowd.store.catalog import Catalog, split
from qflowd.store.dialects import dialect_for
from qflowd.store.dialects.mysql_renderer import MARIADB_COLLATION
from qflowd.store.dialects.postgres_renderer import single
from qflowd.store.render import Renderer, RowSet, top_level_parts

URLS = {"sqlite": "sqlite:////nowhere/qflow.db", "postgres": "postgresql://127.0.0.1/x", "mysql": "mysql://127.0.0.1/"}


def renderer(dialect: str) -> Renderer:
    return dialect_for(URLS[dialect]).renderer


def rendered(dialect: str, text: str) -> str:
    return renderer(dialect).statement(text)[0]


@pytest.mark.parametrize("dialect", URLS)
def test_a_state_becomes_its_code(dialect):
    assert rendered(dialect, "state = {task.READY}") == f"state = {int(TaskState.READY)}"


@pytest.mark.parametrize("dialect", URLS)
def test_words_become_a_case_with_every_state(dialect):
    text = rendered(dialect, "{words: task t.state}")
    assert text.startswith("CASE t.state WHEN 0 THEN 'PENDING'")
    assert all(f"'{state.name}'" in text for state in TaskState)


def test_words_for_one_dialect_leave_the_others_nothing():
    texts = {dialect: rendered(dialect, "SELECT 1{only: postgres,mysql  FOR UPDATE}") for dialect in URLS}
    assert texts["sqlite"] == "SELECT 1"
    assert texts["postgres"] == texts["mysql"] != texts["sqlite"]


def test_macros_may_hold_macros():
    text = rendered("sqlite", "{concat: 'waits until ', {instant: m.due_at}}")
    assert "{" not in text
    assert text.startswith("('waits until ' || (strftime(")


def test_a_row_set_becomes_what_the_database_reads_best():
    text = "SELECT r.id FROM {rows: id bigint, name text} r"
    assert "unnest(CAST(%(rows_id)s AS BIGINT[]), CAST(%(rows_name)s AS TEXT[]))" in rendered("postgres", text)
    name = "name LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[1]'"
    assert f"JSON_TABLE(%(rows)s, '$[*]' COLUMNS (id BIGINT PATH '$[0]', {name}))" in rendered("mysql", text)
    assert "(SELECT ?1 AS id, ?2 AS name)" in rendered("sqlite", text)
    assert renderer("postgres").statement(text)[1] == RowSet(("id", "name"), ("bigint", "text"))


def test_a_row_set_of_one_row_takes_no_arrays_on_postgresql():
    text, rows = renderer("postgres").statement("SELECT r.at FROM {rows: id bigint, at microseconds} r")
    at = "TIMESTAMPTZ 'epoch' + CAST(%(rows_at)s AS BIGINT) * INTERVAL '1 microsecond' AS at"
    assert single(text, rows) == f"SELECT r.at FROM (SELECT CAST(%(rows_id)s AS BIGINT) AS id, {at}) r"


def test_an_update_from_rows_lets_the_rows_drive_the_join_on_mysql():
    text = "{update: qflow.timer t, id bigint, due instant | t.task_id = d.id}\ndue_at = d.due, fence = t.fence + 1"
    mysql = rendered("mysql", text)
    assert mysql.startswith("UPDATE JSON_TABLE(")
    assert (
        "STRAIGHT_JOIN qflow.timer t FORCE INDEX (PRIMARY) ON t.task_id = d.id SET t.due_at = d.due, t.fence = t.fence + 1"
        in mysql
    )
    assert rendered("postgres", text).startswith(
        "UPDATE qflow.timer AS t SET due_at = d.due, fence = t.fence + 1 FROM ("
    )


def test_quoted_text_and_percent_signs_are_left_alone():
    text = "SELECT ':now', '100%', :now, x::text"
    assert rendered("postgres", text) == "SELECT ':now', '100%%', %(now)s, x::text"
    assert rendered("sqlite", text) == text


def test_a_literal_is_a_whole_number_in_the_text(sqlite_store):
    statement = sqlite_store.catalog["take_submissions"]
    assert statement.text({"batch": 25}).rstrip().endswith("LIMIT 25")
    with pytest.raises(ValueError, match="invalid literal"):
        statement.text({"batch": "1; DROP TABLE x"})


def test_stores_share_the_statements_of_databases_that_want_the_same_words():
    one, other, mysql, mariadb = (renderer(dialect) for dialect in ("postgres", "postgres", "mysql", "mysql"))
    mariadb.collation = MARIADB_COLLATION
    assert Catalog.shared(one)["take_submissions"] is Catalog.shared(other)["take_submissions"]
    texts = [Catalog.shared(each)["finish_tasks"].sql for each in (one, mysql, mariadb)]
    assert len(set(texts)) == 3


def test_a_list_is_split_outside_brackets_and_quotes():
    assert top_level_parts("a, f(b, c), 'd, e'") == ["a", "f(b, c)", "'d, e'"]


def test_only_the_created_object_is_qualified_in_sqlite():
    ddl = renderer("sqlite").ddl
    view = "{replace_view} qflow.logs AS SELECT * FROM qflow.log_line"
    assert ddl(view) == "CREATE VIEW IF NOT EXISTS qflow.logs AS SELECT * FROM log_line"
    assert ddl("INSERT INTO qflow.meta VALUES (1)") == "INSERT INTO qflow.meta VALUES (1)"


def test_a_migration_is_split_into_the_statements_that_a_database_has():
    text = "-- A comment; its\n;\n{only: mysql SELECT 1}\n;\n{only: mysql DROP TABLE x}\n{index: i ON t (a) | (a)}\n;\n"
    assert renderer("mysql").split_ddl(text) == [
        "{only: mysql SELECT 1}",
        "{only: mysql DROP TABLE x}\n{index: i ON t (a) | (a)}",
    ]
    assert renderer("sqlite").split_ddl(text) == ["{only: mysql DROP TABLE x}\n{index: i ON t (a) | (a)}"]


def test_an_index_without_its_predicate_leads_with_the_columns_it_tests():
    text = "{index: x ON qflow.task_instance (lane, id) WHERE state = 1 | (state, lane, id)}"
    assert renderer("postgres").ddl(text) == (
        "CREATE INDEX IF NOT EXISTS x ON qflow.task_instance (lane, id) WHERE state = 1"
    )
    assert renderer("mysql").ddl(text) == "CREATE INDEX x ON qflow.task_instance (state, lane, id)"
    assert renderer("sqlite").ddl(text) == (
        "CREATE INDEX IF NOT EXISTS qflow.x ON task_instance (lane, id) WHERE state = 1"
    )


@pytest.mark.parametrize(
    ("macro", "wrong"),
    [
        ("{lok}", "lok"),
        ("{bogus: a, b}", "bogus"),
        ("{task.REDY}", "task.REDY"),
        ("{tusk.READY}", "tusk.READY"),
        ("{words: tusk t.state}", "words: tusk t.state"),
        ("{rows: id bigit}", "rows: id bigit"),
        ("{only: postgre FOR UPDATE}", "only: postgre FOR UPDATE"),
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite", "postgres", "mysql"])
def test_a_macro_that_nobody_knows_is_named_with_its_file_and_statement(tmp_path, monkeypatch, dialect, macro, wrong):
    for folder in ("common", *URLS):
        (tmp_path / folder).mkdir()
    (tmp_path / "common" / "things.sql").write_text(
        f"-- name: good_one\nSELECT 1\n\n-- name: bad_one\nSELECT 2 {macro}\n"
    )
    monkeypatch.setattr("qflowd.resources.folder", lambda name: tmp_path)
    with pytest.raises(ValueError, match=rf"common/things\.sql.*bad_one.*{re.escape(wrong)}"):
        Catalog.load(renderer(dialect))["bad_one"]


def test_a_statement_without_text_is_named(tmp_path, monkeypatch):
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "things.sql").write_text("-- name: empty_one\n-- only a comment\n")
    monkeypatch.setattr("qflowd.resources.folder", lambda name: tmp_path)
    with pytest.raises(ValueError, match=r"things\.sql, statement empty_one: .*no text"):
        Catalog.load(renderer("sqlite"))["empty_one"]


@pytest.mark.parametrize(("folder", "file"), [("common", "a.sql"), ("common", "b.sql"), ("sqlite", "hot.sql")])
def test_two_statements_of_one_name_are_an_error(monkeypatch, tmp_path, folder, file):
    for name in ("common", "sqlite"):
        (tmp_path / name).mkdir()
    (tmp_path / "common" / "a.sql").write_text("-- name: find_one\nSELECT 1\n")
    with (tmp_path / folder / file).open("a") as other:
        other.write("-- name: find_two\nSELECT 2\n-- name: find_one\nSELECT 3\n")
    monkeypatch.setattr("qflowd.resources.folder", lambda _: tmp_path)
    with pytest.raises(ValueError, match=f"{folder}/{file}: there is a statement find_one in common/a.sql; rename one"):
        Catalog.load(renderer("sqlite"))


def test_a_file_is_cut_at_its_headers(tmp_path: Path):
    file = tmp_path / "x.sql"
    file.write_text("-- about the file\n\n-- name: one\nSELECT 1\n\n-- name: two\nSELECT :id\n-- then\nSELECT 2\n")
    assert [(name, text.strip()) for name, text in split(file)] == [
        ("one", "SELECT 1"),
        ("two", "SELECT :id\n-- then\nSELECT 2"),
    ]
