"""Workflows as a whole, written: their heads, whether they take submissions, whether they are there; and judging what a file would hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from qflowd.api.access.hidden import file_named
from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.definitions.drafts import LARGEST_DOCUMENT, DocumentBody, key_to_write, lock_version, lock_workflow
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.drawing.boxes import Graph, draw
from qflowd.api.drawing.versions import VersionGraph
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.reading import Body, need_if_match
from qflowd.api.routing import route
from qflowd.define import documents
from qflowd.define.sketch import sketch
from qflowd.engine.access.audit import record
from qflowd.engine.definitions.draft_store import DraftText, judge
from qflowd.engine.definitions.needs import warnings_of
from qflowd.engine.definitions.workflow_heads import (
    HEAD,
    draft_with_head,
    head_etag,
    head_of,
    is_of_file,
    remove_workflow,
    set_enabled,
)
from qflowd.engine.definitions.workflow_store import load_parts
from qflowd.model.errors import CycleFound, Fault, InvalidWorkflow
from qflowd.model.roles import Role
from qflowd.store.tx import Tx


class ChangedHead(Body):
    """What is to be changed of a workflow; what is left out stays. Whatever is not `enabled` makes a new version."""

    title: str | None = None
    description: str | None = None
    domain: str | None = None
    type: str | None = None
    tags: Sequence[str] | None = None
    enabled: bool | None = None
    reason: str | None = None


class WorkflowHead(Item):
    """A workflow's head as it is now."""

    workflow: str
    title: str
    description: str
    domain: str
    type: str
    tags: Sequence[str]
    enabled: bool
    version: int | None


class ArchivedWorkflow(Item):
    """What has become of a workflow. `open_instances` run to their end; `workflows`: those whose tasks start it."""

    workflow: str
    removed: bool = False
    archived: bool = False
    open_instances: int | None = None
    workflows: Sequence[str] = ()


class JudgedFault(Item):
    """One fault. `line`: from 1; 0 where there are no lines."""

    where: str
    line: int
    message: str


class Judged(Item):
    """What is wrong (`faults`), what would keep it from running (`warnings`), and how it looks.

    `document`: what the text says; null if it cannot be read.
    """

    workflow: str | None
    faults: Sequence[JudgedFault]
    warnings: Sequence[str]
    graph: Graph | None
    document: Mapping[str, Any] | None


@route("PUT", "/workflows/{id}", Role.DEFINE, errors=(40302, 40901, 40906, 41201, 42801))
def update_workflow(call: Call, id: str, body: ChangedHead) -> ApiAnswer | WorkflowHead:
    """Change the head of a workflow, or switch it on or off; the head of one that a file describes is changed there."""
    key = key_to_write(call, id)
    head = {name: value for name in HEAD if (value := getattr(body, name)) is not None}

    def work(tx: Tx) -> Any:
        definition = lock_workflow(tx, call, key)
        before = head_of(definition)
        need_if_match(call, head_etag(definition), _head_item(key, definition))
        if any(before[name] != value for name, value in head.items()):
            _set_head(tx, call, key, definition, head, body.reason)
        if body.enabled is not None:
            set_enabled(tx, definition, is_enabled=body.enabled)
        now = lock_workflow(tx, call, key)
        record(tx, call.actor, "UPDATE", "workflow", key, before=before, after=head_of(now))
        return now

    definition = call.change(work)
    return ApiAnswer(_head_item(key, definition), etag=head_etag(definition))


@route("DELETE", "/workflows/{id}", Role.DEFINE, errors=(40302, 40901, 40906))
def delete_workflow(call: Call, id: str) -> ArchivedWorkflow:
    """Remove a workflow that nothing has run; archive one that has a history and no open instances."""
    key = key_to_write(call, id)

    def work(tx: Tx) -> ArchivedWorkflow:
        definition = lock_workflow(tx, call, key)
        before = head_of(definition)
        if not is_of_file(definition) and remove_workflow(tx, definition):
            record(tx, call.actor, "DELETE", "workflow", key, before=before)
            return ArchivedWorkflow(workflow=key, removed=True)
        open_instances = tx.one("count_open_instances", definition_id=definition.id).instances
        if open_instances:
            raise ApiFault(40901, f"workflow {key!r} has {open_instances} open instances; stop them, or archive it")
        if is_of_file(definition) and tx.one("find_any_instance", definition_id=definition.id).id is None:
            file = file_named(call, definition.file)
            raise ApiFault(40906, f"workflow {key!r} comes from {file}; remove that file, or archive it")
        return _archive(tx, call, key, None)

    return call.change(work)


