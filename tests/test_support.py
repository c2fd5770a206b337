"""The test servers themselves: fresh stores, real clients, and life after being killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qflowd.store.inbox import SUBMISSION
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.daemon import Daemon
from tests.support.forked import MODULES, Forked
from tests.support.servers import Server, client
from tests.support.sql import run_sql


def _path(url: str) -> str | None:
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else None


def _alive(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()  # a zombie only waits for its parent
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.bare
def test_each_database_gives_an_empty_place(database_server: Server, database_url: str) -> None:
    assert database_server.admin("SELECT 1", _path(database_url)) == [(1,)]
    if database_server.kind == "mariadb":
        assert ("qflow",) not in database_server.admin("SHOW DATABASES")


SHAPES = {
    "sqlite": ["SELECT type, name, tbl_name, sql FROM qflow.sqlite_master ORDER BY 1, 2"],
    "postgres": [
        (
            "SELECT c.relname, c.relkind, c.reloptions, a.attnum, a.attname, a.attnotnull, a.attidentity, a.attcollation, "
            "format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum) "
            "WHERE c.relnamespace = 'qflow'::regnamespace ORDER BY 1, 4"
        ),
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY conrelid, conname",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'qflow' ORDER BY 1, 2",
        "SELECT viewname, definition FROM pg_views WHERE schemaname = 'qflow' ORDER BY 1",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger ORDER BY 1",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'qflow'::regnamespace ORDER BY 1",
    ],
    "mariadb": [
        "SELECT * FROM information_schema.columns WHERE table_schema = 'qflow' ORDER BY table_name, ordinal_position",
        "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'qflow' ORDER BY 1",
        "SELECT * FROM information_schema.check_constraints WHERE constraint_schema = 'qflow' ORDER BY 3, 4",
        (
            "SELECT table_name, index_name, seq_in_index, column_name, non_unique, collation "
            "FROM information_schema.statistics WHERE table_schema = 'qflow' ORDER BY 1, 2, 3"
        ),
        (
            "SELECT table_name, engine, row_format, table_collation, create_options "
            "FROM information_schema.tables WHERE table_schema = 'qflow' ORDER BY 1"
        ),
    ],
}


def _shape(server: Server, url: str) -> list[object]:
    """Every column, index, view and constraint, in the database's own words."""
    name = url.removeprefix("sqlite:///") if server.kind == "sqlite" else url.rsplit("/", 1)[1] or "qflow"
    return [server.admin(sql, name) for sql in SHAPES[server.kind]]


def test_a_copied_store_is_what_the_migrations_make_and_has_an_identity_of_its_own(database_server: Server) -> None:
    shapes, names = [], []
    for make in (database_server.create_database, database_server.create_store, database_server.create_store):
        url = make()
        store = Store(url)
        steps = migrate(store)
        assert (steps > 100) == (not shapes)
        names.append(store.read(lambda tx: tx.one("read_database_id")).value)
        store.close()
        shapes.append(_shape(database_server, url))
        database_server.give_back(url)
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(set(names)) == 3


