"""PostgreSQL: what a daemon must know of the server."""

from collections.abc import Sequence

from qflowd.store.alarm import Alarm
from qflowd.store.dialects.base import Connection, Dialect, opening
from qflowd.store.dialects.postgres_alarm import Listening
from qflowd.store.dialects.postgres_connection import PostgresConnection, describe
from qflowd.store.dialects.postgres_renderer import PostgresRenderer


class Postgres(Dialect):
    """A PostgreSQL server; the namespace is the schema `qflow`."""

    name = "postgres"
    has_waker = True

    def __init__(self, url: str) -> None:
        self.url = url
        self.renderer = PostgresRenderer()

    def connect(self) -> PostgresConnection:
        connection = PostgresConnection(self.url)
        with opening(connection):
            connection.check()
        return connection

    def migration_lock(self, connection: Connection) -> None:
        connection.script("SET LOCAL lock_timeout = '60s'")
        connection.script("SELECT pg_advisory_xact_lock(hashtext('qflow.migration'))")

    def migration_unlock(self, connection: Connection) -> None:
        """The lock ends with its transaction."""

    def has_schema(self, connection: Connection) -> bool:
        return connection.script("SELECT to_regclass('qflow.migration') IS NOT NULL")[0][0] is True

    def create_namespace(self, connection: Connection) -> None:
        # Asked first: IF NOT EXISTS wants the right to create also where there is nothing to do.
        if not connection.script("SELECT 1 FROM pg_namespace WHERE nspname = 'qflow'"):
            connection.script("CREATE SCHEMA qflow")

    def as_script(self, statements: Sequence[str]) -> str:
        return super().as_script(["CREATE SCHEMA IF NOT EXISTS qflow", *statements])

    def alarm(self) -> Alarm:
        return Listening(self.connect)

    def describe(self) -> str:
        return describe(self.url)
