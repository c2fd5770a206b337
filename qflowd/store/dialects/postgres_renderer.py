"""What PostgreSQL calls things."""

from functools import cache
from typing import ClassVar

from qflowd.store.render import TEMPLATES, WORDS, Renderer, RowSet


class PostgresRenderer(Renderer):
    """What PostgreSQL calls things."""

    dialect = "postgres"
    words: ClassVar[dict[str, str]] = {
        **WORDS,
        "clock": "clock_timestamp()",
        "forever": "TIMESTAMPTZ '9999-12-31 00:00:00+00'",
        "lock": "FOR NO KEY UPDATE SKIP LOCKED",
        "identity": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "double": "DOUBLE PRECISION",
        "instant": "TIMESTAMPTZ",
        "inbox_instant": "TIMESTAMPTZ",
        "now_default": "DEFAULT clock_timestamp()",
        "new_id": "md5(CAST(clock_timestamp() AS TEXT) || CAST(random() AS TEXT))",
        "hot_table": "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01)",
        "replace_view": "CREATE OR REPLACE VIEW",
    }
    templates: ClassVar[dict[str, str]] = {
        **TEMPLATES,
        "clock_plus": "clock_timestamp() + make_interval(secs => CAST({0} AS double precision))",
        "elapsed": "ROUND(CAST(EXTRACT(EPOCH FROM ({1} - {0})) AS numeric), 3)",
        "utc_text": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        "names": "string_agg({0}, ', ' ORDER BY {0})",
        "contains": "STRPOS({0}) > 0",
        "in_few": "= ANY(ARRAY({0}))",  # of a hundred thousand rows, each asks the hash table of an IN
        "until_colon": "split_part({0}, ':', 1)",
        "each": "LATERAL (SELECT unnest(CAST(translate({0}, '[]', '{{}}') AS integer[])) AS value)",
    }
    types: ClassVar[dict[str, str]] = {**words, "microseconds": "BIGINT", "numbers": "TEXT"}

    def ddl(self, statement: str) -> str:
        """Views have the clock of the statement: with a volatile one they are worked out whole for each row of a join."""
        return super().ddl(statement.replace("{clock}", "statement_timestamp()"))

    def rows(self, rows: RowSet) -> str:
        arrays = ", ".join(f"CAST(:rows_{n} AS {self.types[t]}[])" for n, t in zip(rows.names, rows.types, strict=True))
        columns = ", ".join(map(_column, rows.names, rows.names, rows.types))
        return f"(SELECT {columns} FROM unnest({arrays}) AS given({', '.join(rows.names)}))"  # noqa: S608 - our own files


@cache
def single(sql: str, rows: RowSet) -> str:
    """A rendered statement for a row set of one row: no arrays to be made and taken apart."""
    values = [f"CAST(:rows_{n} AS {PostgresRenderer.types[t]})" for n, t in zip(rows.names, rows.types, strict=True)]
    row = f"(SELECT {', '.join(map(_column, values, rows.names, rows.types))})"
    many, one = (PostgresRenderer().parameters(text, rows)[0] for text in (PostgresRenderer().rows(rows), row))
    return sql.replace(many, one)


def _column(value: str, name: str, kind: str) -> str:
    if kind == "microseconds":
        value = f"TIMESTAMPTZ 'epoch' + {value} * INTERVAL '1 microsecond'"
    return f"{value} AS {name}"
