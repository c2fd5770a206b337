"""Storing task types and task definitions: a change makes a new version of each workflow that is made of them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from qflowd.define import documents
from qflowd.define.documents import Format
from qflowd.define.task_definitions import TaskDefinition, why_archived
from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.versions import put_active
from qflowd.engine.definitions.workflow_store import PoolOf, add_version, digest_of, lock_definition, store_workflow
from qflowd.engine.refusal import Refused, listed
from qflowd.model import jsontext
from qflowd.model.errors import Fault, InvalidWorkflow, NameTaken
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Workflow
from qflowd.store.tx import Duplicate, Tx


class Source(NamedTuple):
    """A task type or task definition, and the text that describes it. `file`: that it came from; None for a command."""

    definition: TaskDefinition
    text: str
    format: Format
    file: str | None = None


class WorkflowText(NamedTuple):
    """The text of a workflow's file, which has changed together with what its tasks are made of."""

    workflow: Workflow
    text: str
    format: Format
    file: str


NOT_EDITED: Final[Mapping[str, WorkflowText]] = MappingProxyType({})


def store_definitions(
    tx: Tx,
    sources: Sequence[Source],
    *,
    pool_of: PoolOf,
    tenant: str = DEFAULT_TENANT,
    by: str = "file",
    note: str | None = None,
    edited: Mapping[str, WorkflowText] = NOT_EDITED,
) -> dict[str, int]:
    """Store them all, or none. Safe when several daemons store the same at once, and when repeated.

    Args:
        by: who asked for it.
        note: why.
        edited: by workflow: what takes the place of its text, where it is made anew.

    Returns: workflows that were made anew -> the number of their new version.

    Raises: InvalidWorkflow if a name belongs to one of the other kind, a type does not exist, or a workflow does not fit.
    """
    changed = [source for source in sources if _save(tx, source, tenant, by, note)]
    for source in sources:
        _check_type(tx, source, tenant)
    users = {workflow: source for source in changed for workflow in _users(tx, tenant, source.definition.name)}
    made = {
        workflow: _renew(tx, workflow, source, tenant, by, pool_of, edited.get(workflow))
        for workflow, source in sorted(users.items())
    }
    return {workflow: version for workflow, version in made.items() if version is not None}


def claim_name(tx: Tx, tenant: str, name: str, kind: str) -> None:
    """Take a name that no task type or definition has, before one is stored under it. Raises: NameTaken."""
    tx.run("lock_task_definition", tenant=tenant, name=name)
    row = tx.one("find_task_definition", tenant=tenant, name=name)
    if row is not None and row.archived_at is not None:
        return
    try:
        if row is None:
            tx.run("insert_task_definition", tenant=tenant, name=name, kind=kind, now=tx.now)
            return
    except Duplicate:  # somebody else has been faster
        row = None
    there = f"task {row.kind}" if row is not None else "task type or definition"
    raise NameTaken(f"there is a {there} {name!r} already; choose another name")


def _save(tx: Tx, source: Source, tenant: str, by: str, note: str | None) -> bool:
    """Whether its text differs from what was stored."""
    kind, name, body, *_ = source.definition
    key: dict[str, Any] = {"tenant": tenant, "name": name}
    tx.run("lock_task_definition", **key)
    there, digest = tx.one("find_task_definition", **key), digest_of(source.text)
    if there is not None and there.kind != kind:
        head = "task_type" if kind == "type" else "task"
        raise fault_of(source, head, f"a task {there.kind} {name!r} exists; a task {kind} needs another name")
    origin = (source.file, digest) if source.file else (None, None)
    if source.file is None and there is not None and there.file_hash is not None:
        origin = there.file, there.file_hash  # the file wins again when it changes
    has_changed = there is None or there.hash != digest
    if has_changed or there.archived_at is not None or (there.file, there.file_hash) != origin:
        tx.run(
            "save_task_definition",
            **key,
            kind=kind,
            job=body.get("job"),
            type=body.get("type"),
            document=jsontext.dump(dict(body)),
            source_text=source.text,
            format=source.format,
            hash=digest,
            note=note,
            updated_by=by,
            file=origin[0],
            file_hash=origin[1],
            now=tx.now,
        )
    return has_changed


