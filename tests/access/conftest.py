"""A store with a schema, on each database in turn; tests of a file share it and keep to names of their own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.principals import add_principal
from qflowd.model.roles import Role
from qflowd.store.tx import Store
from tests.conftest import KINDS, GetServer
from tests.store.conftest import opened
from tests.support.sql import run_sql

_numbers = itertools.count(1)
BOSS = Actor("root@host")


@pytest.fixture(params=KINDS, scope="module")
def store(request: pytest.FixtureRequest, get_server: GetServer) -> Iterator[Store]:
    with opened(get_server, request.param) as found:
        yield found


@pytest.fixture
def sql(store: Store) -> Callable[..., list[tuple[Any, ...]]]:
    """Run statements in one transaction; returns the rows of the last."""
    return lambda *statements: run_sql(store, *statements)


@pytest.fixture
def person(store: Store) -> Callable[..., Any]:
    """Make a principal of a name of its own, and give its row."""

    def make(role: Role = Role.OPERATE, tenant: str = "default", kind: str = "human") -> Any:
        name = f"person-{next(_numbers)}"
        return store.transact(lambda tx: add_principal(tx, BOSS._replace(tenant=tenant), name, kind, role))

    return make
