"""PostgreSQL in other versions than the suite's own: schema, statements, plans and a workflow from start to end.

`make test-long` runs the tests of store, engine and contract on each of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qflowd.store.migrate import check, migrate
from qflowd.store.tx import Store
from tests.contract.desk import Desk
from tests.store.plans import fill
from tests.store.test_catalog import run_once
from tests.store.test_plans_postgres import INDEXES, MODES, OUTSIDE_A_TRANSACTION, plan
from tests.support.daemon import Daemon
from tests.support.servers import Postgres, Unavailable, postgres

ROOT = Path(__file__).parents[2]
VERSIONS = (16, 18)  # 18 is the newest; the suite itself runs on what is installed, in Debian 12 that is 15

JOBS = """
from qflowd import context, job

@job(retries=1, retry_delay="10ms")
def fetch(day: str) -> list[str]:
    if context().attempt == 1:
        raise OSError("vendor hung up")
    return [day]

@job
def count(days: list[str]) -> int:
    print("日本")
    return len(days)
"""
FLOW = """
workflow: small
tasks:
  fetch: {job: fetch, params: {day: "2026-11-20"}}
  left: {job: count, after: fetch, params: {days: "{{ fetch.output }}"}}
  right: {job: count, after: fetch, params: {days: "{{ fetch.output }}"}}
  last: {job: count, after: {left: "{{ left.output == 2 }}", right: true}, params: {days: []}}
"""


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    if "postgres" not in request.config.getoption("--db"):
        pytest.skip("postgres is left out by --db")
    try:
        with postgres(version=request.param, durable=False) as found:
            yield found
    except Unavailable as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    url = server.create_database()
    yield url
    server.drop_database(url)


def test_the_schema_is_made_and_every_statement_runs(url: str, server: Postgres):
    store = Store(url)
    assert store.connection().driver.info.server_version // 10000 == server.version  # type: ignore[attr-defined]
    migrate(store)
    check(store)
    for name in store.catalog.names:
        run_once(store, name)
    store.close()


def test_hot_statements_stay_on_their_indexes(url: str):
    store = Store(url)
    migrate(store)
    connection = store.connection()
    connection.script("ALTER TABLE qflow.task_instance SET (autovacuum_enabled = off)")
    connection.script("ANALYZE qflow.task_instance")
    fill(store, 1, 40_000)
    for name, indexes in INDEXES.items():
        for mode in MODES:
            found = plan(store, name, 400, mode, inside=name not in OUTSIDE_A_TRANSACTION)
            assert not [node for node in found if node.kind == "Seq Scan" and node.table == "task_instance"], (
                name,
                mode,
            )
            assert {node.index for node in found if node.index} >= indexes, (name, mode, found)
    store.close()


def test_a_workflow_runs_from_the_insert_to_the_end(url: str, server: Postgres, tmp_path: Path):
    with Daemon(url, tmp_path, plugins={"jobs.py": JOBS}, workflows={"small.yaml": FLOW}) as daemon:
        desk = Desk("postgres", server, url, daemon)
        number = desk.submit(workflow="small")
        assert desk.ended(number)["state"] == "SUCCESS"
        seen = {key: (task["state"], task["attempt"], task["output"]) for key, task in desk.tasks(number).items()}
        assert seen == {
            "fetch": ("SUCCESS", 2, '["2026-11-20"]'),
            "left": ("SUCCESS", 1, "1"),
            "right": ("SUCCESS", 1, "1"),
            "last": ("SKIPPED", 0, None),
        }
        desk.close()


@pytest.mark.long
@pytest.mark.parametrize("version", VERSIONS)
def test_the_suite_of_store_engine_and_contract_passes(version: int):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--db", "postgres", "tests/store", "tests/engine", "tests/contract"],
        cwd=ROOT,
        env=os.environ | {"QFLOWD_TEST_POSTGRES": str(version)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:]
