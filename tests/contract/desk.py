"""A user's side of the contract: plain drivers and Debian's clients, beside a real daemon. Nothing here imports qflowd.

SQLite is opened by the standard library, whose locks an apsw of the same process would drop: so no Store on desk files.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from tests.support.daemon import Daemon, until
from tests.support.servers import Server, client

FINAL = ("SUCCESS", "FAILED", "TERMINATED")
Row = dict[str, Any]


class Desk:
    """One store with a daemon, and connections of users."""

    def __init__(self, kind: str, server: Server, url: str, daemon: Daemon) -> None:
        self.kind = kind
        self.server = server
        self.url = url
        self.daemon = daemon
        self._connection: Any = None

    # -------------------------------------------------------------- drivers

    def connect(self, user: str | None = None) -> Any:
        """A new autocommit connection of the plain driver; SQLite: the file attached as `qflow`."""
        parts = urlsplit(self.url)
        if self.kind == "postgres":
            import psycopg

            url = self.url if user is None else self.url.replace("postgres@", f"{user}@")
            return psycopg.connect(url, autocommit=True)
        if self.kind == "mariadb":
            import pymysql

            return pymysql.connect(host=parts.hostname, port=parts.port, user=user or "root", autocommit=True)
        connection = sqlite3.connect(":memory:", timeout=20, isolation_level=None)
        connection.execute("ATTACH ? AS qflow", (parts.path[1:],))
        return connection

    @property
    def connection(self) -> Any:
        self._connection = self._connection or self.connect()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def run(self, sql: str, args: Sequence[Any] = (), connection: Any = None) -> list[Row]:
        """Run one statement; its rows by column name. Parameters are `%s` for all drivers."""
        if self.kind == "sqlite":
            sql = sql.replace("%s", "?")
        cursor = (connection or self.connection).cursor()
        cursor.execute(sql, tuple(args) or None) if self.kind != "sqlite" else cursor.execute(sql, tuple(args))
        if cursor.description is None:
            return []
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def insert(self, table: str, connection: Any = None, **values: Any) -> int:
        """INSERT one row into an inbox; the id that it returned."""
        columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        sql = f"INSERT INTO qflow.{table} ({columns}) VALUES ({marks})"
        if self.kind == "mariadb":
            with (connection or self.connection).cursor() as cursor:
                cursor.execute(sql, tuple(values.values()))
                return int(cursor.lastrowid)
        return int(self.run(f"{sql} RETURNING id", tuple(values.values()), connection)[0]["id"])

    def submit(self, **values: Any) -> int:
        return self.insert("submissions", **values)

    # -------------------------------------------------------------- what users wait for

    def answer(self, number: int, table: str = "submissions", timeout_s: float = 20) -> Row:
        """The row of an inbox once it is answered, as the contract says to wait for it."""
        columns = f"id, state, {'result' if table == 'commands' else 'instance_id'}, error, answered_at"
        sql = f"SELECT {columns} FROM qflow.{table} WHERE id = %s AND state <> 'NEW'"
        return until(lambda: self.run(sql, (number,)), timeout_s, what=f"an answer to {table} {number}")[0]

    def rejected(self, number: int, table: str = "submissions") -> str:
        """The error of a row that must be refused."""
        row = self.answer(number, table)
        assert (row["state"], row.get("instance_id") if table == "submissions" else None) == ("REJECTED", None), row
        assert row["answered_at"] is not None
        return str(row["error"])

    def instance(self, number: int) -> Row:
        return self.run("SELECT * FROM qflow.instances WHERE id = %s", (number,))[0]

    def ended(self, number: int, timeout_s: float = 30) -> Row:
        """The instance once it has ended."""
        answer = self.answer(number, timeout_s=timeout_s)
        assert answer["state"] == "ACCEPTED", answer["error"]
        ask = "SELECT state FROM qflow.instances WHERE id = %s"  # a server takes long to plan the other columns
        until(
            lambda: self.run(ask, (answer["instance_id"],))[0]["state"] in FINAL,
            timeout_s,
            what=f"the end of instance {number}",
        )
        return self.instance(answer["instance_id"])

    def tasks(self, number: int) -> dict[str, Row]:
        rows = self.run("SELECT * FROM qflow.tasks WHERE instance_id = %s ORDER BY id", (number,))
        return {row["task"]: row for row in rows}

    def task(self, number: int, key: str, state: str, timeout_s: float = 20) -> Row:
        """A task once it is in this state."""
        ask = "SELECT 1 FROM qflow.tasks WHERE instance_id = %s AND task = %s AND state = %s"
        return until(
            lambda: self.run(ask, (number, key, state)) and (row := self.tasks(number)[key])["state"] == state and row,
            timeout_s,
            what=f"task {key} of {number} in state {state}",
        )

    def command(self, action: str, instance_id: int | None = None, **values: Any) -> Row:
        """Write a command and wait for its answer."""
        return self.answer(self.insert("commands", action=action, instance_id=instance_id, **values), "commands")

    def forget(self, *numbers: int, table: str = "submissions") -> None:
        """Delete rows of an inbox that would trouble whoever reads it whole."""
        for number in numbers:
            self.run(f"DELETE FROM qflow.{table} WHERE id = %s", (number,))

    def is_alive(self) -> None:
        """The daemon still takes and runs what is submitted, and it is the same one."""
        assert self.ended(self.submit(job="hello"))["state"] == "SUCCESS"
        assert self.daemon.is_running

    # -------------------------------------------------------------- Debian's clients

    def shell(self, sql: str, user: str | None = None, *, check: bool = True) -> str:
        """What psql, mariadb or sqlite3 print for a script; columns are separated by `|`. In sqlite3: no prefix."""
        parts = urlsplit(self.url)
        if self.kind == "postgres":
            url = self.url if user is None else self.url.replace("postgres@", f"{user}@")
            command = [client("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
        elif self.kind == "mariadb":
            command = [client("mariadb"), "--no-defaults", "-h", parts.hostname, "-P", str(parts.port)]
            command += ["-u", user or "root", "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        else:
            command = [client("sqlite3"), "-batch", "-bail", "-cmd", ".timeout 10000", parts.path[1:]]
            sql = sql.replace("qflow.", "")
        done = subprocess.run(
            [str(c) for c in command],
            input=sql,
            capture_output=True,
            text=True,
            errors="backslashreplace",  # other tests of the folder write what is none
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command[0]}: {done.stderr}")
        text = done.stdout if check else done.stdout + done.stderr
        return (text.replace("\t", "|") if self.kind == "mariadb" else text).strip()
