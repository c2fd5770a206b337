"""What SQLite calls things."""

import re
from dataclasses import replace
from typing import ClassVar

from qflowd.store.render import LITERAL_OR_PARAM, TEMPLATES, WORDS, Renderer, RowSet, top_level_parts

# Whole microseconds of the server's clock, in words that SQLite 3.40 knows.
CLOCK = "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000)"
INSTANT = "(strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000000, 'unixepoch') || printf('.%06dZ', {0} % 1000000))"


class SqliteRenderer(Renderer):
    """What SQLite calls things."""

    dialect = "sqlite"
    words: ClassVar[dict[str, str]] = {
        **WORDS,
        "clock": CLOCK,
        "forever": "253402214400000000",
        "lock": "",
        "date_cast": "TEXT",
        "bigint": "INTEGER",
        "identity": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "bigint_key": "INTEGER PRIMARY KEY",
        "smallint": "INTEGER",
        "double": "REAL",
        "instant": "INTEGER",
        "inbox_instant": "TEXT",
        "date": "TEXT",
        "now_default": "DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z','now'))",
        "new_id": "lower(hex(randomblob(16)))",
        "replace_view": "CREATE VIEW IF NOT EXISTS",
    }
    templates: ClassVar[dict[str, str]] = {
        **TEMPLATES,
        "clock_plus": f"({CLOCK} + CAST({{0}} * 1000000 AS INTEGER))",
        "elapsed": "ROUND(({1} - {0}) / 1000000.0, 3)",
        "instant": INSTANT,
        "utc_text": "strftime('%Y-%m-%dT%H:%M:%SZ', {0} / 1000000, 'unixepoch')",
        "names": "group_concat({0}, ', ')",
        "until_colon": "substr({0}, 1, instr({0} || ':', ':') - 1)",
        "each": "json_each({0})",
    }

    def macro_concat(self, rest: str) -> str:
        return "(" + " || ".join(top_level_parts(rest)) + ")"

    def delete_using(self, table: str, alias: str, rows: str, on: str) -> str:
        return f"DELETE FROM {table} WHERE rowid IN (SELECT {alias}.rowid FROM {rows} JOIN {table} AS {alias} ON {on})"  # noqa: S608

    def rows(self, rows: RowSet) -> str:
        return f"(SELECT {', '.join(f':{name} AS {name}' for name in rows.names)})"

    def parameters(self, text: str, rows: RowSet | None) -> tuple[str, RowSet | None]:
        """Named parameters are SQLite's own; a statement with a row set gets all of them by position, its columns first."""
        if rows is None:
            return text, None
        names = dict.fromkeys(
            (*rows.names, *(match["param"] for match in LITERAL_OR_PARAM.finditer(text) if match["param"]))
        )
        positions = {name: f"?{position}" for position, name in enumerate(names, 1)}
        text = LITERAL_OR_PARAM.sub(lambda match: positions.get(match["param"], match[0]), text)
        return text, replace(rows, others=tuple(names)[len(rows.names) :])

    def qualify(self, ddl: str) -> str:
        # A prefix inside a body makes the file unreadable when it is opened directly.
        bare = ddl.replace("qflow.", "")
        pattern = r"^(CREATE (?:TABLE|VIEW|INDEX|UNIQUE INDEX|TRIGGER)(?: IF NOT EXISTS)?|ALTER TABLE|DROP VIEW IF EXISTS|INSERT INTO|UPDATE) (\w)"
        return re.sub(pattern, r"\1 qflow.\2", bare)
