"""An account with the shipped grants can do all that the API does, and writes nothing of what runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import qflowd
from qflowd.api.resources import me
from qflowd.model.errors import GrantsMissing
from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.conftest import GetServer
from tests.docs.pages import ROOT
from tests.store.test_catalog import run_once
from tests.support.http import ApiServer
from tests.support.reach import texts_reached

# Statements of classes that code of the API names, in methods that daemons alone call; and one called like a command.
OF_DAEMONS = {"insert_lane", "insert_lane_limits", "add_limits", "pause_limit"}
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
    server.give_back(url)


def _owner_url(account: Store) -> str:
    return account.dialect.url.replace("qflow_api:x", "postgres" if account.dialect.name == "postgres" else "root")


def _statements(file: Path) -> list[str]:
    text = "\n".join(line.partition("--")[0] for line in file.read_text("utf-8").splitlines())
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def test_every_statement_of_the_api_runs(account: Store) -> None:
    used = texts_reached("api", "client") & set(account.catalog.names)
    assert {"insert_command", "insert_version", "set_limits", "lock_limits", "save_quotas"} <= used
    refused = {}
    for name in sorted(used - OF_DAEMONS):
        try:
            run_once(account, name)
        except Exception as error:  # noqa: BLE001 - each driver has its own
            if "denied" in str(error):  # whether it runs at all is tested with all the others
                refused[name] = str(error)
    assert refused == {}


def test_who_misses_a_grant_is_told_which_and_others_that_it_is_missing(
    account: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        account.transact(lambda _: account.connection().script("DELETE FROM qflow.timer"))

    monkeypatch.setattr(me, "_me", fail)
    monkeypatch.setattr("qflowd.store.migrate.check", fail)
    with ApiServer(_owner_url(account)) as api:
        ready = api.anonymous().get("/readyz")
        told, untold = api.get("/me"), api.as_(Role.ADMIN).get("/me")
        with pytest.raises(GrantsMissing, match=r"qflow_api lacks a grant: .*timer"):
            qflowd.connect(f"http://127.0.0.1:{api.port}", token=api.token)
    assert (ready.code, "qflow_api" in ready.text) == (50002, False)
    assert (told.code, untold.code) == (50002, 50002)
    assert "qflow_api lacks a grant" in told.message
    assert untold.message.endswith(f"the server's log has it under request {untold.data['request_id']}")


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_runs_and_what_was_told_is_out_of_reach(account: Store, sql: str) -> None:
    with pytest.raises(GrantsMissing, match=r"account qflow_api lacks a grant: .*denied.*_api.sql for `qflowd api`"):
        account.transact(lambda _: account.connection().script(sql))
