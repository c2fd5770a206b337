"""Definitions that two change at once: nobody's text is lost, and a name is given to one of them.

SQLite has one writer at a time: there, the other one waits for the first.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.tenants import create_tenant, set_quotas
from qflowd.engine.definitions.definition_store import claim_name
from qflowd.engine.definitions.draft_store import DraftText, add_draft, new_workflow
from qflowd.engine.definitions.workflow_quota import NoRoom
from qflowd.engine.definitions.workflow_store import store_workflow
from qflowd.model.errors import NameTaken
from qflowd.store.tx import Store
from tests.engine.test_task_definitions import define, defined, task
from tests.support.lab import Lab
from tests.support.versions import versions

at_once = pytest.mark.parametrize("lab", ["postgres", "mariadb"], indirect=True)
ME = Actor("me")
TYPE, DEFINITION = "task_type: bars\njob: work\nretries: 3", "task: us_bars\ntype: bars"


@pytest.fixture
def other(lab: Lab) -> Iterator[Lab]:
    """Somebody else at the same store."""
    found = Lab(lab.url)
    yield found
    found.close()


def begin_and_wait(thread: threading.Thread, other: Lab) -> None:
    """Start it, and return when it waits for a row that somebody has locked."""
    thread.start()
    until = time.monotonic() + 30
    while not other.is_somebody_waiting() and time.monotonic() < until:
        time.sleep(0.01)


def publish(store: Store, title: str, **node: Any) -> int | None:
    text = json.dumps({"workflow": "daily", "title": title, "tasks": {"load": node}})
    about: dict[str, Any] = {"source": text, "format": "json", "file": None, "pool_of": lambda job: None}
    workflow = parse(text, "json", "daily")
    return store.transact(lambda tx: store_workflow(tx, workflow, **about))


@at_once
def test_what_is_published_while_its_type_changes_is_made_of_the_changed_type(lab, other):
    defined(lab, TYPE, DEFINITION)
    publish(lab.store, "first", task="us_bars")
    late = threading.Thread(target=publish, args=(other.store, "second"), kwargs={"task": "us_bars"})

    lab.just_before("command", lambda: begin_and_wait(late, other), statement="lock_definition")
    assert define(lab, TYPE.replace("3", "9"))[0] == "DONE"
    late.join(30)
    [(title,)] = lab.sql("SELECT title FROM qflow.workflows WHERE workflow = 'daily'")
    assert (title, task(lab).settings.retries) == ("second", 9)


@at_once
def test_the_last_room_of_a_tenant_is_given_to_one_of_two(lab, other):
    lab.store.transact(lambda tx: create_tenant(tx, ME, "acme"))
    lab.store.transact(lambda tx: set_quotas(tx, ME, "acme", {"workflows": 1}))
    refused = []

    def add(store: Store, workflow: str) -> None:
        draft = DraftText.of(workflow, {"workflow": workflow, "tasks": {"load": {"job": "work"}}})
        try:
            store.transact(lambda tx: new_workflow(tx, draft, "acme"), name="add")
        except NoRoom as error:
            refused.append(str(error))

    late = threading.Thread(target=add, args=(other.store, "theirs"))
    lab.just_before("add", lambda: begin_and_wait(late, other), statement="insert_definition")
    add(lab.store, "ours")
    late.join(30)
    assert lab.sql("SELECT workflow FROM qflow.workflow_definition") == [("ours",)]
    [error] = refused
    assert "quota workflows of tenant acme is 1" in error


@at_once
def test_a_workflow_that_came_to_use_something_else_is_left_as_it_was_published(lab, other):
    defined(lab, TYPE, DEFINITION)
    publish(lab.store, "first", task="us_bars")
    lab.just_before("command", lambda: publish(other.store, "second", job="mend"), statement="lock_definition")
    assert define(lab, TYPE.replace("3", "9"))[1]["workflows"] == {}
    assert (sorted(versions(lab)), task(lab).job) == ([1, 2], "mend")


@at_once
def test_a_name_that_two_take_at_once_is_given_to_one_of_them(lab, other):
    def claim(store: Store) -> None:
        store.transact(lambda tx: claim_name(tx, "default", "us_bars", "type"), name="claim")

    lab.just_before("claim", lambda: claim(other.store), statement="insert_task_definition")
    with pytest.raises(NameTaken, match="there is a task type or definition 'us_bars' already"):
        claim(lab.store)

    def begin(store: Store, job: str) -> None:
        draft = DraftText.of("daily", {"workflow": "daily", "tasks": {"load": {"job": job}}})

        def work(tx: Any) -> None:
            definition = new_workflow(tx, draft, "default")
            add_draft(tx, definition.id, draft, lambda job: None, tenant="default")

        store.transact(work, name="begin")

    lab.just_before("begin", lambda: begin(other.store, "theirs"), statement="insert_definition")
    with pytest.raises(NameTaken, match="there is a workflow 'daily' already"):
        begin(lab.store, "ours")
    assert sorted(versions(lab)) == [1]
