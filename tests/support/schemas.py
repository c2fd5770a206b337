"""The schema that the migrations make: once on each server, later copied. Tests of the migrations run them themselves."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qflowd.store.migrate import migrate
from qflowd.store.tx import Store


def make_schema(url: str) -> None:
    """Run the migrations on an empty database."""
    store = Store(url)
    try:
        migrate(store)
    finally:
        store.close()


def new_id() -> str:
    """A statement that gives a copy an identity of its own, as each migrated database has."""
    return f"UPDATE qflow.meta SET value = '{secrets.token_hex(16)}' WHERE name = 'database_id'"


@dataclass(frozen=True)
class Model:
    """Statements that make a database and, by table, those that write the rows which it has from the beginning."""

    made: Sequence[str]
    filled: Mapping[str, str]
    tables: Sequence[str]


def dump(connection: Any) -> Model:
    """What makes the database that a session uses, by the server's own words; ends the session."""
    with contextlib.closing(connection), connection.cursor() as cursor:
        [name, whole] = _rows(cursor, "SHOW CREATE DATABASE qflow")[0]
        entries = _rows(cursor, "SHOW FULL TABLES")
        tables = [table for table, kind in entries if kind == "BASE TABLE"]
        made = [_rows(cursor, f"SHOW CREATE TABLE {table}")[0][1] for table in tables]
        filled = {table: text for table in tables for text in _inserts(connection, cursor, table)}
        views = {view: _rows(cursor, f"SHOW CREATE VIEW {view}")[0][1] for view, kind in entries if kind == "VIEW"}
    return Model([whole, f"USE {name}", *made, *in_order(views)], filled, tables)


def emptying(cursor: Any, model: Model) -> Iterator[str]:
    """Statements after which a MariaDB database that is in use has its first rows alone, and counts ids from 1."""
    cursor.execute("SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in model.tables))
    used = {table for table, has_rows in zip(model.tables, cursor.fetchone(), strict=True) if has_rows}
    touched = "num_rows > 0 OR modified_counter > 0 OR autoinc > 1"
    counted = f"SELECT name FROM information_schema.innodb_sys_tablestats WHERE name LIKE 'qflow/%' AND ({touched})"
    used |= {name.removeprefix("qflow/") for (name,) in _rows(cursor, counted)}
    for table in sorted(used | model.filled.keys()):
        yield f"TRUNCATE TABLE {table}"
    yield from model.filled.values()


def in_order(views: dict[str, str]) -> list[str]:
    """The texts of views, each after those that it reads."""
    texts = dict(views)
    ordered: list[str] = []
    while texts:
        ready = [
            view for view, text in texts.items() if not any(f"`{other}`" in text for other in texts if other != view)
        ]
        assert ready, f"these views read each other: {sorted(texts)}"
        ordered += [texts.pop(view) for view in ready]
    return ordered


def _inserts(connection: Any, cursor: Any, table: str) -> Iterator[str]:
    if rows := _rows(cursor, f"SELECT * FROM {table}"):
        values = (f"({', '.join(map(connection.escape, row))})" for row in rows)
        yield f"INSERT INTO {table} VALUES {', '.join(values)}"


def _rows(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return list(cursor.fetchall())
