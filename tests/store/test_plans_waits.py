"""However many tasks wait, looks and signals read only those that they concern, and a claim reads none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened
from tests.store.plans import NUMBERS, fill, whole_reads

SIZE = 20_000
ANALYZE = {
    "sqlite": "ANALYZE qflow",
    "postgres": "ANALYZE",
    "mariadb": "ANALYZE TABLE qflow.task_instance, qflow.lane, qflow.waiter, qflow.signals, qflow.workflow_instance, "
    "qflow.file_wait, qflow.dataset, qflow.dataset_version, qflow.schedule_fire",
}
VALUES = {
    "kind": "4",
    "after_priority": "0",
    "after_id": "0",
    "after": "0",
    "tenant": "'default'",
    "name": "'bars.ready/7'",
    "business_date": "NULL",
    "signal_id": "1",
    "after_definition_id": "0",
    "after_name": "''",
}


@pytest.fixture(scope="module", params=[f"{kind} {age}" for kind in KINDS for age in ("stale", "fresh")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Any:
    """A table of tasks that all wait for a signal of their own; stale: analysed while it was empty."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        script = store.connection().script
        script(
            "INSERT INTO qflow.lane (tenant, pool, job, limits, is_paused) VALUES ('default', '(wait)', 'work', '', 0)"
        )
        if age == "stale":
            script(ANALYZE[kind])
        fill(store, 1, SIZE, state="0")
        number = "seq" if store.dialect.name == "mysql" else "n"
        name = f"CONCAT('bars.ready/', {number})" if kind != "sqlite" else f"'bars.ready/' || {number}"
        now = {"sqlite": "0", "postgres": "now()", "mariadb": "now()"}[kind]
        script(
            "INSERT INTO qflow.waiter (task_id, fence, tenant, kind, name, state, subject, began_at, lane) "
            f"SELECT {number} * 16, 0, 'default', 0, {name}, 1, '', {now}, 1 FROM "
            + NUMBERS[store.dialect.name].format(first=1, last=SIZE)
        )
        _add_dated(store, number, now)
        _add_facts(store, number, now)
        _add_uses(store, number, now)
        script(
            "INSERT INTO qflow.file_wait (task_id, fence, is_open, pool, wanted) "
            f"SELECT {number} * 16, 0, 0, '', '' FROM " + NUMBERS[store.dialect.name].format(first=1, last=SIZE)
        )
        if age == "fresh":
            script(ANALYZE[kind])
        yield store


def _add_dated(store: Store, number: str, now: str) -> None:
    """Instances of 100 workflows for a date, some of which have succeeded, and a few tasks that wait for one of them."""
    script = store.connection().script
    script(
        "INSERT INTO qflow.workflow_definition (tenant, workflow, title, description, domain, type, tags, source, created_at, updated_at) "
        f"VALUES ('default', 'bars', '', '', '', '', '', 'file', {now}, {now})"
    )
    script(
        "INSERT INTO qflow.workflow_instance (id, tenant, state, open_closers, next_ordinal, priority, trigger_type, params, "
        "created_at, updated_at, definition_id, business_date) "
        f"SELECT {number}, 'default', 3 + {number} % 2, 0, 1, 0, 'sql', '{{}}', {now}, {now}, 1 + {number} % 100, '2026-11-20' FROM "
        + NUMBERS[store.dialect.name].format(first=1, last=SIZE)
    )
    script(
        "INSERT INTO qflow.waiter (task_id, fence, tenant, kind, name, business_date, state, subject, began_at, lane) "
        f"SELECT {number} * 16, 0, 'default', 3, 'bars', '2026-11-20', 1, '', {now}, 1 FROM "
        + NUMBERS[store.dialect.name].format(first=SIZE + 1, last=SIZE + 3)
    )


def _add_facts(store: Store, number: str, now: str) -> None:
    """Datasets of 500 series, signals that were taken, fires of 500 schedules; a schedule on each kind of fact."""
    script, numbers = store.connection().script, NUMBERS[store.dialect.name].format(first=1, last=SIZE)
    series, name, signal = (
        text if store.dialect.name == "sqlite" else f"CONCAT({text.replace(' ||', ',')})"
        for text in (f"'series' || ({number} % 500)", f"'data@' || {number}", f"'vendor/' || {number}")
    )
    answered_at = "'2026-11-20T00:00:00Z'" if store.dialect.name == "sqlite" else now
    script(
        "INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, facts_since_at, fact_kind, fact_name) "
        f"VALUES (1, 'run', '', 'UTC', 'none', 0, 1, {now}, 3, 'bars'), (1, 'data', '', 'UTC', 'none', 0, 1, {now}, 5, 'series7'), "
        f"(1, 'signal', '', 'UTC', 'none', 0, 1, {now}, 0, 'vendor/7')"
    )
    script(
        f"INSERT INTO qflow.dataset (tenant, name, series, version) SELECT 'default', {name}, {series}, 1 FROM {numbers}"
    )
    script(
        "INSERT INTO qflow.dataset_version (dataset_id, version, task_id, workflow, task, recorded_at) "
        f"SELECT id, 1, id * 16, 'loads', 'load', {now} FROM qflow.dataset"
    )
    script(
        "INSERT INTO qflow.signals (tenant, name, is_open, state, answered_at) "
        f"SELECT 'default', {signal}, 0, 'ACCEPTED', {answered_at} FROM {numbers}"
    )
    script(
        "INSERT INTO qflow.schedule_fire (definition_id, name, fire_at, fact_kind, fact_id, created_at, is_missed) "
        f"SELECT 2 + {number} % 500, {signal}, {now}, 3, {number}, {now}, 0 FROM {numbers}"
    )


