"""docs/sql-contract.md and the schema say the same, on all three databases, in words that need no quotes."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.contract.desk import Desk

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/sql-contract.md").read_text("utf-8")
INBOXES = ("submissions", "commands", "signals")
VIEWS = (
    "instances",
    "tasks",
    "compensations",
    "breakpoints",
    "attempts",
    "failures",
    "handled_failures",
    "logs",
    "workflows",
    "versions",
    "task_definitions",
    "schedules",
    "fires",
    "approvals",
    "datasets",
    "dataset_uses",
    "jobs",
    "pools",
    "limits",
    "daemons",
    "audit_entries",
    "quotas",
    "usage_days",
    "calendar_overrides",
    "backfills",
    "backfill_dates",
    "session_runs",
    "gaps",
    "own_calendars",
    "late_dates",
    "events",
)

OF_THE_ENGINE = ("id", "is_open", "error_code", "is_batch", "lapses_at")  # columns of inboxes that no client writes
# What earlier pages promised: names leave this list only with a new major version.
PROMISED = {
    "submissions": "id tenant workflow version job name params overrides business_date priority run_at hold idempotency_key "
    "trigger_type submitted_by created_at state instance_id error answered_at",
    "commands": "id tenant action instance_id workflow task task_id filter args reason requested_by created_at state result "
    "error answered_at",
    "signals": "id tenant name payload sent_by created_at business_date expires_at state error answered_at",
    "instances": "id tenant workflow version name state reason saga_state trigger_type business_date priority params progress "
    "created_at started_at finished_at updated_at duration_s error wait_reason",
    "tasks": "id instance_id workflow task map_index kind job pool state reason attempt params output error daemon created_at "
    "ready_at started_at finished_at duration_s wait_reason tenant progress progress_done progress_total progress_text",
    "breakpoints": "id instance_id workflow task kind job state total done failed running waiting would_start progress wait_reason "
    "checkpoints checkpoint tenant",
    "attempts": "task_id instance_id task attempt fence state reason started_at finished_at duration_s cpu_s peak_memory_mb "
    "exit_signal code_hash daemon error traceback tenant",
    "failures": "id instance_id workflow task map_index label kind business_date error_class error attempts failed_at state "
    "instance_state trigger_type job fence tenant",
    "logs": "id task_id instance_id task attempt at stream level logger message attributes tenant",
    "workflows": "workflow title description domain type tags enabled version state source file hash created_at updated_at error tenant "
    "archived_at canary_version canary_share",
    "versions": "workflow version state hash source file created_at activated_at activated_by replaced note format source_text "
    "document tenant share",
    "task_definitions": "name kind job type document hash note updated_by created_at updated_at archived_at format source_text "
    "tenant",
    "schedules": "workflow name cron timezone catchup enabled source last_fire_at next_fire_at tenant archived_at"
    " wait_reason calendar session_time session_days times day_window params set_by set_at set_reason file_says"
    " start_on",
    "fires": "workflow schedule fire_at instance_id state error tenant business_date fact fact_id",
    "approvals": "id instance_id workflow task business_date subject state asked_at deadline_at default_answer answered_by "
    "answered_at note tenant",
    "datasets": "id name series version is_latest recorded_at instance_id task_id workflow task business_date metadata tenant",
    "dataset_uses": "id instance_id workflow task business_date name series version latest_version is_stale used_at tenant",
    "jobs": "job params_schema file hash doc settings daemons state error",
    "pools": "pool daemon processes threads busy ready_tasks",
    "limits": "name slots used source waiting updated_at rates frees_at resumes_at pause_reason set_by note paused_at paused_by"
    " breaker breaker_state tripped_at retries_at trip_reason",
    "daemons": "id name host pid version state pools started_at seen_at memory_mb lease_s",
    "own_calendars": "name kind title document set_by set_at tenant",
    "calendar_overrides": "calendar day kind hours reason set_by set_at tenant",
    "session_runs": "tenant workflow calendar business_date state instance_id is_due has_begun",
    "gaps": "tenant workflow calendar business_date state instance_id",
    "late_dates": "id tenant workflow business_date expected_at noticed_at ended_at state instance_id",
    "events": "id tenant event workflow instance_id business_date calendar at data",
}


def sections() -> dict[str, str]:
    """Table or view -> the table of its columns on the page."""
    found = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        if table := re.search(r"^\| column \|.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL):
            found[name] = table[0]
    return found


def documented() -> dict[str, list[str]]:
    """Table or view -> its columns, in the page's order."""
    return {name: re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) for name, table in sections().items()}


def defaults(inbox: str) -> dict[str, str]:
    """Column -> the literal default that the page names."""
    return dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", sections()[inbox], re.MULTILINE))


