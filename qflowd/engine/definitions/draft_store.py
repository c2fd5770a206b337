"""Drafts while people edit them: stored with their faults, changed in place as long as nothing has run them.

A version that an instance may run never changes, so a draft that was changed is another row under the same number: what a
daemon remembers of the former one, by its id, is of no instance.
"""

import json
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from qflowd.define import documents
from qflowd.define.documents import Document, Format
from qflowd.define.edits import levels_of, tasks_of
from qflowd.define.sketch import sketch
from qflowd.define.stored import write
from qflowd.define.task_definitions import Definitions, filled
from qflowd.define.workflow_file import parse_document
from qflowd.engine.definitions.workflow_store import PoolOf, digest_of, insert_version, lock_parts, need_definition
from qflowd.engine.refusal import Refused
from qflowd.model import jsontext
from qflowd.model.errors import Fault, InvalidWorkflow, NameTaken
from qflowd.model.names import fault_in_key
from qflowd.model.numbers import whole_number
from qflowd.model.refusals import Refusal
from qflowd.model.states import VersionState
from qflowd.model.workflow import Workflow
from qflowd.store.tx import Tx

SOURCE = "api"  # the origin of versions that people have made here


class DraftText(NamedTuple):
    """What a draft of workflow `key` says, who says it, and the hash of the version that was active when it was begun."""

    key: str
    text: str
    format: Format = "json"
    by: str | None = None
    base_hash: str | None = None

    @classmethod
    def of(cls, key: str, data: dict[str, Any], **about: Any) -> "DraftText":
        """Of a plain document; it is written as JSON, so that equal documents have equal strings."""
        return cls(key, json.dumps(data, ensure_ascii=False, indent=2) + "\n", **about)


class StoredDraft(NamedTuple):
    """A draft as it was stored. `hash`: its ETag. `faults`: why it cannot be run yet."""

    version: int
    hash: str
    faults: tuple[Fault, ...] = ()


def add_draft(tx: Tx, definition_id: int, draft: DraftText, pool_of: PoolOf, *, tenant: str) -> StoredDraft:
    """Store a draft as the next version of a workflow, which must be locked.

    Raises: InvalidWorkflow if the text cannot be read at all, or is of another workflow; CycleFound.
    """
    version = tx.one("newest_version", definition_id=definition_id).version + 1
    return _store(tx, definition_id, version, draft, pool_of, tenant)


def new_workflow(tx: Tx, draft: DraftText, tenant: str) -> Any:
    """A workflow that has no version yet, locked: a row of `find_definition`.

    Raises: NameTaken; InvalidWorkflow if the draft cannot be read at all, or has no key that a workflow can have.
    """
    document = read_document(draft.text, draft.format, draft.key)
    if fault := fault_in_key(draft.key, "workflow key"):
        raise InvalidWorkflow(document.faults([(("workflow",), fault)]))
    taken = NameTaken(f"there is a workflow {draft.key!r} already; choose another key, or make a draft of it")
    if tx.one("find_definition", tenant=tenant, workflow=draft.key) is not None:
        raise taken
    definition = need_definition(tx, sketch(document.data), None, tenant)
    if tx.one("newest_version", definition_id=definition.id).version > 0:  # somebody else was faster
        raise taken
    return definition


def replace_draft(
    tx: Tx, definition_id: int, row: Any, draft: DraftText, pool_of: PoolOf, *, tenant: str
) -> StoredDraft:
    """Store another text as a draft that can be edited (a row of `find_version_text`). Raises: as `add_draft`."""
    if digest_of(draft.text) == row.hash:
        return StoredDraft(row.version, row.hash, faults_of(row))
    drop_version(tx, row.id)
    kept = draft._replace(base_hash=row.base_hash)
    return _store(tx, definition_id, row.version, kept, pool_of, tenant)


def drop_version(tx: Tx, version_id: int) -> None:
    """Remove a version that nothing has run."""
    for statement in ("delete_version_nodes", "delete_version_edges", "delete_version_needs"):
        tx.run(statement, version_id=version_id)
    tx.run("delete_version", id=version_id)


