"""A session on MySQL or MariaDB through PyMySQL: READ COMMITTED, found-rows, UTC, no reconnect inside a transaction."""

import contextlib
import functools
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pymysql
from pymysql.constants import CLIENT, ER

from qflowd.config.database_url import without_password
from qflowd.model.errors import QueryTooSlow, StoreUnavailable
from qflowd.store.catalog import Statement
from qflowd.store.dialects.base import (
    RESTED_S,
    Connection,
    DataRefused,
    Disconnected,
    Duplicate,
    Forbidden,
    Limits,
    LockTimeout,
    Retryable,
    Rows,
)

SESSION = (
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO', "
    "innodb_lock_wait_timeout = {lock_s}, {idle}"
)
LARGEST_ROW_SET = 4 << 20  # bytes; the server's default packet is 16 MB, and escaping may double them
RETRYABLE = {ER.LOCK_DEADLOCK, ER.CHECKREAD}
# What PyMySQL does not call a data error: packet too large, out of range, and failed CHECKs (MySQL, MariaDB).
REFUSED = {1153, 1690, 3819, 4025}
# Of the server, not of the data: no disk, no memory, too many users, a failover to a read-only replica, a statement that
# somebody killed, a session closed for want of use. What was to be written is kept and tried again.
AWAY = {3, 1021, 1026, 1030, 1037, 1041, 1114, 1135, 1226, 1290, 1317, 1792, 1836, 4031}
FORBIDDEN = {ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR}
TOO_SLOW = {1969, 3024}  # MariaDB, MySQL
# The session is over, or none could begin: refused, killed, cut off, out of step.
LOST = {0, 1040, 1053, 1079, 1080, 1129, 1152, 1159, 1160, 1161, 1184, 1203, 1927, 2003, 2006, 2013, 2014, 2055, 3159}
GONE = AWAY | LOST


class MysqlSession(pymysql.connections.Connection):
    """Without a CA to trust nothing is verified; PyMySQL would still read the host's whole CA store, 40 ms a connection.

    PyMySQL 1.2 lets `connect_timeout` end with the TCP connection: a server that then says nothing would be waited for as
    long as the answer to a statement.
    """

    def connect(self, sock: Any = None) -> None:
        patience: Any = self._read_timeout
        self._read_timeout: Any = self.connect_timeout
        try:
            super().connect(sock)
        finally:
            self._read_timeout = patience

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

    def __init__(self, url: str, limits: Limits) -> None:
        try:
            with translated():
                self.driver: pymysql.connections.Connection[Any] = MysqlSession(
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
                self.script(SESSION.format(lock_s=round(limits.lock_s), idle=self._idle_limit(limits)))
                if limits.read_s is not None:
                    self.script(f"SET SESSION {self._read_limit(limits.read_s)}")
                [(self._packet,)] = self.script("SELECT @@max_allowed_packet")
        except (Disconnected, pymysql.Error, OSError) as error:
            raise StoreUnavailable(f"cannot reach MySQL at {without_password(url)}: {_message(error)}") from error

    @property
    def _is_mariadb(self) -> bool:
        return "mariadb" in str(self.driver.get_server_info()).lower()  # type: ignore[no-untyped-call]

    def _read_limit(self, read_s: float) -> str:
        """MySQL's is in milliseconds and for SELECT alone, MariaDB's in seconds."""
        return f"max_statement_time = {read_s}" if self._is_mariadb else f"max_execution_time = {round(read_s * 1000)}"

    def _idle_limit(self, limits: Limits) -> str:
        """MySQL has a limit for all rest alone, and a thread may rest for a minute between two transactions."""
        if self._is_mariadb:
            return f"idle_transaction_timeout = {round(limits.idle_s)}"
        return f"wait_timeout = {round(max(RESTED_S * 2, limits.idle_s))}"

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

    def sever(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # it may be closed meanwhile
            self.driver._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # noqa: SLF001

    def run(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        result = self._part(statement, params, rows)
        while (part := statement.then) is not None and (part.rows is None or rows or result):
            changed = self.changed
            part_rows = self._part(part, params, rows or result)
            self.changed, result, statement = changed, result or part_rows, part
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
            result = self._part(statement, params, rows[:middle])
            changed = self.changed
            result += self._part(statement, params, rows[middle:])
            self.changed += changed
            return result
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
        return statement.make_rows(result, _in_utc)

    def script(self, sql: str) -> list[tuple[Any, ...]]:
        with translated(), self.driver.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []


def arguments(url: str) -> dict[str, Any]:
    """PyMySQL's arguments for a URL: `mysql://user:password@host:port/?unix_socket=…&ssl_ca=…`."""
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    arguments: dict[str, Any] = {"user": unquote(parts.username or "root"), "password": unquote(parts.password or "")}
    if "unix_socket" in query:
        arguments["unix_socket"] = query["unix_socket"]
    else:
        arguments |= {"host": parts.hostname or "127.0.0.1", "port": parts.port or 3306}
    if "ssl_ca" in query:
        arguments["ssl"] = _trusting(query["ssl_ca"])
    return arguments


@functools.cache
def _trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _bind(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return value


def _in_utc(value: Any) -> Any:
    """The server's datetimes are UTC; what the driver cannot read as one, such as a zero date, comes as a string."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


@contextmanager
def translated() -> Iterator[None]:
    """Turn PyMySQL's errors into the door's."""
    try:
        yield
    except (pymysql.err.OperationalError, pymysql.err.InternalError, pymysql.err.InterfaceError) as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if code == ER.LOCK_WAIT_TIMEOUT:
            raise LockTimeout(_message(error)) from error
        if code in RETRYABLE:
            raise Retryable(_message(error)) from error
        if code in TOO_SLOW:
            raise QueryTooSlow(_message(error)) from error
        if code in GONE:
            raise Disconnected(_message(error)) from error
        if code in FORBIDDEN:
            raise Forbidden(_message(error)) from error
        if code in REFUSED:
            raise DataRefused(_message(error)) from error
        raise
    except (pymysql.err.DataError, pymysql.err.IntegrityError, UnicodeEncodeError) as error:
        is_duplicate = isinstance(error, pymysql.err.IntegrityError) and error.args[0] == ER.DUP_ENTRY
        raise (Duplicate if is_duplicate else DataRefused)(_message(error)) from error


def _message(error: Exception) -> str:
    """The message of the server or the driver; PyMySQL's own text is a tuple."""
    return f"{error.args[1]} (error {error.args[0]})" if len(error.args) == 2 else str(error)
