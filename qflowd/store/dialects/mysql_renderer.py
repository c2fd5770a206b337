"""What MySQL and MariaDB call things."""

import re
from typing import Any, ClassVar

from qflowd.model.ids import ORDINALS
from qflowd.store.render import Renderer, RowSet

MARIADB_COLLATION = "utf8mb4_nopad_bin"


class MysqlRenderer(Renderer):
    """What MySQL and MariaDB call things."""

    dialect = "mysql"
    words: ClassVar[dict[str, str]] = {
        "clock": "UTC_TIMESTAMP(6)",
        "date_cast": "DATE",
        "lock": "FOR UPDATE SKIP LOCKED",
        "bigint": "BIGINT",
        "identity": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        "bigint_key": "BIGINT PRIMARY KEY",
        "int": "INTEGER",
        "smallint": "SMALLINT",
        "double": "DOUBLE",
        "key": "VARCHAR(200)",
        "word": "VARCHAR(64)",
        "inbox_key": "VARCHAR(1000)",
        "lane_limits": "VARCHAR(160)",
        "code_file": "VARCHAR(600)",
        "plugin_file": "VARCHAR(600)",
        "text": "LONGTEXT",
        "output": "MEDIUMTEXT",
        "instant": "DATETIME(6)",
        "inbox_instant": "DATETIME(6)",
        "date": "DATE",
        "now_default": "DEFAULT (UTC_TIMESTAMP(6))",
        "new_id": "REPLACE(UUID(), '-', '')",
        "replace_view": "CREATE OR REPLACE SQL SECURITY DEFINER VIEW",
    }
    types: ClassVar[dict[str, str]] = {
        "bigint": "BIGINT",
        "int": "INT",
        "smallint": "SMALLINT",
        "double": "DOUBLE",
        "text": "LONGTEXT CHARACTER SET utf8mb4 COLLATE {collation}",  # some servers would take the database's own
        "instant": "DATETIME(6)",
        "microseconds": "BIGINT",
        "date": "DATE",
        "numbers": "LONGTEXT",
    }

    # Exact and no-pad; the only place where MySQL 8 and MariaDB differ. Migrations set it from the server.
    collation = "utf8mb4_0900_bin"

    def macro(self, match: Any) -> str:
        if match["word"] in ("table", "hot_table"):
            return f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={self.collation}"
        return super().macro(match)

    def clock_plus(self, seconds: str) -> str:
        return f"UTC_TIMESTAMP(6) + INTERVAL CAST({seconds} * 1000000 AS SIGNED) MICROSECOND"

    def seconds(self, first: str, last: str) -> str:
        return f"ROUND(TIMESTAMPDIFF(MICROSECOND, {first}, {last}) / 1000000, 3)"

    def macro_excluded(self, column: str) -> str:
        return f"VALUES({column})"

    def macro_ignored(self, column: str) -> str:
        # INSERT IGNORE would also let bad data through.
        return f"ON DUPLICATE KEY UPDATE {column} = {column}"

    def macro_instance_of(self, task_id: str) -> str:
        return f"({task_id} DIV {ORDINALS})"

    def macro_returning(self, column: str) -> str:
        return f"\n-- then\nSELECT LAST_INSERT_ID() AS {column}"

    def macro_upsert(self, key: str) -> str:
        return "ON DUPLICATE KEY UPDATE"

    def macro_index(self, rest: str) -> str:
        """No partial indexes: the columns after `|`, which lead with what the predicate tests."""
        partial, _, columns = rest.partition("|")
        head = partial.split("(", 1)[0].strip()
        return f"CREATE INDEX {head} {columns.strip() or partial[partial.index('(') :].split(' WHERE ', 1)[0].strip()}"

    def macro_utc_text(self, expression: str) -> str:
        return f"DATE_FORMAT({expression}, '%Y-%m-%dT%H:%i:%s.%fZ')"

    def macro_names(self, column: str) -> str:
        return f"GROUP_CONCAT({column} ORDER BY {column} SEPARATOR ', ')"

    def macro_each(self, column: str) -> str:
        return f"JSON_TABLE({column}, '$[*]' COLUMNS (value INT PATH '$'))"

    def update_from(self, table: str, alias: str, rows: str, on: str, assignments: str) -> str:
        # SET goes left to right and may name two tables, so columns get their alias.
        qualified = re.sub(r"(^|,\s*)(\w+) =", rf"\1{alias}.\2 =", assignments)
        return f"UPDATE {rows} STRAIGHT_JOIN {table} {alias} FORCE INDEX (PRIMARY) ON {on} SET {qualified}"  # noqa: S608 - our own files

    def delete_using(self, table: str, alias: str, rows: str, on: str) -> str:
        return f"DELETE {alias} FROM {rows} STRAIGHT_JOIN {table} {alias} FORCE INDEX (PRIMARY) ON {on}"

    def rows(self, rows: RowSet) -> str:
        columns = ", ".join(
            f"{name} {self.types[kind].format(collation=self.collation)} PATH '$[{i}]'"
            for i, (name, kind) in enumerate(zip(rows.names, rows.types, strict=True))
        )
        return f"JSON_TABLE(:rows, '$[*]' COLUMNS ({columns}))"
