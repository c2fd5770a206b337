"""Migrations: from nothing to the newest, once, whoever starts together and whoever is killed between steps."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd.model.errors import SchemaOutdated, SchemaTooNew, StoreUnavailable, StoreUnsupported
from qflowd.store import migrate
from qflowd.store.migrate import check, newest, script
from qflowd.store.tx import Store
from tests.support.servers import client

pytestmark = pytest.mark.bare

ROOT = Path(__file__).resolve().parents[2]
# Numbers that no migration has, and none may get any more.
LEFT_OUT = {4, 23, 25, 27, 29, 30, 31, 36, 40, 42, 44, 49, 53, 54, 55, 56, 60, 65, 71, 72}
# Waits until all are ready, migrates, says how many steps it ran.
MIGRATOR = """
import sys
from qflowd.store.tx import Store
from qflowd.store.migrate import migrate
print("ready", flush=True)
sys.stdin.readline()
print(migrate(Store(sys.argv[1])), flush=True)
"""
# The same, killed at the n-th text it sends: before it, or right after it.
KILLED = """
import os, signal, sys
from qflowd.store.tx import Store
from qflowd.store.migrate import migrate
store, left, when = Store(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
connection = store.connection()
send = connection.script
def counted(sql):
    global left
    left -= sql.startswith(("CREATE TABLE", "CREATE INDEX", "CREATE OR", "CREATE VIEW", "INSERT", "ALTER"))
    if left == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = send(sql)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
connection.script = counted
migrate(store)
"""


def process(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, stderr=-1, text=True)


def steps_of(store: Store) -> int:
    return len(migrate.steps(store.dialect))


@pytest.fixture
def empty(database_url):
    store = Store(database_url)
    yield store
    store.close()


def test_an_empty_database_becomes_the_newest_and_a_second_run_does_nothing(empty):
    assert migrate.migrate(empty) == steps_of(empty)
    assert migrate.migrate(empty) == 0
    check(empty)
    [(version,)] = empty.connection().script("SELECT MAX(number) FROM qflow.migration")
    assert version == newest()


def test_a_new_migration_gets_the_highest_number():
    """With a lower one, databases at the highest would keep their old views, and older releases would begin on them."""
    numbers = {int(file.name[:4]) for file in (ROOT / "sql/common/migrations").glob("[0-9]*.sql")}
    assert set(range(1, newest())) - numbers == LEFT_OUT


def test_each_database_gets_a_name_of_its_own_for_ever(empty):
    migrate.migrate(empty)
    name = empty.read(lambda tx: tx.one("read_database_id")).value
    assert len(name) == 32
    migrate.migrate(empty)
    assert empty.read(lambda tx: tx.one("read_database_id")).value == name


def test_a_database_without_schema_is_outdated_and_names_the_remedy(empty):
    with pytest.raises(SchemaOutdated, match="qflowd migrate"):
        check(empty)


def test_a_schema_with_steps_missing_is_outdated_and_is_finished(empty):
    migrate.migrate(empty)
    connection = empty.connection()
    numbers = [step.number for step in migrate.steps(empty.dialect)]
    number = max(number for number in numbers if numbers.count(number) >= 3)
    connection.script(f"DELETE FROM qflow.migration WHERE number = {number} AND step > {numbers.count(number) - 3}")
    with pytest.raises(SchemaOutdated):
        check(empty)
    assert migrate.migrate(empty) == 3
    check(empty)


def test_runs_before_dates_were_held_hold_theirs_and_what_was_open_is_let_in(empty):
    migrate.migrate(empty)
    after = [
        step for step in migrate.steps(empty.dialect) if "dated_run" in step.text or "allow_duplicates" in step.text
    ]
    [position] = [step.position for step in after if step.text.lstrip().startswith("ALTER")]
    run = empty.connection().script
    run(f"DELETE FROM qflow.migration WHERE number = {after[0].number} AND step > {position}")
    about = "(id, tenant, state, open_closers, next_ordinal, priority, trigger_type, params, created_at, updated_at"
    at = "0, 0" if empty.dialect.name == "sqlite" else "CURRENT_TIMESTAMP, CURRENT_TIMESTAMP"
    days = [
        (1, 3, "'2026-11-19'"),
        (2, 4, "'2026-11-19'"),
        (3, 4, "'2026-11-20'"),
        (4, 5, "'2026-11-20'"),
        (5, 3, "NULL"),
    ]
    for number, state, day in days:  # 3: SUCCESS
        values = f"{number}, 'default', {state}, 0, 1, 0, 'sql', '{{}}', {at}, 1, {day}"
        run(f"INSERT INTO qflow.workflow_instance {about}, definition_id, business_date) VALUES ({values})")
    run("INSERT INTO qflow.submissions (workflow, business_date, is_open) VALUES ('w', '2026-11-20', 1)")
    run("INSERT INTO qflow.submissions (workflow, business_date, is_open) VALUES ('w', '2026-11-20', 0)")
    migrate.migrate(empty)
    held = run("SELECT instance_id, business_date FROM qflow.dated_run ORDER BY instance_id")
    assert [(number, str(day)) for number, day in held] == [(1, "2026-11-19"), (4, "2026-11-20")]
    assert [tuple(row) for row in run("SELECT is_open, allow_duplicates FROM qflow.submissions ORDER BY id")] == [
        (1, 1),
        (0, 0),
    ]


def test_facts_count_for_schedules_since_then_as_before_that_had_a_column_of_its_own(empty):
    migrate.migrate(empty)
    [_, copies] = [step for step in migrate.steps(empty.dialect) if "facts_since_at" in step.text]
    run = empty.connection().script
    run(f"DELETE FROM qflow.migration WHERE number = {copies.number} AND step = {copies.position}")
    at = "7" if empty.dialect.name == "sqlite" else "CURRENT_TIMESTAMP"
    columns = "definition_id, name, cron, timezone, catchup, catchup_limit, enabled, held_at, fact_kind"
    run(
        f"INSERT INTO qflow.schedule ({columns}) VALUES (1, 'fact', '', 'UTC', 'none', 0, 1, {at}, 3), "
        f"(1, 'held', '0 0 * * *', 'UTC', 'none', 0, 1, {at}, NULL)"
    )
    migrate.migrate(empty)
    rows = run("SELECT name, held_at, facts_since_at FROM qflow.schedule ORDER BY name")
    [(_, since_at, facts_since_at), (_, held_at, none)] = [tuple(row) for row in rows]
    assert (facts_since_at, none) == (since_at, None)
    assert held_at is not None


def test_a_newer_schema_is_refused_and_left_alone(empty):
    migrate.migrate(empty)
    number = newest() + 1
    at = "0" if empty.dialect.name == "sqlite" else "CURRENT_TIMESTAMP"
    empty.connection().script(f"INSERT INTO qflow.migration (number, step, applied_at) VALUES ({number}, 1, {at})")
    before = empty.connection().script("SELECT number, step FROM qflow.migration ORDER BY number, step")
    for refused in (migrate.migrate, check):
        with pytest.raises(SchemaTooNew, match=f"version {number}.*upgrade"):
            refused(empty)
    assert empty.connection().script("SELECT number, step FROM qflow.migration ORDER BY number, step") == before


def test_of_four_processes_at_once_one_migrates_and_all_continue(empty):
    migrators = [process(MIGRATOR, url_of(empty)) for _ in range(4)]
    for migrator in migrators:
        assert migrator.stdout.readline() == "ready\n", migrator.stderr.read()
    for migrator in migrators:
        migrator.stdin.write("go\n")
        migrator.stdin.flush()
    ended = [migrator.communicate(timeout=60) for migrator in migrators]
    assert [error for _, error in ended] == [""] * 4
    assert sorted(int(output) for output, _ in ended) == [0, 0, 0, steps_of(empty)]
    check(empty)


def url_of(store: Store) -> str:
    return getattr(store.dialect, "url", None) or store.dialect.describe()


@pytest.mark.parametrize(("after", "when"), [(1, "before"), (41, "before"), (98, "after")])
def test_a_migration_that_is_killed_is_finished_by_the_next(empty, after, when):
    killed = process(KILLED, url_of(empty), str(after), when)
    _, error = killed.communicate(timeout=60)
    assert killed.returncode == -9, error
    if empty.dialect.ddl_in_transaction:
        # Nothing is left of it.
        assert not empty.dialect.has_schema(empty.connection())
    elif after > 1:
        with pytest.raises(SchemaOutdated):
            check(empty)
    migrate.migrate(empty)
    check(empty)
    assert len(empty.read(lambda tx: tx.one("read_database_id")).value) == 32


def test_a_schema_of_a_killed_migration_is_the_same_as_one_made_at_once(mariadb_server):
    url = mariadb_server.create_database()
    shapes = []
    for kills in ((), (60,)):
        mariadb_server.drop_database(url)
        for after in kills:
            process(KILLED, url, str(after), "after").communicate(timeout=60)
        store = Store(url)
        migrate.migrate(store)
        shapes.append(
            [
                mariadb_server.admin(
                    "SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name "
                    "FROM information_schema.columns WHERE table_schema = 'qflow' ORDER BY 1, 2"
                ),
                mariadb_server.admin(
                    "SELECT table_name, index_name, seq_in_index, column_name, non_unique "
                    "FROM information_schema.statistics WHERE table_schema = 'qflow' ORDER BY 1, 2, 3"
                ),
            ]
        )
        store.close()
    mariadb_server.drop_database(url)
    assert shapes[0] == shapes[1]


def test_the_loss_of_the_database_in_the_middle_says_so(postgres_server, postgres_url):
    store = Store(postgres_url)
    connection = store.connection()
    [(pid,)] = connection.script("SELECT pg_backend_pid()")
    postgres_server.admin(f"SELECT pg_terminate_backend({pid}, 5000)")
    with pytest.raises(StoreUnavailable, match="while migrating"):
        migrate.migrate(store)
    assert migrate.migrate(store) == steps_of(store)
    store.close()


def test_a_schema_that_a_dba_has_made_empty_needs_no_right_to_create_schemas(postgres_server, postgres_url):
    database = postgres_url.rsplit("/", 1)[1]
    postgres_server.admin("CREATE ROLE owner_of_qflow LOGIN")
    try:
        postgres_server.admin("CREATE SCHEMA qflow AUTHORIZATION owner_of_qflow", database)
        store = Store(postgres_url.replace("postgres@", "owner_of_qflow@"))
        assert migrate.migrate(store) == steps_of(store)
        store.close()
    finally:
        postgres_server.admin("DROP OWNED BY owner_of_qflow CASCADE", database)
        postgres_server.admin("DROP ROLE owner_of_qflow")


# ------------------------------------------------------------------------------------------------ by hand


def run_client(store: Store, text: str) -> str:
    """Feed a text to the database's own client."""
    url = url_of(store)
    if store.dialect.name == "sqlite":
        command = [client("sqlite3"), "-bail", str(store.dialect.file)]
    elif store.dialect.name == "postgres":
        command = [client("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", url]
    else:
        port = url.rsplit(":", 1)[1].rstrip("/")
        command = [client("mariadb"), "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot"]
    done = subprocess.run(
        [str(c) for c in command], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_printed_schema_fed_to_the_databases_own_client_is_accepted(empty):
    run_client(empty, script(empty.dialect))
    check(empty)
    assert migrate.migrate(empty) == 0
    assert len(empty.read(lambda tx: tx.one("read_database_id")).value) == 32
    assert empty.read(lambda tx: tx.run("list_workflows", tenant="default")) == []


def test_the_printed_schema_is_all_or_nothing_where_the_database_can(empty):
    if not empty.dialect.ddl_in_transaction:
        pytest.skip("each statement commits by itself")
    broken = (
        script(empty.dialect)
        .replace("CREATE TABLE IF NOT EXISTS qflow.lane", "CREATE NONSENSE lane")
        .replace("CREATE TABLE IF NOT EXISTS lane", "CREATE NONSENSE lane")
    )
    with pytest.raises(AssertionError):
        run_client(empty, broken)
    assert not empty.dialect.has_schema(empty.connection())


@pytest.mark.parametrize(("scheme", "collation"), [("mysql", "utf8mb4_0900_bin"), ("mariadb", "utf8mb4_nopad_bin")])
def test_without_a_server_the_scheme_of_the_url_says_whose_schema_is_printed(scheme, collation):
    text = script(Store(f"{scheme}://root@127.0.0.1:1/").dialect)
    assert f"COLLATE {collation}" in text
    assert text.count("COLLATE") == text.count(collation)


# ------------------------------------------------------------------------------------------------ SQLite's file


def test_a_sqlite_file_is_for_its_owner_only(sqlite_store):
    file = sqlite_store.dialect.file
    sqlite_store.connection().script("INSERT INTO qflow.submissions (workflow) VALUES ('x')")
    for name in ("", "-wal", "-shm"):
        assert stat.S_IMODE(Path(f"{file}{name}").stat().st_mode) == 0o600


def test_every_view_is_readable_by_another_sqlite_that_opens_the_file_directly(sqlite_store):
    names = [n for (n,) in sqlite_store.connection().script("SELECT name FROM qflow.sqlite_master WHERE type = 'view'")]
    assert {
        "instances",
        "tasks",
        "attempts",
        "logs",
        "workflows",
        "schedules",
        "fires",
        "jobs",
        "pools",
        "daemons",
    } <= set(names)
    text = run_client(sqlite_store, ".bail on\n" + "".join(f"SELECT '{n}', COUNT(*) FROM {n};\n" for n in names))
    assert text.split() == [f"{name}|0" for name in names]


def test_a_sqlite_file_on_a_remote_file_system_is_refused(sqlite_store, monkeypatch, tmp_path):
    from qflowd.store.dialects import sqlite

    for number, name in sqlite.REMOTE_FILE_SYSTEMS.items():
        monkeypatch.setattr(sqlite, "_file_system", lambda folder, number=number: number)
        with pytest.raises(StoreUnsupported, match=f"is on {name}, .*local disk"):
            Store(f"sqlite:///{tmp_path}/qflow.db").connection()
    assert not list(tmp_path.iterdir())


def test_the_kind_of_a_file_system_is_read_from_the_kernel(tmp_path):
    from qflowd.store.dialects.sqlite import _file_system

    assert _file_system(Path("/proc")) == 0x9FA0
    assert _file_system(tmp_path) > 0
