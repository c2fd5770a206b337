"""Versions of workflows, written: drafts are made, replaced and removed; one is activated, given a share, or archived."""

from typing import Annotated, Any, Literal

import msgspec

from qflowd.api.access.authorization import check_started, refuse_defining
from qflowd.api.answers import ApiAnswer, ApiFault, Item, Problem
from qflowd.api.call import Call
from qflowd.api.definitions.drafts import (
    LARGEST_DOCUMENT,
    DocumentBody,
    DraftItem,
    draft_answer,
    flat,
    key_to_write,
    lock_draft,
    lock_version,
    lock_workflow,
    put_text,
)
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.reading import Body, need_if_match
from qflowd.api.routing import route
from qflowd.engine.access.audit import record
from qflowd.engine.definitions.definition_verbs import DefinitionVerbs
from qflowd.engine.definitions.draft_store import (
    DraftText,
    StoredDraft,
    add_draft,
    archive_draft,
    drop_version,
    faults_of,
    find_text,
    new_workflow,
    read_document,
)
from qflowd.model.errors import InvalidWorkflow, NotFound
from qflowd.model.roles import Role
from qflowd.model.states import VersionState
from qflowd.store.tx import Tx

VERSIONS = "/workflows/{id}/versions"
VERSION = f"{VERSIONS}/{{version}}"


class NewVersion(DocumentBody):
    """A draft: a document, its text, or a copy of a version (`copy_of`: its number, or `active`).

    `new`: the workflow itself is new, and has nothing but this draft.
    """

    copy_of: int | str | None = None
    new: bool = False


class ChangedVersion(DocumentBody):
    """Another document or text of a draft; or another state, and the `reason` of it."""

    state: Literal["ACTIVE", "ARCHIVED"] | None = None
    reason: str | None = None


class Activation(Body):
    """`weight`: percent of new instances that run it; below 100 it is a canary, beside the active version."""

    weight: Annotated[float, msgspec.Meta(gt=0, le=100)] = 100
    reason: str | None = None


class VersionOutcome(Item):
    """What has become of a version. `share`: of new instances that run it; `replaced`: the version whose place it took."""

    workflow: str
    version: int
    state: str
    share: float
    replaced: int | None


class GoneVersion(Item):
    """A draft that was removed."""

    workflow: str
    version: int


@route("POST", VERSIONS, Role.DEFINE, errors=(40302, 40902, 42203, 42902), largest_body=LARGEST_DOCUMENT)
def create_version(call: Call, id: str, body: NewVersion) -> ApiAnswer | DraftItem:
    """Store a draft: the next version of a workflow, with its faults if it has some."""
    key = id if body.new else key_to_write(call, id)
    refuse_defining(call, key)

    def work(tx: Tx) -> ApiAnswer:
        by = call.caller.principal
        draft = _copied(tx, call, key, body) if body.copy_of is not None else body.draft(key, by=by)
        definition = new_workflow(tx, draft, call.tenant) if body.new else lock_workflow(tx, call, key)
        pool_of = DefinitionVerbs(call.store).pool_of(tx)
        stored = add_draft(tx, definition.id, draft._replace(base_hash=definition.hash), pool_of, tenant=call.tenant)
        check_started(tx, call, key, stored.version)
        data = read_document(draft.text, draft.format, key).data
        record(tx, call.actor, "CREATE", "version", f"{key}:{stored.version}", after=flat(data))
        return draft_answer(key, stored, data, status=201)

    return answer_once(call, work)


@route("PUT", VERSION, Role.DEFINE, errors=(40302, 40901, 40904, 41201, 42203, 42801), largest_body=LARGEST_DOCUMENT)
def update_version(call: Call, id: str, version: str, body: ChangedVersion) -> ApiAnswer | DraftItem | VersionOutcome:
    """Replace the document of a draft; or activate a version, or archive it, by its `state`."""
    key = key_to_write(call, id)
    if body.state is not None:
        if body.document is not None or body.text is not None:
            raise ApiFault(
                42202, "state: give either a state or a document", [Problem("state", "is beside a document")]
            )
        is_active = body.state == "ACTIVE"
        return (
            _activate(call, key, version, Activation(reason=body.reason), is_matched=True)
            if is_active
            else _archive(call, key, version, body.reason, is_matched=True)
        )

    def work(tx: Tx) -> tuple[StoredDraft, dict[str, Any]]:
        locked = lock_draft(tx, call, key, version)
        draft = body.draft(key, by=call.caller.principal)
        before = read_document(locked.row.source_text, locked.row.format, key).data
        after = read_document(draft.text, draft.format, key).data
        return put_text(tx, call, locked, draft, before, after), after

    stored, data = call.change(work)
    return draft_answer(key, stored, data)


