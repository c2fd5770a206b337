"""A task that is stopped leaves no statement of its own running on the server of its data."""

import json
import urllib.parse

import psycopg
import pymysql
import pytest

from tests.workers.conftest import wait_until

GRACE_S = 15.0  # who is ended by SIGKILL comes too late for these tests, and shows it
TIMEOUT_S = 2.0  # enough to connect and to send the statement
JOBS = """
    import asyncio, psycopg, pymysql

    @job
    def noop(): ...

    @job
    def on_postgres(url: str):
        with psycopg.connect(url) as db:
            db.execute("SELECT pg_sleep(60), 'of a task'")

    @job
    async def on_postgres_async(url: str):
        async with await psycopg.AsyncConnection.connect(url) as db:
            await db.execute("SELECT pg_sleep(60), 'of a task'")

    @job
    def on_mariadb(server: dict[str, str | int]):
        with pymysql.connect(**server) as db, db.cursor() as cursor:
            cursor.execute("SELECT BENCHMARK(20000000000, SHA2('of a task', 512))")

    @job
    def makes_it_a_success(server: dict[str, str | int]):
        try:
            on_mariadb(server)
        except BaseException:
            return "all is well"

    @job
    def makes_it_an_error(url: str):
        try:
            on_postgres(url)
        except BaseException:
            raise RuntimeError("query interrupted") from None
"""


def server_of(url: str) -> dict[str, str | int]:
    parts = urllib.parse.urlsplit(url)
    found = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password or ""}
    return {**found, "database": parts.path[1:], **dict(urllib.parse.parse_qsl(parts.query))}


def postgres_is_at_work(url: str) -> bool:
    with psycopg.connect(url) as db:
        rows = db.execute(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%of a task%' AND pid <> pg_backend_pid()"
        ).fetchall()
    return bool(rows)


def mariadb_is_at_work(url: str) -> bool:
    with pymysql.connect(**server_of(url)) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%of a task%' AND id <> connection_id()"
        )
        return bool(cursor.fetchall())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("job", ["on_postgres", "on_postgres_async", "makes_it_an_error"])
def test_after_a_timeout_no_statement_of_psycopg_is_active(hire, postgres_url, job, threads):
    story = hire(JOBS, threads=threads, grace_s=GRACE_S)
    story.end("noop")
    ids = story.send(job, params=json.dumps({"url": postgres_url}), timeout_s=TIMEOUT_S)
    story.until(lambda: postgres_is_at_work(postgres_url))
    story.until_ended(ids)
    end = story.ends()[ids[0]]
    assert (end.reason, end.exit_signal) == ("timeout", None)
    wait_until(lambda: not postgres_is_at_work(postgres_url), 3)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("job", ["on_mariadb", "makes_it_a_success"])
def test_after_a_timeout_no_statement_of_pymysql_is_active(hire, mariadb_url, job, threads):
    story = hire(JOBS, threads=threads, grace_s=GRACE_S)
    story.end("noop")
    ids = story.send(job, params=json.dumps({"server": server_of(mariadb_url)}), timeout_s=TIMEOUT_S)
    story.until(lambda: mariadb_is_at_work(mariadb_url))
    story.until_ended(ids)
    end = story.ends()[ids[0]]
    assert (end.reason, end.exit_signal) == ("timeout", None)
    wait_until(lambda: not mariadb_is_at_work(mariadb_url), 3)
