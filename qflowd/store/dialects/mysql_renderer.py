"""What MySQL and MariaDB call things."""

import re
from typing import Any, ClassVar

from qflowd.store.render import TEMPLATES, WORDS, Renderer, RowSet

MARIADB_COLLATION = "utf8mb4_nopad_bin"


class MysqlRenderer(Renderer):
    """What MySQL and MariaDB call things."""

    dialect = "mysql"
    words: ClassVar[dict[str, str]] = {
        **WORDS,
        "clock": "UTC_TIMESTAMP(6)",
        "forever": "TIMESTAMP'9999-12-31 00:00:00'",
        "lock": "FOR UPDATE SKIP LOCKED",
        "identity": "BIGINT AUTO_INCREMENT PRIMARY KEY",
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
        "now_default": "DEFAULT (UTC_TIMESTAMP(6))",
        "new_id": "REPLACE(UUID(), '-', '')",
        "replace_view": "CREATE OR REPLACE SQL SECURITY DEFINER VIEW",
    }
    templates: ClassVar[dict[str, str]] = {
        **TEMPLATES,
        "clock_plus": "UTC_TIMESTAMP(6) + INTERVAL CAST({0} * 1000000 AS SIGNED) MICROSECOND",
        "elapsed": "ROUND(TIMESTAMPDIFF(MICROSECOND, {0}, {1}) / 1000000, 3)",
        "excluded": "VALUES({0})",
        "ignored": "ON DUPLICATE KEY UPDATE {0} = {0}",  # INSERT IGNORE would also let bad data through
        "upsert": "ON DUPLICATE KEY UPDATE",
        "returning": "\n-- then\nSELECT LAST_INSERT_ID() AS {0}",
        "utc_text": "DATE_FORMAT({0}, '%Y-%m-%dT%H:%i:%sZ')",
        "names": "GROUP_CONCAT({0} ORDER BY {0} SEPARATOR ', ')",
        "until_colon": "SUBSTRING_INDEX({0}, ':', 1)",
        "each": "JSON_TABLE({0}, '$[*]' COLUMNS (value INT PATH '$'))",
    }
    types: ClassVar[dict[str, str]] = {
        **words,
        "text": "LONGTEXT CHARACTER SET utf8mb4 COLLATE {collation}",  # some servers would take the database's own
        "microseconds": "BIGINT",
        "numbers": "LONGTEXT",
    }

    # Exact and no-pad; the only place where MySQL 8 and MariaDB differ. Migrations set it from the server.
    collation = "utf8mb4_0900_bin"

    def macro(self, match: Any) -> str:
        if match["word"] in ("table", "hot_table"):
            return f"ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={self.collation}"
        return super().macro(match)

    def macro_index(self, rest: str) -> str:
        """No partial indexes: the columns after `|`, which lead with what the predicate tests."""
        partial, _, columns = rest.partition("|")
        head = partial.split("(", 1)[0].strip()
        return f"CREATE INDEX {head} {columns.strip() or partial[partial.index('(') :].split(' WHERE ', 1)[0].strip()}"

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
