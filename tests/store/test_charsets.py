"""Databases made with another charset: what strings they cannot hold is said before anything is written to them.

Not beside the other tests of the contract, whose daemon would take part in any store on the same MariaDB server.
"""

from __future__ import annotations

from pathlib import Path

import apsw
import pymysql
import pytest

from qflowd.model.errors import StoreUnsupported
from qflowd.store.migrate import check, migrate
from qflowd.store.tx import Store
from tests.contract.desk import Desk
from tests.support.daemon import Daemon
from tests.support.servers import MariaDB, Postgres

pytestmark = pytest.mark.bare

TEXT = "Grüße 日本 \U0001f600"
JOB = """
from qflowd import job

@job(name="日本")
def fail(name: str) -> None:
    print(name)
    raise ValueError(name)
"""


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "utf8mb4"])
def test_a_mariadb_database_of_any_charset_keeps_every_string(
    mariadb_server: MariaDB, mariadb_url: str, tmp_path: Path, charset: str
):
    mariadb_server.admin(f"CREATE DATABASE qflow CHARACTER SET {charset}")
    with Daemon(mariadb_url, tmp_path, plugins={"jobs.py": JOB}) as daemon:
        desk = Desk("mariadb", mariadb_server, mariadb_url, daemon)
        number = desk.submit(job="日本", name=TEXT, params=f'{{"name": "{TEXT}"}}')
        instance = desk.ended(number)
        assert (instance["name"], instance["error"]) == (TEXT, f"task 日本: ValueError: {TEXT}")
        [task] = desk.tasks(number).values()
        assert (task["job"], task["params"], task["error"]) == ("日本", f'{{"name":"{TEXT}"}}', f"ValueError: {TEXT}")
        assert TEXT in desk.rejected(desk.submit(job=TEXT))
        desk.close()


def test_mariadb_row_sets_have_our_charset_and_collation(mariadb_url: str):
    store = Store(mariadb_url)
    migrate(store)
    sql, _ = store.dialect.renderer.statement("SELECT COLLATION(r.x) FROM {rows: x text} r")
    assert store.connection().script(sql.replace("%(rows)s", "'[[\"x\"]]'")) == [("utf8mb4_nopad_bin",)]
    store.close()


def test_a_mariadb_table_that_lost_its_charset_is_refused_by_name(mariadb_server: MariaDB, mariadb_url: str):
    store = Store(mariadb_url)
    migrate(store)
    mariadb_server.admin("ALTER TABLE qflow.submissions CONVERT TO CHARACTER SET latin1")
    for open_store in (migrate, check):
        with pytest.raises(StoreUnsupported, match="submissions cannot hold every text: ALTER TABLE"):
            open_store(store)
    mariadb_server.admin("ALTER TABLE qflow.submissions CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    check(store)
    store.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_postgresql_database_that_is_not_utf8_is_refused(postgres_server: Postgres, tmp_path: Path, encoding: str):
    postgres_server.admin(f"CREATE DATABASE narrow ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    url = postgres_server.url("narrow")
    try:
        with pytest.raises(StoreUnsupported, match=f"the database has the encoding {encoding}, which cannot hold"):
            Store(url).connection()
        daemon = Daemon(url, tmp_path).start(ready=False)
        assert daemon.wait() != 0
        assert "ENCODING 'UTF8'" in daemon.log()
        assert "Traceback" not in daemon.log()
    finally:
        postgres_server.drop_database(url)


def test_a_postgresql_session_speaks_utf8_whatever_the_role_and_the_environment_prefer(
    postgres_server: Postgres, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    postgres_server.admin(f"ALTER DATABASE {postgres_url.rsplit('/', 1)[1]} SET client_encoding = 'LATIN1'")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = Store(postgres_url)
    migrate(store)
    assert store.connection().script(f"SELECT '{TEXT}'") == [(TEXT,)]
    store.close()


def test_a_sqlite_file_in_utf16_is_refused(sqlite_url: str):
    db = apsw.Connection(sqlite_url.removeprefix("sqlite:///"))
    db.execute("PRAGMA encoding = 'UTF-16'")
    db.execute("CREATE TABLE prices (symbol TEXT)")
    db.close()
    with pytest.raises(StoreUnsupported, match="its text is UTF-16"):
        Store(sqlite_url).connection()


def test_a_mariadb_column_of_another_collation_is_compared_by_naming_ours(mariadb_server: MariaDB, mariadb_url: str):
    """As the contract page says."""
    migrate(Store(mariadb_url))
    mariadb_server.admin("CREATE DATABASE market CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    try:
        mariadb_server.admin("CREATE TABLE market.desks (flow VARCHAR(200))")
        join = "SELECT 1 FROM market.desks d JOIN qflow.submissions s ON s.workflow = d.flow"
        with pytest.raises(pymysql.err.OperationalError, match="1267"):
            mariadb_server.admin(join)
        mariadb_server.admin(f"{join} COLLATE utf8mb4_nopad_bin")
    finally:
        mariadb_server.admin("DROP DATABASE market")