def columns(desk: Desk, name: str) -> list[str]:
    if desk.kind == "sqlite":
        return [row["name"] for row in desk.run(f"PRAGMA qflow.table_info({name})")]
    sql = "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'qflow' AND table_name = %s ORDER BY ordinal_position"
    return [row["name"] for row in desk.run(sql, (name,))]


def test_the_page_documents_every_inbox_and_view():
    assert set(documented()) == {*INBOXES, *VIEWS}


@pytest.mark.parametrize("name", [*INBOXES, *VIEWS])
def test_the_page_and_the_schema_have_the_same_columns(desk: Desk, name: str):
    assert columns(desk, name) == documented()[name]


def test_the_records_of_the_client_have_the_columns_of_their_views():
    from qflowd.client import (
        AttemptInfo,
        BreakpointInfo,
        DatasetInfo,
        DatasetUseInfo,
        FailureInfo,
        HandledFailureInfo,
        InstanceInfo,
        LogLine,
        TaskInfo,
    )

    kinds = {
        "instances": InstanceInfo,
        "tasks": TaskInfo,
        "breakpoints": BreakpointInfo,
        "attempts": AttemptInfo,
        "datasets": DatasetInfo,
        "dataset_uses": DatasetUseInfo,
        "failures": FailureInfo,
        "handled_failures": HandledFailureInfo,
        "logs": LogLine,
    }
    pages = documented()
    assert {view: [field.name for field in fields(kind)] for view, kind in kinds.items()} == {
        v: pages[v] for v in kinds
    }


def test_nothing_that_was_promised_is_gone():
    pages = documented()
    assert {name: [c for c in text.split() if c not in pages[name]] for name, text in PROMISED.items()} == {
        name: [] for name in PROMISED
    }


def test_every_plural_name_in_the_namespace_is_documented(desk: Desk):
    """Public names are plural, internal ones singular: nothing slips out unnoticed."""
    if desk.kind == "sqlite":
        sql = "SELECT name FROM qflow.sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
    else:
        sql = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'qflow'"
    names = {row["name"] for row in desk.run(sql)}
    singular = {"task_progress"}
    assert {name for name in names if name.endswith("s") and name not in singular} == {*INBOXES, *VIEWS}


NEEDED = {"submissions": {"job": "hello"}, "commands": {"action": "explode"}, "signals": {"name": "x"}}


@pytest.mark.parametrize("inbox", INBOXES)
def test_the_defaults_of_inboxes_are_those_of_the_page(desk: Desk, inbox: str):
    connection = desk.connect()
    desk.run("BEGIN", connection=connection)
    number = desk.insert(inbox, connection, **NEEDED[inbox])
    row = desk.run(f"SELECT * FROM qflow.{inbox} WHERE id = %s", (number,), connection)[0]
    desk.run("ROLLBACK", connection=connection)
    connection.close()
    expected = {column: text.strip("'") for column, text in defaults(inbox).items()}
    assert {column: str(row[column]) for column in expected} == expected
    others = row.keys() - expected.keys() - NEEDED[inbox].keys()
    assert {column for column in others if row[column] is not None} == {"id", "created_at"}


def test_no_public_name_is_a_reserved_word():
    text = (Path(__file__).parent / "reserved_words.txt").read_text("utf-8")
    lists = {heading: set(words.split()) for heading, words in re.findall(r"^\[(.+)\]\n([^\[]+)", text, re.MULTILINE)}
    assert len(lists) == 4
    names = {*documented(), *(c for columns in documented().values() for c in columns)}
    assert {heading: names & words for heading, words in lists.items() if names & words} == {}


def test_every_public_name_works_without_quotes(desk: Desk):
    for name, there in documented().items():
        desk.run(f"SELECT {', '.join(there)} FROM qflow.{name} WHERE 1 = 0")
        desk.run(f"SELECT {', '.join(f'x.{c}' for c in there)} FROM qflow.{name} x WHERE 1 = 0")


def test_the_grants_on_the_page_are_the_shipped_ones():
    for kind in ("postgres", "mysql"):
        sql = (ROOT / f"sql/grants/{kind}.sql").read_text("utf-8")
        assert f"<!-- sql/grants/{kind}.sql -->\n```sql\n{sql}```\n" in PAGE


def test_the_grants_name_every_column_that_a_client_may_write():
    for kind in ("postgres", "mysql"):
        sql = (ROOT / f"sql/grants/{kind}.sql").read_text("utf-8")
        for inbox in INBOXES:
            [granted] = re.findall(rf"INSERT ?(?:\(([^)]+)\))?\s+ON qflow\.{inbox} ", sql)
            writable = [c for c in documented()[inbox] if c not in OF_THE_ENGINE]
            assert re.findall(r"\w+", granted) == (writable if kind == "postgres" else [])
        for view in VIEWS:
            assert re.search(rf"\bqflow\.{view}\b", sql)
