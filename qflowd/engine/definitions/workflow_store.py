"""Storing a workflow: a changed text becomes the next ACTIVE version, the former one is archived, instances keep theirs."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from qflowd.define import stored
from qflowd.define.documents import Format
from qflowd.define.task_definitions import Definitions, by_name, resolve
from qflowd.define.workflow_file import parse
from qflowd.define.writing import dump
from qflowd.engine.definitions.needs import judge_version, needs_of
from qflowd.engine.definitions.stored_schedules import save_schedules
from qflowd.engine.definitions.workflow_quota import need_room
from qflowd.engine.late.expectations import save_expectations
from qflowd.model import dag, jsontext
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import BUILT_IN, NO_POOL, WAIT_POOL, Task, Workflow
from qflowd.store.tx import Tx

ROWS_AT_ONCE: Final = 5000

PoolOf = Callable[[str], str | None]  # job name -> the pool that its decorator names, None where that says nothing


def store_workflow(
    tx: Tx,
    workflow: Workflow,
    *,
    source: str,
    format: Format,
    file: str | None,
    pool_of: PoolOf,
    tenant: str = DEFAULT_TENANT,
) -> int | None:
    """Make `workflow` the ACTIVE version of its key, with its nodes and its schedules.

    Source text that was stored last makes none, so a version that a command has activated stays until the text changes; nor
    does that of the active version. That of a draft activates the draft. The definition is put right: a file that was gone
    and is back enables its workflow again. Safe when several daemons store the same text at once, and when repeated.

    Args:
        source: the text that described it, kept as it is; its SHA-256 tells versions apart.
        format: of `source`.
        file: it came from; None for a workflow that a program defined.
        pool_of: asked for tasks that name no pool themselves.

    Returns: the number of the new version; None if the text is the same.

    Raises: InvalidWorkflow if it is too large to be stored, does not fit a task definition, or its tenant has no room for it.
    """
    definition = need_definition(tx, workflow, file, tenant)
    digest = digest_of(source)
    has_changed, is_active = definition.source_hash != digest, definition.hash == digest
    if not has_changed and not is_active:
        workflow = load_workflow(tx, definition.active_version)  # a command has made another version the active one
    about = about_workflow(workflow, file)
    if not has_changed and definition.error is None and all(getattr(definition, name) == about[name] for name in about):
        return None
    version = version_id = None
    if has_changed and not is_active:
        draft = tx.one("find_draft", definition_id=definition.id, hash=digest)
        if draft is not None:
            judge_version(tx, draft.id)
        origin = {"source": about["source"], "file": file}
        version_id, version = draft or add_version(
            tx, definition.id, workflow, source, format, pool_of, tenant=tenant, **origin
        )
        make_active(tx, definition, version_id, replaced=definition.version, **origin)
    put_in_effect(tx, definition, workflow, about | {"source_hash": digest, "error": None}, version_id)
    return version


def add_version(
    tx: Tx,
    definition_id: int,
    workflow: Workflow,
    text: str,
    format: Format,
    pool_of: PoolOf,
    *,
    tenant: str,
    **origin: str | None,
) -> tuple[int, int]:
    """Store a draft, with its nodes, which are made of the task definitions that they name; it must be locked.

    Args:
        text: that described it; `format` is its.
        origin: the columns `source` and `file`.

    Returns: its id, and its number.

    Raises: InvalidWorkflow if it is too large to be stored, or does not fit a task definition.
    """
    if names := {task.task for task in workflow.tasks if task.task}:
        definitions = lock_parts(tx, names, tenant)
        workflow = resolve(text, format, origin["file"] or workflow.key, definitions)
    version = tx.one("newest_version", definition_id=definition_id).version + 1
    made = insert_version(tx, definition_id, version, text, format, workflow, pool_of, origin)
    return made, version


def lock_parts(tx: Tx, names: Iterable[str], tenant: str) -> Definitions:
    """Keep these task definitions, and their types, as they are until the end of the transaction. Returns all that there are."""
    wanted = set(names)
    _lock(tx, wanted, tenant)
    parts = load_parts(tx, tenant)
    types = {str(parts[name].body["type"]) for name in wanted & parts.keys() if "type" in parts[name].body}
    _lock(tx, types, tenant)
    return load_parts(tx, tenant) if types else parts


def _lock(tx: Tx, names: Iterable[str], tenant: str) -> None:
    for name in sorted(names):
        tx.run("lock_task_definition", tenant=tenant, name=name)


def load_parts(tx: Tx, tenant: str) -> Definitions:
    """All task types and task definitions as they are."""
    return by_name(tx.run("load_task_definitions", tenant=tenant))


def insert_version(
    tx: Tx,
    definition_id: int,
    version: int,
    text: str,
    format: Format,
    workflow: Workflow | None,
    pool_of: PoolOf,
    origin: Mapping[str, str | None],
) -> int:
    """Store a draft under a number that is free. `workflow`: made of the text; None for one with faults, named in `origin`.

    Returns: its id. Raises: InvalidWorkflow if it is too large to be stored.
    """
    written: dict[str, Any] = {
        **dict.fromkeys(("created_by", "faults", "base_hash")),
        "document": "" if workflow is None else stored.write(workflow),
        "source_text": text,
        "format": format,
        "hash": digest_of(text),
        "saga": int(workflow is not None and workflow.saga is not None),
        **origin,
    }
    made = tx.one("insert_version", definition_id=definition_id, version=version, **written, now=tx.now)
    if workflow is not None:
        _insert_nodes(tx, made.id, workflow, pool_of)
    return int(made.id)


def need_definition(tx: Tx, workflow: Workflow, file: str | None, tenant: str) -> Any:
    """The row of `find_definition`, made if it is missing, locked until the end of the transaction."""
    key: dict[str, Any] = {"tenant": tenant, "workflow": workflow.key}
    if tx.one("find_definition", **key) is None:
        need_room(tx, tenant, workflow.key)
        tx.run("insert_definition", **key, **about_workflow(workflow, file), now=tx.now)
    return lock_definition(tx, **key)


def lock_definition(tx: Tx, *, tenant: str, workflow: str) -> Any:
    """The row of `find_definition`, locked until the end of the transaction."""
    tx.run("lock_definition", tenant=tenant, workflow=workflow)
    return tx.one("find_definition", tenant=tenant, workflow=workflow)  # after the lock: others may have been faster


def load_workflow(tx: Tx, version_id: int) -> Workflow:
    """A stored version. Raises: InvalidWorkflow if a newer release has stored it."""
    row = tx.one("load_version", id=version_id)
    return stored.read(row.document, f"a version of {row.workflow}")


def make_active(
    tx: Tx,
    definition: Any,
    version_id: int,
    *,
    replaced: int | None,
    by: str | None = None,
    note: str | None = None,
    source: str | None = None,
    file: str | None = None,
) -> None:
    """Archive the version that is active now, mark another as active, and end a canary.

    Args:
        definition: a row of `find_definition`, locked.
        replaced: the number of the version whose place it takes; None keeps what it replaced before.
        by: who asked for it, if a command did.
        note: why.
        source, file: of a draft whose text has come from there meanwhile.
    """
    tx.run("archive_version", definition_id=definition.id)
    why: dict[str, Any] = {"replaced": replaced, "activated_by": by, "note": note, "source": source, "file": file}
    tx.run("activate_version", id=version_id, **why, now=tx.now)
    if definition.canary_version is not None:
        tx.run("set_canary", id=definition.id, version_id=None, share=None, now=tx.now)


def put_in_effect(
    tx: Tx, definition: Any, workflow: Workflow, about: Mapping[str, Any], version_id: int | None
) -> None:
    """Let the definition and its schedules say what the active version does. `version_id` None: that of before."""
    tx.run("update_definition", id=definition.id, **about, active_version=version_id, now=tx.now)
    was, now = bool(definition.enabled), bool(about["enabled"])
    save_schedules(tx, definition.id, workflow.named_schedules, was_enabled=was, is_enabled=now)
    save_expectations(tx, definition.id, workflow)


def digest_of(source: str) -> str:
    """What tells versions apart: the SHA-256 of their text, as hex."""
    return hashlib.sha256(source.encode()).hexdigest()


def canonical(workflow: Workflow) -> str:
    """The source of a workflow that a program has made: the JSON file that describes it.

    Raises: InvalidWorkflow with every fault, for it may not come from a builder.
    """
    text = json.dumps(dump(workflow), ensure_ascii=False, separators=(",", ":"))
    parse(text, "json", f"{workflow.key}, written as JSON")
    return text


def pool_of_task(task: Task, workflow: Workflow, pool_of: PoolOf) -> str:
    """The pool that a task stands in: its own word, the workflow's defaults, the job's, the built-in one."""
    if task.workflow:
        return NO_POOL
    if task.only_waits:
        return WAIT_POOL
    return task.settings.pool or workflow.defaults.pool or pool_of(task.job) or str(BUILT_IN.pool)


def about_workflow(workflow: Workflow, file: str | None) -> dict[str, Any]:
    """What a definition says of its active version. `file`: that it came from; None for a program."""
    return {
        "title": workflow.title,
        "description": workflow.description,
        "domain": workflow.domain,
        "type": workflow.type,
        "tags": jsontext.dump(list(workflow.tags)),
        "enabled": int(workflow.enabled),
        "source": "sdk" if file is None else "file",
        "file": file,
    }


def _insert_nodes(tx: Tx, version_id: int, workflow: Workflow, pool_of: PoolOf) -> None:
    """Store what the views join: the nodes of a version by their ordinals, which of them waits for which, and what they name."""
    tasks = dag.order(workflow)
    rows = [
        (
            node,
            task.key,
            task.title,
            task.job,
            pool_of_task(task, workflow, pool_of),
            None if task.params is None else jsontext.dump(task.params),
            int(task.on_failure == "continue"),
            int(task.run_on == "terminate"),
            task.task or None,
        )
        for node, task in enumerate(tasks)
    ]
    ordinal = {task.key: node for node, task in enumerate(tasks)}
    edges = [(node, ordinal[edge.parent], int(edge.each)) for node, task in enumerate(tasks) for edge in task.after]
    needs = needs_of(tx, workflow)
    for statement, lines in (("insert_nodes", rows), ("insert_workflow_edges", edges), ("insert_needs", needs)):
        for start in range(0, len(lines), ROWS_AT_ONCE):
            tx.run(statement, rows=lines[start : start + ROWS_AT_ONCE], version_id=version_id)
