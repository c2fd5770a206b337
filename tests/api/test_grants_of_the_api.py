"""An account with the shipped grants can do all that the API does, and writes nothing of what runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.conftest import GetServer
from tests.docs.pages import ROOT
from tests.store.test_catalog import run_once

CODE = ("api", "client", "engine/access", "engine/definitions")
# Statements in these folders that daemons alone run: files, schedules, usage, what a paused task asks of the engine.
OF_DAEMONS = {
    *("add_usage", "insert_fire", "link_fire", "set_next_fire", "advance_schedule", "set_schedule_error"),
    *("save_workflow_fault", "delete_workflow_fault", "pause_limit", "mark_metered", "delete_old_audit"),
}
FORBIDDEN = (
    *(f"UPDATE qflow.{table} SET {column} = 0" for table, column in {
        "task_instance": "state", "workflow_instance": "state", "lane": "is_paused", "commands": "is_open",
        "submissions": "is_open", "audit": "tenant", "daemon": "state",
    }.items()),
    *(f"DELETE FROM qflow.{table}" for table in ("task_instance", "workflow_instance", "audit", "commands", "daemon", "timer")),
)  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def account(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Store]:
    """A store by the account `qflow_api`, which has the shipped grants."""
    server = get_server(request.param)
    url = server.create_store()
    owner = Store(url)
    migrate(owner)
    run = owner.connection().script
    is_postgres = request.param == "postgres"
    name, kind = ("qflow_api", "ROLE") if is_postgres else ("qflow_api@'%'", "USER")
    run(f"DROP {kind} IF EXISTS {name}")
    run(f"CREATE {kind} {name} {'LOGIN PASSWORD' if is_postgres else 'IDENTIFIED BY'} 'x'")
    file = ROOT / f"sql/grants/{'postgres' if is_postgres else 'mysql'}_api.sql"
    for statement in _statements(file):
        run(statement.replace("qflow_api", name) if not is_postgres else statement)
    parts = urlsplit(url)
    store = Store(f"{parts.scheme}://qflow_api:x@{parts.hostname}:{parts.port}{parts.path}")
    yield store
    store.close()
    if is_postgres:
        run(f"DROP OWNED BY {name}")
    run(f"DROP {kind} {name}")
    owner.close()
    server.drop_database(url)


def _statements(file: Path) -> list[str]:
    text = "\n".join(line.partition("--")[0] for line in file.read_text("utf-8").splitlines())
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def test_every_statement_of_the_api_runs(account: Store) -> None:
    files = [file for folder in CODE for file in sorted((ROOT / "qflowd" / folder).rglob("*.py"))]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    used = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    refused = {}
    for name in sorted((used & set(account.catalog.names)) - OF_DAEMONS):
        try:
            run_once(account, name)
        except Exception as error:  # noqa: BLE001 - each driver has its own
            if "denied" in str(error):  # whether it runs at all is tested with all the others
                refused[name] = str(error)
    assert refused == {}


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_runs_and_what_was_told_is_out_of_reach(account: Store, sql: str) -> None:
    with pytest.raises(Exception, match="denied"):
        account.connection().script(sql)
    account.disconnect()
