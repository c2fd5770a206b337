"""Drafts while they are edited: they keep their number, their faults are stored, and what an instance runs never changes."""

import json

import pytest

from qflowd.engine.definitions.definition_verbs import DefinitionVerbs
from qflowd.engine.definitions.draft_store import (
    DraftText,
    add_draft,
    archive_draft,
    drop_version,
    faults_of,
    find_text,
    refuse_edit,
    replace_draft,
)
from qflowd.engine.definitions.workflow_heads import draft_with_head, head_etag, remove_workflow, set_enabled
from qflowd.engine.definitions.workflow_store import lock_definition
from qflowd.engine.refusal import Refused
from qflowd.model.errors import CycleFound, InvalidWorkflow
from qflowd.model.refusals import Refusal
from tests.support.versions import states, versions


def text_of(*tasks, **more):
    data = {"workflow": "daily", "tasks": {task: {"job": "work"} for task in tasks}} | more
    return DraftText.of("daily", data, by="ann")


class Editor:
    """A person at an editor: each act is a transaction of its own."""

    def __init__(self, lab):
        self.lab, self.verbs = lab, DefinitionVerbs(lab.store)

    def _act(self, act):
        def work(tx):
            return act(tx, lock_definition(tx, tenant="default", workflow="daily"), self.verbs.pool_of(tx))

        return self.lab.store.transact(work)

    def add(self, draft):
        return self._act(lambda tx, definition, pool: add_draft(tx, definition.id, draft, pool, tenant="default"))

    def row(self, version="draft"):
        return self._act(lambda tx, definition, _: find_text(tx, definition, version))

    def replace(self, version, draft):
        def work(tx, definition, pool):
            row = find_text(tx, definition, str(version))
            return replace_draft(tx, definition.id, row, draft, pool, tenant="default")

        return self._act(work)

    def why_not(self, version):
        try:
            self._act(lambda tx, definition, _: refuse_edit(definition, find_text(tx, definition, version), "daily"))
        except Refused as refusal:
            return str(refusal) if refusal.why == Refusal.NO_DRAFT else None
        return None

    def do(self, action, **columns):
        return self.lab.store.transact(
            lambda tx: self.verbs.do(tx, action, tenant="default", workflow="daily", **columns).result
        )


@pytest.fixture
def editor(lab):
    lab.workflow("daily", {"a": []})
    return Editor(lab)


def test_a_draft_keeps_its_number_while_it_is_edited(lab, editor):
    made = editor.add(text_of("a", "b"))
    assert (made.version, made.faults, states(lab)) == (2, (), {1: "ACTIVE", 2: "DRAFT"})
    again = editor.replace(2, text_of("a", "b", "c"))
    assert again.version == 2
    assert again.hash != made.hash
    row = versions(lab)[2]
    assert (row.hash, row.source, row.created_by, row.faults) == (again.hash, "api", "ann", None)
    assert list(lab.states(lab.start("daily", version=2))) == ["a", "b", "c"]
    assert lab.sql("SELECT COUNT(*) FROM qflow.workflow_node") == [(4,)]  # of what was replaced none is left


def test_a_draft_with_faults_is_stored_with_them_and_cannot_be_run_or_activated(lab, editor):
    made = editor.add(text_of("a", titel="Daily"))
    assert [fault.key for fault in made.faults] == ["titel"]
    assert faults_of(editor.row())[0].key == "titel"
    refusal = "version 2 of workflow 'daily' is a draft with faults: titel: "
    with pytest.raises(Refused, match=refusal):
        editor.do("activate", args={"version": 2})
    with pytest.raises(Refused, match=refusal):
        editor.do("canary", args={"version": 2, "share": 0.5})
    answer = lab.command("activate", workflow="daily", args=json.dumps({"version": 2}))
    assert answer[0] == "REJECTED"
    assert answer[1].startswith(refusal)
    number = lab.submit("daily", version=2)
    lab.admit.tick()
    assert lab.sql(f"SELECT error FROM qflow.submissions WHERE id = {number}")[0][0].startswith(refusal)
    corrected = editor.replace(2, text_of("a", title="Daily"))
    assert corrected.faults == ()
    assert editor.do("activate", args={"version": 2})["version"] == 2


def test_a_file_with_the_text_of_a_draft_with_faults_does_not_activate_it(lab, editor):
    draft = text_of("a")
    node = {"workflow": "daily", "tasks": {"a": {"task": "later"}}}
    made = editor.add(DraftText.of("daily", node))
    assert made.faults[0].message.startswith("there is no task definition 'later'")
    assert draft.key == "daily"
    define = {"source": json.dumps({"task": "later", "job": "work"}), "format": "json"}
    assert lab.command("define_task", args=json.dumps(define))[0] == "DONE"
    source = DraftText.of("daily", node).text
    assert lab.command("draft", workflow="daily", args=json.dumps({"source": source, "format": "json"})) == (
        "DONE",
        {"workflow": "daily", "version": 3},
    )