def find_text(tx: Tx, definition: Any, version: str) -> Any:
    """A version by its number, or `active` or `draft`, the newest one: a row of `find_version_text`; None if there is none."""
    number = whole_number(version, 9)
    if version == "active":
        number = definition.version
    elif version == "draft":
        row = tx.one("newest_draft", definition_id=definition.id)
        number = row and row.version
    return tx.one("find_version_text", definition_id=definition.id, version=number) if number else None


def archive_draft(tx: Tx, definition: Any, row: Any, workflow: str, note: str | None) -> None:
    """Archive a draft: it is edited no more. `row`: of `find_version_text`.

    Raises: Refused if it is not a draft, or new instances run it.
    """
    name = f"version {row.version} of workflow {workflow!r}"
    if row.id == definition.canary_version:
        raise Refused(f"{name} is the canary; activate another version, or end it first (`end_canary`)")
    if row.state == VersionState.ACTIVE:
        raise Refused(f"{name} is ACTIVE; activate another version, which archives it, or archive the workflow")
    if row.state != VersionState.DRAFT:
        raise Refused(f"{name} is already ARCHIVED")
    tx.run("archive_draft", id=row.id, note=note)


def refuse_edit(definition: Any, row: Any, workflow: str) -> None:
    """May a version be edited? `row`: of `find_version_text`.

    Raises: Refused if it is not a draft, or instances may run it.
    """
    why = None
    if row.state != VersionState.DRAFT:
        why = f"is {VersionState(row.state).name}, not a DRAFT"
    elif row.id == definition.canary_version:
        why = "is the canary: new instances run it"
    elif row.has_run:
        why = "was run as it is, and instances keep it"
    if why is not None:
        remedy = f"copy it to a draft (`copy_of: {row.version}`) and edit that one"
        raise Refused(f"version {row.version} of workflow {workflow!r} {why}; {remedy}", Refusal.NO_DRAFT)


def faults_of(row: Any) -> tuple[Fault, ...]:
    """The faults of a version. `row`: with its column `faults`."""
    written = json.loads(row.faults) if row.faults is not None else []
    return tuple(Fault("", 0, fault["where"], fault["message"]) for fault in written)


def read_document(text: str, format: Format, key: str) -> Document:
    """The document of workflow `key`, whatever other faults it has.

    Raises: InvalidWorkflow if it cannot be read at all, or is of another workflow.
    """
    document = documents.read(text, format, "", InvalidWorkflow)
    name = document.data.get("workflow")
    if str(name) != key:
        message = "is missing" if name is None else f"is {name!r}: this is a version of {key!r}; keep its key"
        raise InvalidWorkflow(document.faults([(("workflow",), message)]))
    return document


def judge(
    document: Document, parts: Callable[[Collection[str]], Definitions]
) -> tuple[Workflow | None, tuple[Fault, ...]]:
    """The workflow that a document describes, its nodes made of their task definitions; None with all its faults.

    `parts`: asked for the definitions, if any are named.

    Raises: CycleFound.
    """
    levels_of(document.data)
    names = {str(body["task"]) for body in tasks_of(document.data).values() if body.get("task")}
    made, key_faults = filled(document, parts(names)) if names else (document, [])
    faults = document.faults(key_faults)
    try:
        workflow = parse_document(made)
        write(workflow)  # may be too large
    except InvalidWorkflow as error:
        return None, (*faults, *error.faults)
    return (None, tuple(faults)) if faults else (workflow, ())


def _store(tx: Tx, definition_id: int, version: int, draft: DraftText, pool_of: PoolOf, tenant: str) -> StoredDraft:
    document = read_document(draft.text, draft.format, draft.key)
    workflow, faults = judge(document, lambda names: lock_parts(tx, names, tenant))
    written = jsontext.dump([{"where": fault.key, "message": fault.message} for fault in faults]) if faults else None
    origin = {"source": SOURCE, "file": None, "created_by": draft.by, "base_hash": draft.base_hash, "faults": written}
    insert_version(tx, definition_id, version, draft.text, draft.format, workflow, pool_of, origin)
    return StoredDraft(version, digest_of(draft.text), faults)
