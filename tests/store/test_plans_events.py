"""Events since an instant are found along the index of ids, however many there were before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened
from tests.store.plans import NUMBERS, whole_reads

EVENTS, SINCE = 5_000, 100
ANALYZE = {"sqlite": "ANALYZE qflow", "postgres": "ANALYZE qflow.event", "mysql": "ANALYZE TABLE qflow.event"}
# Of a number of seconds after the beginning.
INSTANT = {
    "sqlite": "({n}) * 1000000",
    "postgres": "to_timestamp({n})",
    "mysql": "CAST('1970-01-01' AS DATETIME(6)) + INTERVAL ({n}) SECOND",
}
NUMBER = {"sqlite": "n", "postgres": "n", "mysql": "seq"}


@pytest.fixture(scope="module", params=[f"{kind} {age}" for kind in KINDS for age in ("fresh", "stale")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Iterator[Store]:
    """A store with an event a second, half of them of another tenant."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        name, script = store.dialect.name, store.connection().script
        if age == "stale":
            script(ANALYZE[name])
        n = NUMBER[name]
        script(
            "INSERT INTO qflow.event (tenant, event, workflow, at, data) SELECT "
            f"CASE WHEN {n} % 2 = 0 THEN 'default' ELSE 'desk' END, 'workflow.late', 'bars', {INSTANT[name].format(n=n)}, '{{}}' FROM "
            + NUMBERS[name].format(first=1, last=EVENTS)
        )
        if age == "fresh":
            script(ANALYZE[name])
        yield store


@pytest.mark.parametrize("name", ["find_events", "find_events_after", "find_events_since", "find_events_after_since"])
def test_events_are_read_along_their_ids(filled: Store, name: str) -> None:
    kind = filled.dialect.name
    text = filled.catalog[name].text({"batch": 50})
    instants = {"since": EVENTS - SINCE, "older_at": EVENTS - 2 * SINCE}
    given = {key: INSTANT[kind].format(n=n) for key, n in instants.items()}
    given |= {"tenant": "'default'", "workflow": "''", "after": "0", "before": str(1 << 60)}
    for key, value in given.items():
        text = text.replace(f"%({key})s", value).replace(f":{key}", value)
    assert not whole_reads(filled, text, "eo", ("event",)), text
    found = [row[0] for row in filled.connection().script(f"SELECT COUNT(*) FROM ({text}) x")]
    assert found == [50]