def test_what_cannot_be_read_at_all_is_no_draft(editor):
    for text, fault in (
        ('{"workflow": "daily",', "JSON"),
        ('{"workflow": "weekly", "tasks": {}}', "workflow: is 'weekly': this is a version of 'daily'; keep its key"),
        ('{"tasks": {}}', "workflow: is missing"),
    ):
        with pytest.raises(InvalidWorkflow, match=fault):
            editor.add(DraftText("daily", text))
    cycle = {"a": {"job": "work", "after": "b"}, "b": {"job": "work", "after": "a"}}
    with pytest.raises(CycleFound, match=r"cycle: a -> b -> a|cycle: b -> a -> b"):
        editor.add(DraftText.of("daily", {"workflow": "daily", "tasks": cycle}))


def test_what_was_run_is_edited_no_more(lab, editor):
    editor.add(text_of("a", "b"))
    assert editor.why_not("2") is None
    number = lab.start("daily", version=2)
    assert editor.why_not("2").startswith(
        "version 2 of workflow 'daily' was run as it is, and instances keep it; copy it"
    )
    lab.run()
    assert lab.states(number) == {"a": "SUCCESS", "b": "SUCCESS"}
    assert editor.why_not("1").startswith("version 1 of workflow 'daily' is ACTIVE, not a DRAFT")
    editor.add(text_of("c"))
    editor.do("canary", args={"version": 3, "share": 0.5})
    assert "is the canary" in editor.why_not("3")
    editor.do("end_canary")
    assert "was run" in editor.why_not("3")


def test_a_draft_can_be_put_away_or_removed(lab, editor):
    editor.add(text_of("a", "b"))
    lab.store.transact(lambda tx: drop_version(tx, find_text(tx, _definition(tx), "2").id))
    assert states(lab) == {1: "ACTIVE"}
    assert editor.row() is None
    editor.add(text_of("a", "c"))

    def put_away(tx, version):
        definition = _definition(tx)
        archive_draft(tx, definition, find_text(tx, definition, version), "daily", "not needed")

    lab.store.transact(lambda tx: put_away(tx, "draft"))
    for version, why in (("2", "is already ARCHIVED"), ("active", "is ACTIVE; activate another version")):
        with pytest.raises(Refused, match=why):
            lab.store.transact(lambda tx, version=version: put_away(tx, version))
    assert (states(lab), versions(lab)[2].note) == ({1: "ACTIVE", 2: "ARCHIVED"}, "not needed")
    assert editor.row("active").version == 1
    assert editor.row("nonsense") is None


def _definition(tx):
    return lock_definition(tx, tenant="default", workflow="daily")


def test_the_head_of_a_workflow_is_changed_by_a_new_version(lab, editor):
    def work(tx):
        definition = _definition(tx)
        row = find_text(tx, definition, "active")
        draft = DraftText("daily", row.source_text, row.format, "ann")
        pool = editor.verbs.pool_of(tx)
        before = head_etag(definition)
        draft_with_head(tx, definition, {"title": "Daily bars", "tags": ["cn"]}, draft, pool, tenant="default")
        editor.verbs.do(tx, "activate", tenant="default", workflow="daily", args={"version": 2}, requested_by="ann")
        return before, head_etag(_definition(tx))

    before, after = lab.store.transact(work)
    assert before != after
    [row] = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    assert (row.title, row.tags, row.version) == ("Daily bars", '["cn"]', 2)
    assert after == head_etag(row)


def test_a_workflow_can_be_switched_off_and_on(lab, editor):
    lab.store.transact(lambda tx: set_enabled(tx, _definition(tx), is_enabled=False))
    number = lab.submit("daily")
    lab.admit.tick()
    assert "is disabled" in lab.sql(f"SELECT error FROM qflow.submissions WHERE id = {number}")[0][0]
    lab.store.transact(lambda tx: set_enabled(tx, _definition(tx), is_enabled=True))
    assert list(lab.states(lab.start("daily"))) == ["a"]


def test_only_a_workflow_without_history_can_be_removed(lab, editor):
    editor.add(text_of("a", "b"))
    assert lab.store.transact(lambda tx: remove_workflow(tx, _definition(tx))) is True
    for table in ("workflow_definition", "workflow_version", "workflow_node", "workflow_edge", "workflow_need"):
        assert lab.sql(f"SELECT COUNT(*) FROM qflow.{table}") == [(0,)]
    lab.workflow("daily", {"a": []})
    lab.start("daily")
    assert lab.store.transact(lambda tx: remove_workflow(tx, _definition(tx))) is False
