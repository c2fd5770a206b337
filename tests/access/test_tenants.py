"""Tenants as two see them at once, made again under an old name, and in a database that sorts by a language."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qflowd.engine.access import principals
from qflowd.engine.access.tenants import (
    create_tenant,
    delete_tenant,
    find_tenant,
    list_names,
    list_tenants,
    refuse_deleted,
    set_quotas,
)
from qflowd.engine.admission.walls import Walls
from qflowd.engine.refusal import Refused
from qflowd.model.errors import NameTaken, NotFound, RowsLocked
from qflowd.model.refusals import Refusal
from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store, Tx
from tests.access.conftest import BOSS
from tests.support.binaries import Programs, postgres_programs
from tests.support.servers import Postgres, run_folder

_numbers = itertools.count(1)


class Watched:
    """A transaction in which something happens after its first statement, or whose lookups find nothing."""

    def __init__(self, tx: Tx, then: Callable[[], Any] | None = None, blind: tuple[str, ...] = ()) -> None:
        self._tx, self._then, self._blind = tx, then, blind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def run(self, name: str, /, **params: Any) -> list[Any]:
        rows = [] if name in self._blind else self._tx.run(name, **params)
        then, self._then = self._then, None
        if then:
            then()
        return rows

    def one(self, name: str, /, **params: Any) -> Any:
        return None if name in self._blind else self._tx.one(name, **params)


@pytest.fixture
def other(store: Store) -> Iterator[Store]:
    """Another process."""
    found = Store(getattr(store.dialect, "url", None) or f"sqlite:///{store.dialect.describe()}")
    yield found
    found.close()


@pytest.fixture
def tenant(store: Store) -> str:
    name = f"tenant-{next(_numbers)}"
    store.transact(lambda tx: create_tenant(tx, BOSS, name))
    return name


def revision(store: Store, name: str) -> int:
    return store.read(lambda tx: find_tenant(tx, name)).revision


def test_quotas_that_change_while_they_are_read_are_read_again(store, other, tenant):
    walls = Walls()
    change = lambda: other.transact(lambda tx: set_quotas(tx, BOSS, tenant, {"params_kb": 5}))  # noqa: E731
    old = revision(store, tenant)
    store.read(lambda tx: walls.known(Watched(tx, change), tenant, old))
    new = revision(store, tenant)
    assert new > old
    wall = store.read(lambda tx: walls.known(tx, tenant, new))
    assert wall.quotas == {"params_kb": 5}


def test_a_tenant_that_is_made_again_has_none_of_its_old_quotas_and_never_an_old_revision(store, tenant):
    walls = Walls()
    store.transact(lambda tx: set_quotas(tx, BOSS, tenant, {"params_kb": 5}))
    seen = {revision(store, tenant)}
    assert store.read(lambda tx: walls.known(tx, tenant, revision(store, tenant))).quotas == {"params_kb": 5}
    for _ in range(2):
        store.transact(lambda tx: delete_tenant(tx, BOSS, tenant))
        store.transact(lambda tx: create_tenant(tx, BOSS, tenant))
        now = revision(store, tenant)
        assert store.read(lambda tx, now=now: walls.known(tx, tenant, now)).quotas == {}
        store.transact(lambda tx: set_quotas(tx, BOSS, tenant, {}))
        assert seen.isdisjoint({now, now + 1})
        seen |= {now, now + 1}


def test_of_two_who_make_a_tenant_at_once_the_second_is_told_that_it_is_there(store, tenant):
    with pytest.raises(Refused, match="is there already") as caught:
        store.transact(lambda tx: create_tenant(Watched(tx, blind=("load_tenants",)), BOSS, tenant, "mine"))
    assert caught.value.why == Refusal.NAME_TAKEN
    assert store.read(lambda tx: find_tenant(tx, tenant)).title == ""


def test_of_two_who_make_a_principal_at_once_the_second_is_told_that_it_is_there(store, person):
    row = person()
    with pytest.raises(NameTaken, match="choose another name"):
        store.transact(
            lambda tx: principals.add_principal(
                Watched(tx, blind=("find_principal",)), BOSS, row.name, "human", Role.READ
            )
        )


def test_a_tenant_whose_people_can_still_come_in_is_not_deleted(store, person, tenant):
    one = person(tenant=tenant)
    with pytest.raises(Refused, match=r"1 principals that are not disabled.*disable or delete") as caught:
        store.transact(lambda tx: delete_tenant(tx, BOSS, tenant))
    assert caught.value.why == Refusal.IN_USE
    change = {"kind": "human", "role": Role.READ, "is_disabled": True}
    store.transact(lambda tx: principals.change_principal(tx, BOSS, one, **change))
    store.transact(lambda tx: delete_tenant(tx, BOSS, tenant))
    assert tenant not in store.read(list_names)


@pytest.mark.parametrize("verb", ["add", "enable"])
def test_who_deletes_a_tenant_waits_for_who_lets_somebody_in(store, person, tenant, verb):
    if not store.dialect.has_row_locks:
        pytest.skip("a file has one writer at a time")
    actor, change = BOSS._replace(tenant=tenant), {"kind": "human", "role": Role.READ}
    row = person(tenant=tenant)
    one = store.transact(lambda tx: principals.change_principal(tx, actor, row, is_disabled=True, **change))
    hasty = Store(store.dialect.url, lease_s=3)  # waits for a second

    def let_in(tx: Tx) -> None:
        if verb == "add":
            principals.add_principal(tx, actor, f"{tenant}-2", "human", Role.READ)
        else:
            principals.change_principal(tx, actor, one, is_disabled=False, **change)
        with pytest.raises(RowsLocked):
            hasty.transact(lambda tx: delete_tenant(tx, BOSS, tenant))

    store.transact(let_in)
    with pytest.raises(Refused, match="1 principals that are not disabled"):
        hasty.transact(lambda tx: delete_tenant(tx, BOSS, tenant))
    hasty.close()


def test_nobody_is_let_into_a_tenant_that_was_deleted(store, person, tenant):
    store.transact(lambda tx: refuse_deleted(tx, tenant))
    store.transact(lambda tx: delete_tenant(tx, BOSS, tenant))
    with pytest.raises(NotFound, match=f"qflowd tenants create {tenant}"):
        store.transact(lambda tx: refuse_deleted(tx, tenant))
    person(tenant=tenant)  # by the command line, as in any tenant without a row
    store.transact(lambda tx: refuse_deleted(tx, tenant))
    store.transact(lambda tx: refuse_deleted(tx, "default"))


@pytest.fixture(scope="module")
def linguistic(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store in a database of PostgreSQL that sorts as American English does, whose locale is made here."""
    if "postgres" not in request.config.getoption("--db").split(","):
        pytest.skip("postgres is left out by --db")
    program, folder = shutil.which("localedef"), run_folder(durable=False) / "locales"
    if program is None or not Path("/usr/share/i18n/locales/en_US").exists():
        pytest.skip("the sources of locales are not installed (Debian: package locales)")
    folder.mkdir(mode=0o755)
    subprocess.run([program, "-i", "en_US", "-f", "UTF-8", folder / "en_US.UTF-8"], check=True, capture_output=True)
    server = Speaking(folder)
    with server:
        options = "ENCODING 'UTF8' LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'"
        server.admin(f"CREATE DATABASE linguistic TEMPLATE template0 {options}")
        store = Store(server.url("linguistic"))
        migrate(store)
        yield store
        store.close()


class Speaking(Postgres):
    """A server that knows the locales of a folder, too."""

    def __init__(self, locales: Path) -> None:
        self._locales = locales
        super().__init__(durable=False)

    def _find_programs(self) -> Programs:
        found = postgres_programs(None)
        return Programs(found.folder, found.base, found.env | {"LOCPATH": str(self._locales)})


def test_tenants_are_listed_and_found_whatever_the_database_sorts_by(linguistic):
    names = {"desk", "Zeta", "alpha", "Ärger", "数据", "a_b", "a-b"}
    for name in sorted(names):
        linguistic.transact(lambda tx, name=name: create_tenant(tx, BOSS, name))
        assert linguistic.read(lambda tx, name=name: find_tenant(tx, name)).name == name
    paged, after = [], ""
    while page := linguistic.read(lambda tx, after=after: list_tenants(tx, after=after, limit=2)):
        paged += [each.name for each in page]
        after = paged[-1]
    assert set(paged) == names
    assert len(paged) == len(names)
    assert paged == linguistic.read(list_names)
    assert paged != sorted(names), "this database sorts as others do"
