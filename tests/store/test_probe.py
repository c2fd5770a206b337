"""The start-up probe: real servers pass, one that takes SKIP LOCKED and does not honour it is refused."""

from __future__ import annotations

import threading

import pytest

from qflowd.model.errors import StoreUnavailable, StoreUnsupported
from qflowd.store.probe import probe_skip_locked
from qflowd.store.tx import Store
from tests.conftest import GetServer
from tests.store.conftest import add_statement, opened
from tests.support.proxy import Proxy


def test_real_servers_pass_and_nothing_stays_locked(shared):
    probe_skip_locked(shared)
    probe_skip_locked(shared)
    if shared.dialect.has_row_locks:
        shared.connection().begin()
        rows = shared.connection().run(shared.catalog["probe_lock"], {}, ())
        shared.connection().rollback()
        assert len(rows) == 2


@pytest.mark.parametrize("shared", ["postgres", "mariadb"], indirect=True)
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SELECT number, step FROM qflow.migration ORDER BY number, step LIMIT 2", "both sessions get the same rows"),
        ("SELECT number, step FROM qflow.migration ORDER BY number, step {lock}", "the limit is ignored"),
        ("SELECT number, step FROM qflow.migration WHERE step < 0 LIMIT 2 {lock}", "nothing comes"),
    ],
)
def test_a_server_that_does_not_honour_skip_locked_is_refused(shared, text, what):
    proper = shared.catalog["probe_lock"]
    add_statement(shared, "probe_lock", text)
    try:
        with pytest.raises(StoreUnsupported, match="does not honour FOR UPDATE SKIP LOCKED with LIMIT"):
            probe_skip_locked(shared)
    finally:
        shared.catalog["probe_lock"] = proper


@pytest.mark.parametrize("shared", ["postgres", "mariadb"], indirect=True)
def test_many_daemons_that_start_at_once_do_not_take_each_other_for_a_fault(shared):
    # Their probes lock each other's rows: with all rows taken the last would find none.
    holder = shared.dialect.connect()
    holder.begin()
    holder.script("SELECT 1 FROM qflow.migration FOR UPDATE")
    release = threading.Timer(0.3, holder.rollback)
    release.start()
    probe_skip_locked(shared)
    release.join()
    holder.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_that_goes_away_under_the_probe_is_an_outage(get_server: GetServer, kind: str) -> None:
    """A daemon that starts waits for it, as at every other step."""
    server = get_server(kind)
    with opened(get_server, kind) as migrated, Proxy(server.port) as proxy:
        store = Store(migrated.dialect.url.replace(f":{server.port}", f":{proxy.port}"))
        proxy.hang_up_on("SKIP LOCKED")
        with pytest.raises(StoreUnavailable):
            probe_skip_locked(store)
        probe_skip_locked(store)