def _add_uses(store: Store, number: str, now: str) -> None:
    """Tasks of another tenant that were given a version of a dataset, and no longer wait."""
    script = store.connection().script
    script("INSERT INTO qflow.dataset (tenant, name, series, version) VALUES ('other', 'bars', 'bars', 2)")
    script(
        "INSERT INTO qflow.waiter (task_id, fence, tenant, kind, name, state, subject, began_at, lane, dataset_version) "
        f"SELECT {number} * 16, 0, 'other', 5, 'bars', 4, '', {now}, 1, 1 FROM "
        + NUMBERS[store.dialect.name].format(first=2 * SIZE, last=2 * SIZE + 999)
    )


@pytest.mark.parametrize(
    "name",
    [
        "find_open_waits",
        "meet_waiters",
        "list_fresh_waiters",
        "list_woken",
        "list_open_looks",
        "find_open_approvals",
    ],
)
def test_no_statement_about_waits_reads_all_that_wait(filled: Store, name: str) -> None:
    text = filled.catalog[name].text({"batch": 100})
    for param, value in (VALUES | {"now": "0" if filled.dialect.name == "sqlite" else "now()"}).items():
        text = text.replace(f"%({param})s", value).replace(f":{param}", value)
    assert not whole_reads(filled, text, "wtf", ("waiter", "task_instance", "file_wait"))


@pytest.mark.parametrize("name", ["list_successes", "list_left_waits", "meet_by_success"])
def test_waits_for_workflows_have_an_index_and_instances_are_found_by_date_and_workflow(
    filled: Store, name: str
) -> None:
    values = VALUES | {"name": "'bars'", "business_date": "'2026-11-20'", "instance_id": "1"}
    text = filled.catalog[name].text({"batch": 100})
    for param, value in values.items():
        text = text.replace(f"%({param})s", value).replace(f":{param}", value)
    explained = "QUERY PLAN " if filled.dialect.name == "sqlite" else ""
    plan = "\n".join(str(tuple(row)) for row in filled.connection().script(f"EXPLAIN {explained}{text}"))
    assert "waiter_workflow" in plan, plan
    assert not whole_reads(filled, text, "x", ("waiter", "workflow_instance")), plan
    if name == "list_successes":
        assert "workflow_instance_date" in plan, plan
        found = filled.read(lambda tx: tx.run("list_successes", batch=100))
        assert [(row.name, str(row.business_date)) for row in found] == [("bars", "2026-11-20")]


