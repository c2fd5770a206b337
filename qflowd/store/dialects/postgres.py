"""PostgreSQL: what a daemon must know of the server."""

from collections.abc import Sequence
from typing import Any

from qflowd.store.alarm import Alarm
from qflowd.store.dialects.base import Connection, Dialect, opening
from qflowd.store.dialects.postgres_alarm import PostgresAlarm
from qflowd.store.dialects.postgres_connection import PostgresConnection
from qflowd.store.dialects.postgres_renderer import PostgresRenderer

END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE application_name = '{name}' AND datname = current_database() AND pid <> pg_backend_pid()"
)
# What others do may be hidden from us; then their transaction has no start here.
LOCK_HOLDERS = """
SELECT format('session %s (user %s, %s, %s since %s)', a.pid, a.usename, coalesce(nullif(a.application_name, ''), 'no name'),
    coalesce(a.state, 'state hidden'), coalesce(to_char(a.xact_start, 'HH24:MI:SS TZ'), 'unknown'))
FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND coalesce(a.xact_start < clock_timestamp() - interval '0.5 s', true)
AND EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = a.pid AND l.granted
    AND l.mode <> 'AccessShareLock' AND c.relnamespace = to_regnamespace('qflow')
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY a.xact_start NULLS FIRST LIMIT 3
"""


class Postgres(Dialect):
    """A PostgreSQL server; the namespace is the schema `qflow`."""

    name = "postgres"
    has_waker = True

    def __init__(self, url: str) -> None:
        self.url = url
        self.renderer = PostgresRenderer()

    def connect(self, name: str = "") -> PostgresConnection:
        connection = PostgresConnection(self.url, name, self.limits)
        with opening(connection):
            connection.check()
        return connection

    def end_sessions(self, connection: Connection, name: str) -> None:
        connection.script(END_SESSIONS.format(name=name))  # hexadecimal digits and a number

    def lock_holders(self, connection: Connection) -> list[str]:
        return [str(line) for (line,) in connection.script(LOCK_HOLDERS)]

    def migration_lock(self, connection: Connection) -> None:
        connection.script("SET LOCAL lock_timeout = '60s'")
        connection.script("SELECT pg_advisory_xact_lock(hashtext('qflow.migration'))")

    def has_schema(self, connection: Connection) -> bool:
        return connection.script("SELECT to_regclass('qflow.migration') IS NOT NULL")[0][0] is True

    def create_namespace(self, connection: Connection) -> None:
        # Asked first: IF NOT EXISTS wants the right to create also where there is nothing to do.
        if not connection.script("SELECT 1 FROM pg_namespace WHERE nspname = 'qflow'"):
            connection.script("CREATE SCHEMA qflow")

    def as_script(self, statements: Sequence[str]) -> str:
        return super().as_script(["CREATE SCHEMA IF NOT EXISTS qflow", *statements])

    def alarm(self) -> Alarm[Any]:
        return PostgresAlarm(self.connect)
