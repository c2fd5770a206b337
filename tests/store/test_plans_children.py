"""What looks for children every second, or where one instance stands, never reads the table of tasks whole."""

from __future__ import annotations

from typing import Any

import pytest

from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened
from tests.store.plans import fill, whole_reads

SIZE = 40_000
NAMES = ("list_ended_children", "list_untold_children", "count_open_children")
ANALYZE = {"sqlite": "ANALYZE qflow", "postgres": "ANALYZE", "mariadb": "ANALYZE TABLE qflow.task_instance, qflow.lane"}


@pytest.fixture(params=[f"{kind} {age}" for kind in KINDS for age in ("stale", "fresh")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Any:
    """Tasks in lanes of which one has no pool; stale: analysed while the table was empty."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        script = store.connection().script
        for lane in range(1, 6):
            script(
                "INSERT INTO qflow.lane (tenant, pool, job, limits, is_paused) "
                f"VALUES ('default', '{'' if lane == 5 else 'default'}', 'job{lane}', '', 0)"
            )
        if age == "stale":
            script(ANALYZE[kind])
        fill(store, 1, SIZE)
        if age == "fresh":
            script(ANALYZE[kind])
        yield store


@pytest.mark.parametrize("name", NAMES)
def test_looking_for_children_reads_no_table_whole(filled: Store, name: str) -> None:
    text = filled.catalog[name].text({"batch": 100})
    for param in ("after_priority", "after_id", "after"):
        text = text.replace(f"%({param})s", "0").replace(f":{param}", "0")
    assert not whole_reads(filled, text, "tip")


def test_looking_where_an_instance_stands_reads_its_own_rows_alone(filled: Store) -> None:
    for name in ("sum_breakpoints", "count_states", "show_first_errors"):
        text = filled.catalog[name].text({"batch": 100})
        for param, value in {"instance_id": "1", "tenant": "'default'"}.items():
            text = text.replace(f"%({param})s", value).replace(f":{param}", value)
        assert not whole_reads(filled, text)
