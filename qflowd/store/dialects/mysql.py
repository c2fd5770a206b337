"""MySQL 8 and MariaDB >= 10.6 through PyMySQL: READ COMMITTED, found-rows, UTC, no reconnect inside a transaction."""

import contextlib
import functools
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pymysql
from pymysql.constants import CLIENT, ER

from qflowd.model.errors import StoreUnavailable, StoreUnsupported
from qflowd.model.ids import ORDINALS
from qflowd.store.alarm import Alarm
from qflowd.store.catalog import Statement
from qflowd.store.dialects.base import Connection, DataRefused, Dialect, Disconnected, Retryable, Rows, opening
from qflowd.store.render import Renderer, RowSet

SESSION = "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 10, sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO'"
LARGEST_ROW_SET = 4 << 20  # bytes; the server's default packet is 16 MB, and escaping may double them
RETRYABLE = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.CHECKREAD}
# What PyMySQL does not call a data error: packet too large, out of range, and failed CHECKs (MySQL, MariaDB).
REFUSED = {1153, 1690, 3819, 4025}
APPLIED_ALREADY = {ER.TABLE_EXISTS_ERROR, ER.DUP_KEYNAME, ER.DUP_FIELDNAME}
MARIADB_COLLATION = "utf8mb4_nopad_bin"
# Of the server, not of the data: no disk, no memory, too many users, a failover to a read-only replica, a statement that
# somebody killed or that ran out of time, a session closed for want of use. What was to be written is kept and tried again.
AWAY = {3, 1021, 1026, 1030, 1037, 1041, 1114, 1135, 1226, 1290, 1317, 1792, 1836, 1969, 3024, 4031}
GONE = AWAY | {
    0,
    1040,
    1053,
    1079,
    1080,
    1129,
    1152,
    1159,
    1160,
    1161,
    1184,
    1203,
    1927,
    2003,
    2006,
    2013,
    2014,
    2055,
    3159,
}


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
        "text": "LONGTEXT",
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

    def macro_seconds(self, rest: str) -> str:
        return f"ROUND(TIMESTAMPDIFF(MICROSECOND, {rest}) / 1000000, 3)"

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
            f"{name} {self.types[kind]} PATH '$[{i}]'"
            for i, (name, kind) in enumerate(zip(rows.names, rows.types, strict=True))
        )
        return f"JSON_TABLE(:rows, '$[*]' COLUMNS ({columns}))"


class _Session(pymysql.connections.Connection):
    """Without a CA to trust nothing is verified; PyMySQL would still read the host's whole CA store, 40 ms a connection."""

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        return sslp if isinstance(sslp, ssl.SSLContext) else _unverified()


