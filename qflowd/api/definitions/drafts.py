"""What writes of drafts share: the draft that a path names, locked and compared with If-Match, and the answer with its graph."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from qflowd.api.access.authorization import check_started, refuse_defining
from qflowd.api.answers import ApiAnswer, ApiFault, Item, Problem
from qflowd.api.call import Call
from qflowd.api.drawing.boxes import Graph, draw
from qflowd.api.drawing.versions import VersionGraph
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.named import workflow_of
from qflowd.api.reading import Body, need_if_match
from qflowd.api.row_fields import fields_of
from qflowd.define.documents import Format
from qflowd.define.edits import tasks_of
from qflowd.define.sketch import sketch
from qflowd.engine.access.audit import record
from qflowd.engine.definitions.definition_verbs import DefinitionVerbs
from qflowd.engine.definitions.draft_store import (
    DraftText,
    StoredDraft,
    faults_of,
    find_text,
    read_document,
    refuse_edit,
    replace_draft,
)
from qflowd.engine.definitions.workflow_store import PoolOf, lock_definition
from qflowd.model.errors import Fault, NotFound
from qflowd.model.states import VersionState
from qflowd.store.tx import Tx

LARGEST_DOCUMENT: Final = 4_000_000  # bytes of a body that carries one
Data = dict[str, Any]


class DraftItem(Item):
    """A draft as a write has left it. `hash` is its ETag; with `faults` it is stored, and cannot be run or activated."""

    workflow: str
    version: int
    hash: str
    faults: Sequence[Problem]
    graph: Graph
    document: Data


class DraftNow(Item):
    """A draft as it is, for whoever wanted to change an older one. `document`: what its text says."""

    workflow: str
    version: int
    state: str
    hash: str
    format: str
    text: str | None
    faults: Sequence[Problem]
    document: Data


class DocumentBody(Body):
    """A workflow as its file would hold it: as `document`, or as `text` in `format`."""

    document: Mapping[str, Any] | None = None
    text: str | None = None
    format: Format = "yaml"

    def draft(self, key: str, **about: Any) -> DraftText:
        """What it says. Raises: ApiFault 42202 for neither or both."""
        if (self.document is None) == (self.text is None):
            raise ApiFault(
                42202, "give a document or its text, one of the two", [Problem(where="document", message="is missing")]
            )
        if self.document is not None:
            return DraftText.of(key, dict(self.document), **about)
        return DraftText(key, str(self.text), self.format, **about)


class LockedVersion(NamedTuple):
    """A workflow and a version of it, in a transaction that may change them."""

    key: str
    definition: Any  # a row of `find_definition`, locked
    row: Any  # of `find_version_text`
    pool_of: PoolOf


def key_to_write(call: Call, id: str) -> str:
    """The key of the workflow that a path names, which the caller may write. Raises: NotFound; ApiFault 40302."""
    key: str = workflow_of(call, id).workflow
    refuse_defining(call, key)
    return key


def lock_workflow(tx: Tx, call: Call, key: str) -> Any:
    """A workflow, locked: a row of `find_definition`. Raises: NotFound if it was removed meanwhile."""
    definition = lock_definition(tx, tenant=call.tenant, workflow=key)
    if definition is None:
        raise NotFound(f"workflow {key!r} was removed meanwhile")
    return definition


def lock_version(tx: Tx, call: Call, key: str, version: str) -> LockedVersion:
    """A version of a workflow by its number, or `active` or `draft`; both are locked. Raises: NotFound."""
    definition = lock_workflow(tx, call, key)
    row = find_text(tx, definition, version)
    if row is None:
        raise NotFound(f"workflow {key!r} has no version {version}; GET …/versions lists what it has")
    return LockedVersion(key, definition, row, DefinitionVerbs(call.store).pool_of(tx))


def lock_draft(tx: Tx, call: Call, key: str, version: str) -> LockedVersion:
    """As `lock_version`, of a draft that is as the caller knows it.

    Raises: NotFound; Refused 40904 if it is not a draft any more; ApiFault 42801, 41201.
    """
    locked = lock_version(tx, call, key, version)
    refuse_edit(locked.definition, locked.row, key)
    need_if_match(call, locked.row.hash, partial(current_of, locked))
    return locked


def current_of(locked: LockedVersion) -> DraftNow:
    """A version as it is now."""
    row = locked.row
    about: Data = {"workflow": locked.key, "state": VersionState(row.state).name, "text": row.source_text}
    about["document"] = read_document(row.source_text, row.format, locked.key).data
    return DraftNow(**fields_of(row, DraftNow) | about | {"faults": problems_of(faults_of(row))})


def edit_draft(call: Call, id: str, version: str, change: Callable[[Data], Data], status: int = 200) -> ApiAnswer:
    """Change the document of a draft.

    Raises: as `lock_draft`; whatever `change` raises.
    """
    key = key_to_write(call, id)

    def work(tx: Tx) -> ApiAnswer:
        locked = lock_draft(tx, call, key, version)
        before = read_document(locked.row.source_text, locked.row.format, key).data
        after = change(before)
        draft = DraftText.of(key, after, by=call.caller.principal)
        return draft_answer(key, put_text(tx, call, locked, draft, before, after), after, status)

    return answer_once(call, work)


def put_text(tx: Tx, call: Call, locked: LockedVersion, draft: DraftText, before: Data, after: Data) -> StoredDraft:
    """Store another text as a locked draft, with its audit. `before`, `after`: both documents."""
    stored = replace_draft(tx, locked.definition.id, locked.row, draft, locked.pool_of, tenant=call.tenant)
    check_started(tx, call, draft.key, stored.version)
    object_ = f"{draft.key}:{stored.version}"
    record(tx, call.actor, "UPDATE", "version", object_, before=flat(before), after=flat(after))
    return stored


def draft_answer(key: str, stored: StoredDraft, data: Data, status: int = 200) -> ApiAnswer:
    """A draft as it is stored now, with its graph as far as it can be told."""
    graph = draw(VersionGraph(sketch(data), 0), is_folded=True)
    about: Data = {"workflow": key, "version": stored.version, "hash": stored.hash}
    item = DraftItem(**about, faults=problems_of(stored.faults), graph=graph, document=data)
    return ApiAnswer(item, status=status, etag=stored.hash)


def problems_of(faults: Sequence[Fault]) -> list[Problem]:
    """Faults as answers hold them."""
    return [Problem(where=fault.key, message=fault.message) for fault in faults]


def flat(data: Data) -> Data:
    """A document with each task beside its other keys, so that what differs is told task by task."""
    rest = {key: value for key, value in data.items() if key != "tasks"}
    return rest | {f"tasks.{key}": body for key, body in tasks_of(data).items()}
