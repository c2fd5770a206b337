"""MySQL 8 and MariaDB >= 10.6: what a daemon must know of the server."""

import contextlib
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pymysql
from pymysql.constants import ER

from qflowd.model.errors import StoreUnavailable, StoreUnsupported
from qflowd.store.alarm import Alarm
from qflowd.store.dialects.base import Connection, Dialect, Disconnected, Forbidden, opening
from qflowd.store.dialects.mysql_alarm import MysqlAlarm
from qflowd.store.dialects.mysql_connection import MysqlConnection
from qflowd.store.dialects.mysql_renderer import MARIADB_COLLATION, MysqlRenderer

NARROW_TABLES = (
    "SELECT DISTINCT table_name FROM information_schema.columns JOIN information_schema.tables "
    "USING (table_schema, table_name) WHERE table_schema = 'qflow' AND table_type = 'BASE TABLE' "
    "AND character_set_name <> 'utf8mb4'"
)
SESSIONS = 64  # of one daemon that others can find; it has one a thread
LOCK_HOLDERS = """
SELECT CONCAT('session ', p.id, ' (user ', p.user, ' at ', p.host, ', transaction open since ', t.trx_started, ')')
FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
WHERE t.trx_rows_locked > 0 AND p.id <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 3
"""
APPLIED_ALREADY = {ER.TABLE_EXISTS_ERROR, ER.DUP_KEYNAME, ER.DUP_FIELDNAME}


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
        self._named = count()  # sessions that were given a name, by any thread

    def connect(self, name: str = "") -> MysqlConnection:
        connection = MysqlConnection(self.url, self.limits)
        with opening(connection):
            if name:
                self._give_name(connection, name)
            if not self._checked:
                self._check(connection)
                self._checked = True
            self._use(connection)
        return connection

    def _give_name(self, connection: Connection, name: str) -> None:
        """The server shows no name of a session, but tells who holds a named lock: the first that is free becomes ours."""
        likely = next(self._named)  # from 0 on, the last of a start would ask for all those before it
        for number in range(likely, likely + SESSIONS):
            if connection.script(f"SELECT GET_LOCK('{name}.{number % SESSIONS}', 0)")[0][0] == 1:
                return

    def end_sessions(self, connection: Connection, name: str) -> None:
        asked = " UNION ALL ".join(f"SELECT IS_USED_LOCK('{name}.{number}')" for number in range(SESSIONS))
        for (number,) in connection.script(asked):
            if number is not None:
                # It has just ended; or is another user's.
                with contextlib.suppress(Disconnected, Forbidden, pymysql.Error):
                    connection.script(f"KILL {number}")

    def lock_holders(self, connection: Connection) -> list[str]:
        try:
            return [str(line) for (line,) in connection.script(LOCK_HOLDERS)]
        except (Forbidden, pymysql.Error):
            return ["a session that only a user with the privilege PROCESS can see"]

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

    def check_tables(self, connection: Connection) -> None:
        if tables := ", ".join(f"qflow.{name}" for (name,) in connection.script(NARROW_TABLES)):
            raise StoreUnsupported(
                f"{tables} cannot hold every text: ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 "
                f"COLLATE {self.renderer.collation}"
            )

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

    def alarm(self) -> Alarm[Any]:
        return MysqlAlarm(self.connect)