@functools.cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class MysqlConnection(Connection):
    """One session."""

    def __init__(self, url: str) -> None:
        try:
            with translated():
                self.driver: pymysql.connections.Connection[Any] = _Session(
                    **arguments(url),
                    autocommit=True,
                    charset="utf8mb4",
                    client_flag=CLIENT.FOUND_ROWS,
                    init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                    connect_timeout=10,
                    read_timeout=90,
                    write_timeout=90,
                    max_allowed_packet=1 << 30,
                )
                self.script(SESSION)
                [(self._packet,)] = self.script("SELECT @@max_allowed_packet")
        except (Disconnected, pymysql.Error, OSError) as error:
            raise StoreUnavailable(f"cannot reach MySQL at {describe(url)}: {error}") from error

    def begin(self) -> None:
        self.script("START TRANSACTION")

    def commit(self) -> None:
        self.script("COMMIT")

    def rollback(self) -> None:
        if not self.driver.open:
            raise Disconnected("the connection is closed")
        self.script("ROLLBACK")

    def close(self) -> None:
        if self.driver.open:
            self.driver.close()

    def run(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        result = self._part(statement, params, rows)
        if statement.then is not None and (statement.then.rows is None or rows or result):
            changed = self.changed
            found = self._part(statement.then, params, rows or result)
            self.changed, result = changed, result or found
        return result

    def _part(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        values = {key: _bind(value) for key, value in params.items()}
        if statement.rows is None:
            return self._send(statement, values, params)
        width = len(statement.rows.names)
        with translated():
            document = msgspec.json.encode([[_bind(value) for value in row[:width]] for row in rows])
        if len(document) > LARGEST_ROW_SET and len(rows) > 1:
            middle = len(rows) // 2
            found = self._part(statement, params, rows[:middle])
            changed = self.changed
            found += self._part(statement, params, rows[middle:])
            self.changed += changed
            return found
        return self._send(statement, {**values, "rows": document.decode()}, params)

    def _send(self, statement: Statement, values: dict[str, Any], params: Mapping[str, Any]) -> list[Any]:
        text = statement.text(params)
        try:
            return self._execute(statement, text, values)
        except Disconnected as error:
            # The server hangs up on what is too large for it; sent again it would do the same, for ever.
            size = len(self.driver.cursor().mogrify(text, values or None).encode())
            if size < self._packet:
                raise
            msg = f"{size} bytes are more than the server's max_allowed_packet, {self._packet}"
            raise DataRefused(msg) from error

    def _execute(self, statement: Statement, text: str, values: dict[str, Any]) -> list[Any]:
        with translated(), self.driver.cursor() as cursor:
            cursor.execute(text, values or None)
            self.changed = cursor.rowcount
            if cursor.description is None:
                return []
            if statement.make_row is None:
                statement.learn_columns([column[0] for column in cursor.description])
            result = list(cursor.fetchall())
        if statement.instants:
            result = [_decode(row, statement.instants) for row in result]
        return list(map(statement.make_row, result)) if statement.make_row else result

    def script(self, sql: str) -> list[tuple[Any, ...]]:
        with translated(), self.driver.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []


class Mysql(Dialect):
    """A MySQL or MariaDB server; the namespace is the database `qflow`."""

    renderer: MysqlRenderer
    name = "mysql"
    single_statement_commits = False  # what is one statement elsewhere may have parts here
    ddl_in_transaction = False  # every DDL statement commits by itself

    def __init__(self, url: str) -> None:
        self.url = url
        self.renderer = MysqlRenderer()
        self._checked = False

    def connect(self) -> MysqlConnection:
        connection = MysqlConnection(self.url)
        with opening(connection):
            if not self._checked:
                self._check(connection)
                self._checked = True
            self._use(connection)
        return connection

    def _use(self, connection: Connection) -> None:
        # A default database is needed to name an alias in DELETE; there is none before the first migration.
        if connection.script("SELECT 1 FROM information_schema.schemata WHERE schema_name = 'qflow'"):
            connection.script("USE qflow")

    def _check(self, connection: MysqlConnection) -> None:
        version = str(connection.script("SELECT VERSION()")[0][0])
        numbers = tuple(int(part) for part in version.split("-", 1)[0].split(".")[:3])
        is_mariadb = "mariadb" in version.lower()
        if numbers < ((10, 6, 0) if is_mariadb else (8, 0, 13)):
            raise StoreUnsupported(f"{version} is too old: qflowd needs MariaDB 10.6 or MySQL 8.0.13, for SKIP LOCKED")
        if is_mariadb:
            self.renderer.collation = MARIADB_COLLATION

    def migration_lock(self, connection: Connection) -> None:
        if connection.script("SELECT GET_LOCK('qflow.migration', 60)")[0][0] != 1:
            raise StoreUnavailable("another daemon has been migrating for a minute; look at SHOW PROCESSLIST")

    def migration_unlock(self, connection: Connection) -> None:
        connection.script("DO RELEASE_LOCK('qflow.migration')")

    def ddl_applied_already(self, error: Exception) -> bool:
        cause = error.__cause__ or error
        return isinstance(cause, pymysql.Error) and cause.args[0] in APPLIED_ALREADY

    def has_schema(self, connection: Connection) -> bool:
        sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = 'qflow' AND table_name = 'migration'"
        return bool(connection.script(sql))

    def create_namespace(self, connection: Connection) -> None:
        there = connection.script("SELECT 1 FROM information_schema.schemata WHERE schema_name = 'qflow'")
        if not there:
            connection.script(self._create_database())
        self._use(connection)

    def _create_database(self) -> str:
        return f"CREATE DATABASE IF NOT EXISTS qflow CHARACTER SET utf8mb4 COLLATE {self.renderer.collation}"

    def learn_server(self) -> None:
        if urlsplit(self.url).scheme.startswith("mariadb"):
            self.renderer.collation = MARIADB_COLLATION
        with contextlib.suppress(StoreUnavailable):
            self.connect().close()

    def as_script(self, statements: Sequence[str]) -> str:
        kind = (
            "MariaDB"
            if self.renderer.collation == MARIADB_COLLATION
            else "MySQL 8; for MariaDB say mariadb:// in the URL"
        )
        return f"-- For {kind}.\n" + ";\n\n".join([self._create_database(), "USE qflow", *statements]) + ";\n"

    def alarm(self) -> Alarm:
        from qflowd.store.dialects.mysql_alarm import Asking

        return Asking(self.connect)

    def describe(self) -> str:
        return describe(self.url)


def arguments(url: str) -> dict[str, Any]:
    """PyMySQL's arguments for a URL: `mysql://user:password@host:port/?unix_socket=…&ssl_ca=…`."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    found: dict[str, Any] = {"user": unquote(parts.username or "root"), "password": unquote(parts.password or "")}
    if "unix_socket" in query:
        found["unix_socket"] = query["unix_socket"]
    else:
        found |= {"host": parts.hostname or "127.0.0.1", "port": parts.port or 3306}
    if "ssl_ca" in query:
        found["ssl"] = _trusting(query["ssl_ca"])
    return found


@functools.cache
def _trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def describe(url: str) -> str:
    """The URL without user and password."""
    parts = urlsplit(url)
    return f"mysql://{parts.hostname or ''}:{parts.port or 3306}"


def _bind(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return value


def _decode(row: tuple[Any, ...], instants: tuple[int, ...]) -> tuple[Any, ...]:
    values = list(row)
    for i in instants:
        if values[i] is not None:
            values[i] = values[i].replace(tzinfo=UTC)
    return tuple(values)


@contextmanager
def translated() -> Iterator[None]:
    """Turn PyMySQL's errors into the door's."""
    try:
        yield
    except (pymysql.err.OperationalError, pymysql.err.InternalError, pymysql.err.InterfaceError) as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if code in RETRYABLE:
            raise Retryable(str(error)) from error
        if code in GONE:
            raise Disconnected(str(error)) from error
        if code in REFUSED:
            raise DataRefused(str(error)) from error
        raise
    except (pymysql.err.DataError, pymysql.err.IntegrityError, UnicodeEncodeError) as error:
        raise DataRefused(str(error)) from error
