"""Ready SQL on a store, past the named statements."""

from __future__ import annotations

from typing import Any

from qflowd.store.tx import Store


def run_sql(store: Store, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; returns the rows of the last."""
    connection = store.connection()
    if len(statements) == 1 and statements[0].startswith("SELECT"):  # a transaction by itself
        return connection.script(statements[0])
    connection.begin()
    rows: list[tuple[Any, ...]] = []
    for statement in statements:
        rows = connection.script(statement)
    connection.commit()
    return rows