@pytest.mark.parametrize(
    ("name", "facts"), [("list_workflow_facts", 0), ("list_dataset_facts", SIZE // 500), ("list_signal_facts", 1)]
)
def test_a_start_on_a_fact_reads_what_has_its_name_alone(filled: Store, name: str, facts: int) -> None:
    text = filled.catalog[name].text({"batch": 200})
    now = {"now": "0" if filled.dialect.name == "sqlite" else "now()"}
    for param in sorted(VALUES | now, key=len, reverse=True):
        value = (VALUES | now)[param]
        text = text.replace(f"%({param})s", value).replace(f":{param}", value)
    big = ("workflow_instance", "dataset", "dataset_version", "signals", "schedule_fire")
    assert not whole_reads(filled, text, "xvf", big)
    given = {"now": filled.clock.now()} if name == "list_signal_facts" else {}
    found = filled.read(lambda tx: tx.run(name, batch=SIZE, after_id=0, after_definition_id=0, after_name="", **given))
    assert len(found) == facts  # those instances have no end


@pytest.mark.parametrize("name", ["list_recorded_datasets", "list_left_waits", "meet_by_dataset"])
def test_waits_for_datasets_have_an_index(filled: Store, name: str) -> None:
    now = "0" if filled.dialect.name == "sqlite" else "now()"
    text = filled.catalog[name].text({"batch": 100})
    for param, value in (VALUES | {"version": "1", "now": now}).items():
        text = text.replace(f"%({param})s", value).replace(f":{param}", value)
    explained = "QUERY PLAN " if filled.dialect.name == "sqlite" else ""
    plan = "\n".join(str(tuple(row)) for row in filled.connection().script(f"EXPLAIN {explained}{text}"))
    assert "waiter_dataset" in plan, plan
    assert not whole_reads(filled, text, "x", ("waiter",)), plan


@pytest.mark.parametrize("is_all", ["0", "1"])
def test_of_uses_of_datasets_those_of_a_tenant_alone_are_read(filled: Store, is_all: str) -> None:
    text = filled.catalog["find_dataset_uses"].text({"batch": 100})
    for param, value in (VALUES | {"is_all": is_all, "before": "9000000000"}).items():
        text = text.replace(f"%({param})s", value).replace(f":{param}", value)
    explained = "QUERY PLAN " if filled.dialect.name == "sqlite" else ""
    plan = "\n".join(str(tuple(row)) for row in filled.connection().script(f"EXPLAIN {explained}{text}"))
    if filled.dialect.name == "sqlite":
        assert "waiter_used (tenant=? AND task_id<?)" in plan, plan
    assert not whole_reads(filled, text, "w", ("waiter",)), plan


def test_datasets_are_searched_by_a_range_of_an_index(filled: Store) -> None:
    asked = {"tenant": "default", "prefix": "data@77", "prefix_end": "data@77\U0010ffff"}
    found = filled.read(lambda tx: tx.run("search_datasets", batch=3, **asked))
    assert [row.name for row in found] == ["data@7799", "data@7798", "data@7797"]
    text = filled.catalog["search_datasets"].text({"batch": 8})
    for param, value in asked.items():
        text = re.sub(rf"%\({param}\)s|:{param}\b", f"'{value}'", text)
    explained = "QUERY PLAN " if filled.dialect.name == "sqlite" else ""
    plan = "\n".join(str(tuple(row)) for row in filled.connection().script(f"EXPLAIN {explained}{text}"))
    index = {"sqlite": "(tenant=? AND name>? AND name<?)", "mysql": "dataset_key", "postgres": "dataset_name"}
    assert index[filled.dialect.name] in plan, plan
    assert not whole_reads(filled, text, "d", ("dataset",)), plan


@pytest.mark.parametrize("is_all", ["0", "1"])
def test_uses_of_a_dataset_are_found_without_those_of_others(filled: Store, is_all: str) -> None:
    text = filled.catalog["find_dataset_uses_of"].text({"batch": 100})
    about = {"name": "''", "series": "'bars'", "is_all": is_all, "before": "9000000000"}
    for param, value in (VALUES | about).items():
        text = re.sub(rf"%\({param}\)s|:{param}\b", value, text)
    explained = "QUERY PLAN " if filled.dialect.name == "sqlite" else ""
    plan = "\n".join(str(tuple(row)) for row in filled.connection().script(f"EXPLAIN {explained}{text}"))
    index = {"sqlite": "waiter_used_name (tenant=? AND name=?", "mysql": "waiter_dataset", "postgres": "waiter_used"}
    assert index[filled.dialect.name] in plan, plan
    assert not whole_reads(filled, text, "wb", ("waiter", "dataset")), plan


def test_stale_uses_of_a_dataset_are_counted_without_those_of_others_and_up_to_a_bound(filled: Store) -> None:
    for most, uses in ((500, 501), (999, 1000), (1000, 1000)):
        asked = {"tenant": "other", "most": most}
        found = filled.read(lambda tx, asked=asked: tx.run("count_stale_uses", [("bars",), ("none",)], **asked))
        assert [(row.name, row.uses) for row in found] == [("bars", uses)]
    if filled.dialect.name == "sqlite":
        text = re.sub(r"(?<![:\w]):[a-z_]+\b|\?\d+", "1", filled.catalog["count_stale_uses"].text({}))
        steps = [row[3] for row in filled.connection().script(f"EXPLAIN QUERY PLAN {text}")]
        assert len([step for step in steps if "waiter_used_name (tenant=? AND name=?)" in step]) == 2, steps
        assert not [step for step in steps if "TEMP B-TREE" in step], steps  # so the bound ends the search


@pytest.mark.parametrize("name", ["find_open_waits", "expire_overdue_waiters", "count_open"])
def test_what_is_asked_of_those_that_wait_is_not_asked_of_each(filled: Store, name: str) -> None:
    now = "0" if filled.dialect.name == "sqlite" else "now()"
    text = filled.catalog[name].text({})
    for param in ("now", "until_at"):
        text = text.replace(f"%({param})s", now).replace(f":{param}", now)
    if filled.dialect.name == "sqlite":
        steps = [row[3] for row in filled.connection().script(f"EXPLAIN QUERY PLAN {text}")]
        # A covering index is enough for what has no row to look up.
        assert not [step for step in steps if "USING INDEX waiter_state" in step], steps
    elif filled.dialect.name == "mysql" and name == "find_open_waits":
        rows = filled.connection().script(f"EXPLAIN {text}")
        # All but those who wake: the rest is answered by the first entry of an index, before anything is read.
        assert len([row for row in rows if row[2] == "w"]) <= 1, rows


def test_a_claim_sees_no_row_that_waits(filled: Store) -> None:
    assert filled.read(lambda tx: tx.run("list_heads")) == []
