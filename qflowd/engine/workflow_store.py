"""Storing a workflow: a changed text becomes the next ACTIVE version, the former one is archived, instances keep theirs."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from qflowd.define import stored
from qflowd.define.documents import Format
from qflowd.define.workflow_file import parse
from qflowd.define.writing import dump
from qflowd.engine.schedules import save_schedule
from qflowd.model import dag, jsontext
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import BUILT_IN, Task, Workflow
from qflowd.store.tx import Tx

NODES_AT_ONCE: Final = 5000

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
    """Make `workflow` the ACTIVE version of its key, with its nodes and its schedule.

    Source text that is the active version's already makes none, but the definition is put right: a file that was gone and is
    back enables its workflow again. Safe when several daemons store the same text at once, and when repeated.

    Args:
        source: the text that described it, kept as it is; its SHA-256 tells versions apart.
        format: of `source`.
        file: it came from; None for a workflow that a program defined.
        pool_of: asked for tasks that name no pool themselves.

    Returns: the number of the new version; None if the text is the same.

    Raises: InvalidWorkflow if it is too large to be stored.
    """
    key: dict[str, Any] = {"tenant": tenant, "workflow": workflow.key}
    about, digest = _about(workflow, file), hashlib.sha256(source.encode()).hexdigest()
    if tx.one("find_definition", **key) is None:
        tx.run("insert_definition", **key, **about, now=tx.now)
    tx.run("lock_definition", **key)
    definition = tx.one("find_definition", **key)  # once more: another daemon may have been faster
    if (
        definition.hash == digest
        and definition.error is None
        and all(getattr(definition, name) == about[name] for name in about)
    ):
        return None
    version = version_id = None
    if definition.hash != digest:
        version = tx.one("newest_version", definition_id=definition.id).version + 1
        tx.run("archive_version", definition_id=definition.id)
        made = tx.one(
            "insert_version",
            definition_id=definition.id,
            version=version,
            document=stored.write(workflow),
            source_text=source,
            format=format,
            hash=digest,
            now=tx.now,
        )
        version_id = made.id
        _insert_nodes(tx, made.id, workflow, pool_of)
    save_schedule(
        tx, definition.id, workflow.schedule, was_enabled=bool(definition.enabled), is_enabled=workflow.enabled
    )
    tx.run("update_definition", id=definition.id, **about, active_version=version_id, now=tx.now)
    return version


def canonical(workflow: Workflow) -> str:
    """The source of a workflow that a program has made: the JSON file that describes it.

    Raises: InvalidWorkflow with every fault, for it may not come from a builder.
    """
    text = json.dumps(dump(workflow), ensure_ascii=False, separators=(",", ":"))
    parse(text, "json", f"{workflow.key}, written as JSON")
    return text


def pool_of_task(task: Task, workflow: Workflow, pool_of: PoolOf) -> str:
    """The pool that a task stands in: its own word, the workflow's defaults, the job's, the built-in one."""
    return task.settings.pool or workflow.defaults.pool or pool_of(task.job) or str(BUILT_IN.pool)


def _about(workflow: Workflow, file: str | None) -> dict[str, Any]:
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
    rows = [
        (
            node,
            task.key,
            task.title,
            task.job,
            pool_of_task(task, workflow, pool_of),
            None if task.params is None else jsontext.dump(task.params),
        )
        for node, task in enumerate(dag.order(workflow))
    ]
    for start in range(0, len(rows), NODES_AT_ONCE):
        tx.run("insert_nodes", rows=rows[start : start + NODES_AT_ONCE], version_id=version_id)
