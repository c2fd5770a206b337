"""The schema that the migrations make: once on each server, later copied. Tests of the migrations run them themselves."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
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


def dump(connection: Any) -> list[str]:
    """Statements that make the database that a session uses, by the server's own words; ends the session."""
    with contextlib.closing(connection), connection.cursor() as cursor:
        [name, whole] = _rows(cursor, "SHOW CREATE DATABASE qflow")[0]
        entries = _rows(cursor, "SHOW FULL TABLES")
        tables = [table for table, kind in entries if kind == "BASE TABLE"]
        made = [_rows(cursor, f"SHOW CREATE TABLE {table}")[0][1] for table in tables]
        filled = [text for table in tables for text in _inserts(connection, cursor, table)]
        views = {view: _rows(cursor, f"SHOW CREATE VIEW {view}")[0][1] for view, kind in entries if kind == "VIEW"}
    return [whole, f"USE {name}", *made, *filled, *in_order(views)]


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
