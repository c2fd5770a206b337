"""What people change of a workflow as a whole: its head, whether it is enabled, and whether it is there at all."""

import json
from collections.abc import Mapping
from typing import Any

from qflowd.define import documents
from qflowd.engine.definitions.draft_store import DraftText, StoredDraft, add_draft, drop_version
from qflowd.engine.definitions.stored_schedules import reset_next_fire
from qflowd.engine.definitions.workflow_store import PoolOf, digest_of
from qflowd.model import jsontext
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

HEAD = ("title", "description", "domain", "type", "tags")


def head_of(definition: Any) -> dict[str, Json]:
    """What a workflow is called and how it is sorted. `definition`: a row of `find_definition`, or of the view `workflows`."""
    tags = json.loads(definition.tags) if isinstance(definition.tags, str) else list(definition.tags)
    texts = {name: getattr(definition, name) for name in HEAD if name != "tags"}
    return {**texts, "tags": tags, "enabled": bool(definition.enabled)}


def head_etag(definition: Any) -> str:
    """What tells states of a workflow apart; a row as for `head_of`."""
    state = {**head_of(definition), "version": definition.version, "archived": definition.archived_at is not None}
    return digest_of(jsontext.dump(state))[:32]


def is_of_file(definition: Any) -> bool:
    """Whether a file defines it, and is there. `definition`: a row of `find_definition`."""
    return definition.source == "file" and (bool(definition.enabled) or definition.error is None)


def set_enabled(tx: Tx, definition: Any, *, is_enabled: bool) -> None:
    """Let a workflow take submissions and fire, or not, until its file changes or another version is activated.

    Instants that passed meanwhile are not caught up.
    """
    tx.run("set_enabled", id=definition.id, enabled=int(is_enabled), now=tx.now)
    if is_enabled and not definition.enabled:
        reset_next_fire(tx, definition.id, tx.now)


def draft_with_head(
    tx: Tx, definition: Any, head: Mapping[str, Json], draft: DraftText, pool_of: PoolOf, *, tenant: str
) -> StoredDraft:
    """Store a draft that differs in its head from `draft`, the text of the active version.

    Raises: InvalidWorkflow if the head has faults.
    """
    data = documents.read(draft.text, draft.format, "", InvalidWorkflow).data
    data = {key: value for key, value in data.items() if key not in head}
    kept = {key: value for key, value in head.items() if value not in (None, "", [])}
    first = {"workflow": data.pop("workflow"), **kept}
    made = DraftText.of(draft.key, first | data, by=draft.by, base_hash=definition.hash)
    stored = add_draft(tx, definition.id, made, pool_of, tenant=tenant)
    if stored.faults:
        raise InvalidWorkflow(stored.faults)
    return stored


def remove_workflow(tx: Tx, definition: Any) -> bool:
    """Remove a workflow with all of its versions, unless an instance has run one. It must be locked.

    Returns: whether that was done.
    """
    if tx.one("find_any_instance", definition_id=definition.id).id is not None:
        return False
    for row in tx.run("list_version_ids", definition_id=definition.id):
        drop_version(tx, row.id)
    tx.run("delete_definition", id=definition.id)
    more = ("delete_expectations", "delete_late_dates")
    for statement in ("delete_schedules", "delete_fires", "delete_paused_tasks", *more):
        tx.run(statement, definition_id=definition.id)
    return True
