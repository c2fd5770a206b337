"""What PostgreSQL calls things."""

from typing import ClassVar

from qflowd.store.render import Renderer, RowSet


class PostgresRenderer(Renderer):
    """What PostgreSQL calls things."""

    dialect = "postgres"
    words: ClassVar[dict[str, str]] = {
        "clock": "clock_timestamp()",
        "date_cast": "DATE",
        "lock": "FOR NO KEY UPDATE SKIP LOCKED",
        "bigint": "BIGINT",
        "identity": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "bigint_key": "BIGINT PRIMARY KEY",
        "int": "INTEGER",
        "smallint": "SMALLINT",
        "double": "DOUBLE PRECISION",
        "key": "TEXT",
        "word": "TEXT",
        "inbox_key": "TEXT",
        "lane_limits": "TEXT",
        "code_file": "TEXT",
        "plugin_file": "TEXT",
        "text": "TEXT",
        "output": "TEXT",
        "instant": "TIMESTAMPTZ",
        "inbox_instant": "TIMESTAMPTZ",
        "date": "DATE",
        "now_default": "DEFAULT clock_timestamp()",
        "new_id": "md5(CAST(clock_timestamp() AS TEXT) || CAST(random() AS TEXT))",
        "table": "",
        "hot_table": "WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01)",
        "replace_view": "CREATE OR REPLACE VIEW",
    }
    types: ClassVar[dict[str, str]] = {
        "bigint": "bigint",
        "int": "integer",
        "smallint": "smallint",
        "double": "double precision",
        "text": "text",
        "instant": "timestamptz",
        "microseconds": "bigint",
        "date": "date",
        "numbers": "text",
    }

    def clock_plus(self, seconds: str) -> str:
        return f"clock_timestamp() + make_interval(secs => CAST({seconds} AS double precision))"

    def seconds(self, first: str, last: str) -> str:
        return f"ROUND(CAST(EXTRACT(EPOCH FROM ({last} - {first})) AS numeric), 3)"

    def macro_utc_text(self, expression: str) -> str:
        return f"to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

    def macro_names(self, column: str) -> str:
        return f"string_agg({column}, ', ' ORDER BY {column})"

    def macro_each(self, column: str) -> str:
        return f"LATERAL (SELECT unnest(CAST(translate({column}, '[]', '{{}}') AS integer[])) AS value)"

    def rows(self, rows: RowSet) -> str:
        arrays = ", ".join(f"CAST(:rows_{n} AS {self.types[t]}[])" for n, t in zip(rows.names, rows.types, strict=True))
        columns = ", ".join(
            f"TIMESTAMPTZ 'epoch' + {name} * INTERVAL '1 microsecond' AS {name}" if kind == "microseconds" else name
            for name, kind in zip(rows.names, rows.types, strict=True)
        )
        return f"(SELECT {columns} FROM unnest({arrays}) AS given({', '.join(rows.names)}))"  # noqa: S608 - our own files