@route("POST", "/workflows/{id}/archive", Role.DEFINE, errors=(40302, 40901), does="command archive")
def archive_workflow(call: Call, id: str, body: ReasonBody) -> ApiAnswer | ArchivedWorkflow:
    """Take no more submissions and fire no more; open instances run to their end."""
    key = key_to_write(call, id)
    return answer_once(call, lambda tx: ApiAnswer(_archive(tx, call, key, body.reason)))


@route("POST", "/workflows/{id}/unarchive", Role.DEFINE, errors=(40302, 40901, 42902), does="command unarchive")
def unarchive_workflow(call: Call, id: str, body: ReasonBody) -> ApiAnswer | ArchivedWorkflow:
    """Take submissions again, and fire from now on."""
    key = key_to_write(call, id)

    def work(tx: Tx) -> ApiAnswer:
        do_verb(tx, call, "unarchive", body.reason, workflow=key)
        record(tx, call.actor, "UNARCHIVE", "workflow", key)
        return ApiAnswer(ArchivedWorkflow(workflow=key))

    return answer_once(call, work)


@route("POST", "/workflows/validate", Role.READ, largest_body=LARGEST_DOCUMENT)
def validate_workflow(call: Call, body: DocumentBody) -> Judged:
    """Judge a workflow as its file would hold it; nothing is stored."""
    draft = body.draft("")
    try:
        document = documents.read(draft.text, draft.format, "", InvalidWorkflow)
    except InvalidWorkflow as error:
        return Judged(workflow=None, faults=_shown(body, error.faults), warnings=(), graph=None, document=None)
    key = document.data.get("workflow")
    key = key if isinstance(key, str) else None

    def work(tx: Tx) -> Judged:
        try:
            workflow, faults = judge(document, lambda _: load_parts(tx, call.tenant))
        except CycleFound as error:
            where = f"tasks.{error.path[0]}.after"
            fault = JudgedFault(where=where, line=0, message=str(error))
            return Judged(workflow=key, faults=[fault], warnings=(), graph=None, document=document.data)
        warnings = warnings_of(tx, workflow, call.tenant) if workflow is not None else []
        graph = draw(VersionGraph(workflow or sketch(document.data), 0), is_folded=True)
        return Judged(workflow=key, faults=_shown(body, faults), warnings=warnings, graph=graph, document=document.data)

    return call.store.read(work)


def _set_head(tx: Tx, call: Call, key: str, definition: Any, head: dict[str, Any], reason: str | None) -> None:
    """Make a version with another head the active one."""
    if is_of_file(definition):
        raise ApiFault(40906, f"workflow {key!r} comes from {file_named(call, definition.file)}; change its head there")
    if definition.active_version is None:
        raise ApiFault(40901, f"workflow {key!r} has no active version; change the head of its draft")
    locked = lock_version(tx, call, key, "active")
    draft = DraftText(key, locked.row.source_text, locked.row.format, call.caller.principal)
    stored = draft_with_head(tx, definition, head, draft, locked.pool_of, tenant=call.tenant)
    note = reason or f"{', '.join(head)} changed"
    do_verb(tx, call, "activate", note, workflow=key, args={"version": stored.version})


def _archive(tx: Tx, call: Call, key: str, reason: str | None) -> ArchivedWorkflow:
    result = do_verb(tx, call, "archive", reason, workflow=key)
    record(tx, call.actor, "ARCHIVE", "workflow", key, after={"reason": reason})
    about = {"open_instances": result["open_instances"], "workflows": result["workflows"]}
    return ArchivedWorkflow(workflow=key, archived=True, **about)


def _head_item(key: str, definition: Any) -> WorkflowHead:
    return WorkflowHead(workflow=key, version=definition.version, **head_of(definition))


def _shown(body: DocumentBody, faults: Sequence[Fault]) -> list[JudgedFault]:
    has_lines = body.text is not None
    return [JudgedFault(where=each.key, line=each.line if has_lines else 0, message=each.message) for each in faults]
