"""A table of tasks of any size, and the hot statements with what they are given, for the plan tests of each database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from qflowd.store.catalog import Statement
from qflowd.store.dialects.base import Rows
from qflowd.store.tx import Store

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LANES = 5
OWNERS = 3
# Of 100 rows 68 have ended, 20 are ready, 6 are held, 6 wait: history outweighs what is alive.
STATE = "CASE WHEN n % 100 < 68 THEN 5 WHEN n % 100 < 88 THEN 1 WHEN n % 100 < 94 THEN 3 + n % 2 ELSE 0 END"
COLUMNS = "id, node, state, lane, priority, owner, open_parents, need"
VALUES = f"n * 16, n % 50, {STATE}, 1 + n % {LANES}, -(n % 7), CASE WHEN n % 100 BETWEEN 88 AND 93 THEN 1 + n % {OWNERS} END, 0, 0"

NUMBERS = {
    "postgres": "generate_series({first}, {last}) AS s(n)",
    "mysql": "seq_{first}_to_{last} AS s",
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS s",
}

FROM_THE_START = {"after_priority": -(1 << 15), "after_id": 0}


def fill(store: Store, first: int, last: int, *, state: str = STATE) -> None:
    """Rows number `first` to `last`; none where `last` is less."""
    if last < first:
        return
    values, numbers = VALUES.replace(STATE, state), NUMBERS[store.dialect.name].format(first=first, last=last)
    if store.dialect.name == "mysql":
        values = values.replace("n ", "seq ").replace("(n ", "(seq ")
    sql = f"INSERT INTO qflow.task_instance ({COLUMNS}) SELECT {values} FROM {numbers}"
    store.connection().script(sql)


def given(name: str, batch: int) -> tuple[Rows, dict[str, Any]]:
    """What a hot statement is run with: row set and other parameters. Ids are spread over the table."""
    ids = [16 * n for n in range(1, batch + 1)]
    rows: Sequence[tuple[Any, ...]] = {
        "insert_tasks": [(i, "[0]", 0, 1, 1, 0, 0, 0, NOW) for i in ids],
        "insert_claimed_tasks": [(i, 0, 0, 4, 1, 0, NOW, NOW) for i in ids],
        "start_tasks": [(i, 0, NOW) for i in ids],
        "finish_tasks": [(i, 0, 5, 0, 1, 1, 0, None) for i in ids],
        "advance_tasks": [(i, 0, 0, 0) for i in ids],
        "advance_fans": [
            (16 * n, f"[{', '.join(str(16 * m) for m in range(1, 11))}]") for n in range(1, max(1, batch // 10) + 1)
        ],
        "release_tasks": [(i, 0, 0, 0) for i in ids],
        "promote_tasks": [(i, 0) for i in ids],
        "list_users_of_jobs": [(f"job_{i}",) for i in ids],
    }.get(name, [])
    params: dict[str, dict[str, Any]] = {
        "claim_tasks": {"lane": 3, "owner": 1, "batch": batch} | FROM_THE_START,
        "insert_claimed_tasks": {"owner": 1},
        "finish_tasks": {"now": NOW},
        "advance_tasks": {"now": NOW},
        "advance_fans": {"now": NOW},
        "promote_tasks": {"now": NOW},
        "list_held": {"owner": 1},
        "list_lost": {"owner": 1},
        "take_submissions": {"batch": batch, "first": 0, "last": 1 << 40},
        "list_due_timers": {"now": NOW, "batch": batch},
    }
    return rows, params.get(name, {})


def parts(statement: Statement) -> list[Statement]:
    found = [statement]
    while found[-1].then is not None:
        found.append(found[-1].then)
    return found


def whole_reads(store: Store, text: str, aliases: str = "t", tables: Sequence[str] = ("task_instance",)) -> list[str]:
    """The plan of a statement, if it reads one of these tables whole, by its name or one of its aliases; else nothing."""
    script, kind = store.connection().script, store.dialect.name
    if kind == "sqlite":
        steps = [row[3] for row in script("EXPLAIN QUERY PLAN " + text)]
        return steps if any(step[:6] in {f"SCAN {alias}" for alias in aliases} for step in steps) else []
    if kind == "postgres":
        [(found,)] = script("EXPLAIN (FORMAT JSON) " + text)
        open_nodes = [found[0]["Plan"]]
        while open_nodes:
            node = open_nodes.pop()
            open_nodes += node.get("Plans", [])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in tables:
                return [json.dumps(found, indent=1)]
        return []
    rows = script("EXPLAIN " + text)
    return (
        list(map(str, rows))
        if any(row[2] in {*aliases[:1], *tables} and row[3] in ("ALL", "index") for row in rows)
        else []
    )