TABLES = {
    "sqlite": "SELECT name FROM qflow.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'qflow'",
    "mysql": "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'qflow' AND table_type = 'BASE TABLE'",
}
CHANGES = {
    "rows alone": [],
    "a column": ["ALTER TABLE qflow.lane ADD COLUMN strange INT"],
    "an index": ["CREATE INDEX {name} ON {table} (job)"],
    "a view": ["CREATE VIEW qflow.strange AS SELECT 1 AS one"],
    "a view is gone": ["DROP VIEW qflow.breakpoints"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_done_to_a_store_is_not_met_in_the_next_one(database_server: Server, change: str) -> None:
    shapes, rows, numbers, names = [], [], [], []
    of_file = database_server.kind == "sqlite"
    names_of_index = {"name": "qflow.strange" if of_file else "strange", "table": "lane" if of_file else "qflow.lane"}
    for _ in range(3):
        url = database_server.create_store()
        shapes.append(_shape(database_server, url))
        store = Store(url)
        names.append(store.read(lambda tx: tx.one("read_database_id")).value)
        rows.append(_rows(store))
        numbers.append([store.transact(lambda tx: tx.one("insert_submission", **SUBMISSION)).id for _ in range(2)])
        run_sql(store, "INSERT INTO qflow.meta (name, value) VALUES ('strange', 'x')", "DELETE FROM qflow.migration")
        for statement in CHANGES[change]:
            run_sql(store, statement.format(**names_of_index))
        database_server.give_back(url)
        store.close()
    assert shapes[0] == shapes[1] == shapes[2]
    assert rows[0] == rows[1] == rows[2]
    assert numbers == [[1, 2]] * 3
    assert len(set(names)) == 3


def _rows(store: Store) -> dict[str, int]:
    """How many rows each table has."""
    found = run_sql(store, TABLES[store.dialect.name])
    return {name: run_sql(store, f"SELECT COUNT(*) FROM qflow.{name}")[0][0] for (name,) in found}


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.fault
def test_committed_rows_survive_the_server_being_killed(kind: str, get_server) -> None:
    server = get_server(kind)
    url = server.create_database("survivor")
    try:
        server.admin("CREATE TABLE t (x INT)", "survivor")
        server.admin("INSERT INTO t VALUES (7)", "survivor")
        server.kill()
        server.start()
        assert server.admin("SELECT x FROM t", "survivor") == [(7,)]
        server.restart()
        assert server.admin("SELECT x FROM t", "survivor") == [(7,)]
    finally:
        server.start().drop_database(url)


def test_a_forked_daemon_ends_as_any_other_and_strange_environments_get_one_of_their_own(sqlite_url, tmp_path):
    daemon = Daemon(sqlite_url, tmp_path).start()
    assert isinstance(daemon.process, Forked)
    assert os.getsid(daemon.pid) == daemon.pid
    assert daemon.is_running
    assert daemon.stop() == 0
    assert not daemon.is_running
    daemon.start().kill()
    assert daemon.process.returncode == -9
    daemon.env["PYTHONPROFILEIMPORTTIME"] = "1"
    daemon.start()
    assert not isinstance(daemon.process, Forked)
    assert daemon.stop() == 0
    # Each start of a forked daemon would read again what its starter has not read.
    imported = set(re.findall(r"^import time:.*\| +(qflowd\S*)$", daemon.log(), re.MULTILINE))
    code = f"import sys, {', '.join(MODULES)}; print(*sys.modules)"
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "qflowd.engine.running.executor" in imported
    assert imported <= set(read)


def test_psql_reaches_the_store(postgres_url: str) -> None:
    command = [client("psql"), postgres_url, "-XAtc", "SELECT 1+1"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2\n"


def test_the_mariadb_client_reaches_the_server(mariadb_server: Server, mariadb_url: str) -> None:
    command = [
        client("mariadb"),
        "--no-defaults",
        "-h127.0.0.1",
        f"-P{mariadb_server.port}",
        "-uroot",
        "-N",
        "-e",
        "SELECT 1+1",
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2\n"


def test_the_sqlite3_client_runs() -> None:
    done = subprocess.run([client("sqlite3"), ":memory:", "SELECT 1+1"], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_ends_with_the_process_that_started_it_even_if_that_is_killed(kind: str, get_server) -> None:
    get_server(kind)  # skips where there is none
    code = (
        "import time; from tests.support.servers import MAKERS\n"
        f"s = MAKERS['{kind}'](durable=False).start(); print(s.pid, s.folder.parent, flush=True); time.sleep(100)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        pid, folder = owner.stdout.readline().split()
        assert _alive(pid)
        owner.kill()
    end = time.monotonic() + 20
    while time.monotonic() < end and (Path(folder).exists() or _alive(pid)):
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not _alive(pid)
