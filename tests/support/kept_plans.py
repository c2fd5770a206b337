"""Queries that tests ask hundreds of times in one session: it plans each once, for that is most of what it takes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from qflowd.store.tx import Store

AMONG = "IN (IDS)"  # after a column of a query: it has one of the ids that are asked about
_PLAN_ONCE = "SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off"
_AMONG = {
    "sqlite": "IN (SELECT value FROM json_each(?))",
    "postgres": "= ANY(CAST(%s AS BIGINT[]))",
    "mysql": "IN (SELECT v FROM JSON_TABLE(?, '$[*]' COLUMNS (v BIGINT PATH '$')) AS listed)",
}
_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()  # by sessions of MySQL: names of what they keep


def ask_of(store: Store, query: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Rows of a query that says `AMONG` of these ids. Call it while no transaction is under way."""
    kind, session = store.dialect.name, store.connection()
    text = query.replace(AMONG, _AMONG[kind])
    return list({"sqlite": _sqlite, "postgres": _postgres, "mysql": _mysql}[kind](session, text, list(ids)))


def rows_of(store: Store, query: str, *numbers: int) -> list[tuple[Any, ...]]:
    """Rows of a query with a `?` for each number. Call it while no transaction is under way."""
    kind, session = store.dialect.name, store.connection()
    if kind == "sqlite":
        return list(session._db.execute(query, numbers).fetchall())
    if kind == "postgres":  # a number as text: else small and large ones have a plan each
        return list(session.driver.execute(query.replace("?", "%s"), [*map(str, numbers)], prepare=True).fetchall())
    return list(session.script(query.replace("?", "{}").format(*numbers)))  # it keeps no plan


def _sqlite(session: Any, text: str, ids: list[int]) -> list[tuple[Any, ...]]:
    return session._db.execute(text, (json.dumps(ids),)).fetchall()


def _postgres(session: Any, text: str, ids: list[int]) -> list[tuple[Any, ...]]:
    with session.driver.transaction():
        session.driver.execute(_PLAN_ONCE, prepare=False)
        return session.driver.execute(text, (f"{{{','.join(map(str, ids))}}}",), prepare=True).fetchall()


def _mysql(session: Any, text: str, ids: list[int]) -> list[tuple[Any, ...]]:
    name, names = f"kept_{zlib.crc32(text.encode())}", _prepared.setdefault(session, set())
    if name not in names:
        session.script(f"PREPARE {name} FROM '{text.replace(chr(39), chr(39) * 2)}'")
        names.add(name)
    session.script(f"SET @ids = '{json.dumps(ids)}'")
    return session.script(f"EXECUTE {name} USING @ids")