@route("DELETE", VERSION, Role.DEFINE, errors=(40302, 40904, 41201, 42801))
def delete_version(call: Call, id: str, version: str) -> GoneVersion:
    """Remove a draft that nothing has run."""
    key = key_to_write(call, id)

    def work(tx: Tx) -> int:
        locked = lock_draft(tx, call, key, version)
        before = read_document(locked.row.source_text, locked.row.format, key).data
        drop_version(tx, locked.row.id)
        record(tx, call.actor, "DELETE", "version", f"{key}:{locked.row.version}", before=flat(before))
        return int(locked.row.version)

    return GoneVersion(workflow=key, version=call.change(work))


@route("POST", f"{VERSION}/activate", Role.DEFINE, errors=(40302, 40901), does="command activate, canary")
def activate_version(call: Call, id: str, version: str, body: Activation) -> ApiAnswer | VersionOutcome:
    """Let new instances run a version, all or a share of them; an older version: roll back."""
    return _activate(call, key_to_write(call, id), version, body, is_matched=False)


@route("POST", f"{VERSION}/archive", Role.DEFINE, errors=(40302, 40901))
def archive_version(call: Call, id: str, version: str, body: ReasonBody) -> ApiAnswer | VersionOutcome:
    """Archive a draft: it stays readable and can be activated, but is edited no more."""
    return _archive(call, key_to_write(call, id), version, body.reason, is_matched=False)


def _copied(tx: Tx, call: Call, key: str, body: NewVersion) -> DraftText:
    """The text of another version of the workflow."""
    if body.new or body.document is not None or body.text is not None:
        raise ApiFault(42202, "copy_of: leave out the document, the text and new", [Problem("copy_of", "is not alone")])
    row = find_text(tx, lock_workflow(tx, call, key), str(body.copy_of))
    if row is None:
        raise NotFound(f"workflow {key!r} has no version {body.copy_of} to copy")
    return DraftText(key, row.source_text, row.format, call.caller.principal)


def _activate(call: Call, key: str, version: str, wanted: Activation, *, is_matched: bool) -> ApiAnswer:
    def work(tx: Tx) -> ApiAnswer:
        locked = lock_version(tx, call, key, version)
        if is_matched:
            need_if_match(call, locked.row.hash)
        if faults := faults_of(locked.row):
            raise InvalidWorkflow(faults)
        check_started(tx, call, key, locked.row.version)
        is_canary, number = wanted.weight < 100, locked.row.version
        args = {"version": number} | ({"share": wanted.weight / 100} if is_canary else {})
        action = "canary" if is_canary else "activate"
        result = do_verb(tx, call, action, wanted.reason, workflow=key, args=args)
        before, after = {"version": locked.definition.version}, {"version": number, "weight": wanted.weight}
        record(tx, call.actor, "ACTIVATE", "version", f"{key}:{number}", before=before, after=after)
        state = VersionState(locked.row.state).name if is_canary else VersionState.ACTIVE.name
        share = wanted.weight / 100
        replaced = result.get("replaced")
        return ApiAnswer(VersionOutcome(workflow=key, version=number, state=state, share=share, replaced=replaced))

    return answer_once(call, work)


def _archive(call: Call, key: str, version: str, reason: str | None, *, is_matched: bool) -> ApiAnswer:
    def work(tx: Tx) -> ApiAnswer:
        locked = lock_version(tx, call, key, version)
        if is_matched:
            need_if_match(call, locked.row.hash)
        archive_draft(tx, locked.definition, locked.row, key, reason)
        before, after = {"state": VersionState(locked.row.state).name}, {"state": VersionState.ARCHIVED.name}
        record(tx, call.actor, "ARCHIVE", "version", f"{key}:{locked.row.version}", before=before, after=after)
        about: dict[str, Any] = {"version": locked.row.version, "share": 0.0, "replaced": None}
        return ApiAnswer(VersionOutcome(workflow=key, state=VersionState.ARCHIVED.name, **about))

    return answer_once(call, work)