def _check_type(tx: Tx, source: Source, tenant: str) -> None:
    name = source.definition.body.get("type")
    if name is None:
        return
    tx.run("lock_task_definition", tenant=tenant, name=name)  # who removes it waits, or has done so
    row = tx.one("find_task_definition", tenant=tenant, name=name)
    if row is None or row.kind != "type":
        types = [each.name for each in tx.run("list_task_definition_names", tenant=tenant) if each.kind == "type"]
        hint = did_you_mean(name, types, "`qflowd definitions` lists those there are")
        raise fault_of(source, "type", f"task type {name!r} does not exist{hint}")
    if row.archived_at is not None:
        raise fault_of(source, "type", why_archived(row))


def remove_definition(tx: Tx, tenant: str, name: str) -> None:
    """Remove a task type or task definition; versions that are made of it stay what they are.

    Raises: Refused if it is used by an active version, or of a type by a definition, or a file defines it.
    """
    key: dict[str, Any] = {"tenant": tenant, "name": name}
    tx.run("lock_task_definition", **key)
    row = tx.one("find_task_definition", **key)
    if row is None:
        return
    what = f"task {row.kind} {name!r}"
    if row.file_hash is not None:
        raise Refused(f"{what} comes from a file; remove it there", Refusal.OF_A_FILE)
    made = [f"task definition {each.name}" for each in tx.run("list_task_definitions_of_type", **key)]
    users = [f"workflow {workflow}" for workflow in _users(tx, tenant, name)]
    if made or users:
        raise Refused(f"{what} is used by {listed([*made, *users])}; change these first", Refusal.IN_USE)
    tx.run("delete_task_definition", **key)


def fault_of(source: Source, key: str, message: str) -> InvalidWorkflow:
    """The error that a key of its text is wrong."""
    name = source.file or source.definition.file or "definition"
    document = documents.read(source.text, source.format, name, InvalidWorkflow)
    return InvalidWorkflow([Fault(document.file, document.line((key,)), key, message)])


def _users(tx: Tx, tenant: str, name: str) -> dict[str, Any]:
    """By workflow: its active version, which uses a task type or definition."""
    return {row.workflow: row for row in tx.run("list_users_of_task_definition", tenant=tenant, name=name)}


def _renew(
    tx: Tx, workflow: str, source: Source, tenant: str, by: str, pool_of: PoolOf, text: WorkflowText | None
) -> int | None:
    """Make the active version of a workflow anew; its number. None if it has come to use something else meanwhile."""
    try:
        if text is not None:
            about: dict[str, Any] = {"source": text.text, "format": text.format, "file": text.file, "pool_of": pool_of}
            if (version := store_workflow(tx, text.workflow, **about, tenant=tenant)) is not None:
                return version
        definition = lock_definition(tx, tenant=tenant, workflow=workflow)
        # After the lock: another version may have become active.
        user = _users(tx, tenant, source.definition.name).get(workflow)
        if user is None:
            return None
        origin = {"source": "file" if source.file else "command", "file": definition.file}
        made_of = parse(user.source_text, user.format, workflow)
        version_id, version = add_version(
            tx, definition.id, made_of, user.source_text, user.format, pool_of, tenant=tenant, **origin
        )
    except InvalidWorkflow as error:
        message = f"workflow {workflow!r} does not fit it: {error}"
        raise InvalidWorkflow([Fault(source.file or "", 0, "", message)]) from None
    kind, name, *_ = source.definition
    note = f"task {kind} {name} has changed"
    put_active(tx, definition, version_id, replaced=definition.version, by=by, note=note)
    return version
