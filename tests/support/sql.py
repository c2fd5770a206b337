"""Ready SQL on a store, past the named statements."""

from __future__ import annotations

from typing import Any

from qflowd.store.tx import Store


def run_sql(store: Store, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; returns the rows of the last."""
    connection = store.connection()
    connection.begin()
    rows: list[tuple[Any, ...]] = []
    for statement in statements:
        rows = connection.script(statement)
    connection.commit()
    return rows
