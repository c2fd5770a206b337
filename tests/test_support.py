"""The test servers themselves: fresh stores, real clients, and life after being killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.servers import Server, client


def _path(url: str) -> str | None:
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else None


def _alive(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()  # a zombie only waits for its parent
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_each_database_gives_an_empty_store(database_server: Server, database_url: str) -> None:
    assert database_server.admin("SELECT 1", _path(database_url)) == [(1,)]
    if database_server.kind == "mariadb":
        assert ("qflow",) not in database_server.admin("SHOW DATABASES")


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
