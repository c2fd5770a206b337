"""Opening a store: what is missing is named, and nothing is made."""

from __future__ import annotations

import pytest

import qflowd
from qflowd.client import connect
from qflowd.model.errors import InvalidRequest, SchemaOutdated, SchemaTooNew, StoreUnavailable
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store


def test_a_missing_sqlite_file_is_named_and_not_made(tmp_path):
    with pytest.raises(SchemaOutdated, match=r"there is no database file .*no.db; `qflowd init`"):
        connect(f"sqlite:///{tmp_path}/no.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_server_has_no_schema(get_server):
    for kind in ("postgres", "mariadb"):
        server = get_server(kind)
        url = server.create_database()
        with pytest.raises(SchemaOutdated, match="holds no qflowd schema; run `qflowd migrate`"):
            connect(url)
        server.drop_database(url)


def test_a_newer_schema_is_refused(database_url):
    store = Store(database_url)
    migrate(store)
    now = store.dialect.renderer.words["clock"]
    store.connection().script(f"INSERT INTO qflow.migration (number, step, applied_at) VALUES (99, 1, {now})")
    store.close()
    with pytest.raises(SchemaTooNew, match="version 99"):
        connect(database_url)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_cannot_be_reached(scheme):
    with pytest.raises(StoreUnavailable, match=r"cannot reach .* at .*127.0.0.1:1"):
        connect(f"{scheme}://nobody:hidden@127.0.0.1:1/none")


def test_a_url_of_another_kind_is_refused():
    with pytest.raises(InvalidRequest, match=r"does not begin like sqlite:///qflow\.db"):
        connect("oracle://host/db")


def test_without_a_url_the_configuration_says_where(sqlite_url, tmp_path, monkeypatch):
    migrate(Store(sqlite_url))
    (tmp_path / "qflowd.toml").write_text(f'[database]\nurl = "{sqlite_url}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QFLOWD_DATABASE_URL", raising=False)
    with qflowd.connect() as client:
        assert client.daemons() == []
