"""A workflow is stored and run by one request, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from qflowd.api.access.authorization import check_started, one_workflow, refuse_defining
from qflowd.api.access.hidden import file_named
from qflowd.api.answers import ApiAnswer, ApiFault, Item, Wait
from qflowd.api.call import Call
from qflowd.api.definitions.drafts import LARGEST_DOCUMENT
from qflowd.api.definitions.verbs import do_verb
from qflowd.api.inbox.idempotency import key_of, write_once
from qflowd.api.inbox.inboxes import insert_submission, submission_row
from qflowd.api.inbox.outcomes import REJECTIONS, SubmissionAnswer, location, submitted
from qflowd.api.reading import Body
from qflowd.api.resources.submissions import Params
from qflowd.api.routing import route
from qflowd.define import workflow_file
from qflowd.define.documents import Format
from qflowd.engine.access.audit import record
from qflowd.engine.definitions.definition_verbs import DefinitionVerbs
from qflowd.engine.definitions.workflow_store import digest_of, lock_definition, store_workflow
from qflowd.model.roles import Role
from qflowd.model.workflow import Json, Workflow
from qflowd.store.tx import Tx

WHERE = "definition"  # where the faults of a document are


class PublishBody(Body):
    """`definition`: what a workflow file would hold, as an object or as text in `format`; or `workflow`, one that is there.

    With `submit` false it is only stored.
    """

    definition: dict[str, Any] | str | None = None
    format: Format = "yaml"
    workflow: str | None = None
    params: Params | None = None
    business_date: str | None = None
    name: str | None = None
    overrides: Params | None = None
    submit: bool = True


class Published(Item):
    """A workflow, the version that was stored or that runs, and its instance; null is what is not known yet."""

    workflow: str
    version: int | None
    submission_id: int | None
    instance_id: int | None
    state: str | None
    error: str | None = None
    error_code: int | None = None
    warnings: Sequence[str] = ()


class SentWorkflow(NamedTuple):
    """A workflow as a request describes it."""

    workflow: Workflow
    text: str
    format: Format


@route("POST", "/workflows", Role.SUBMIT, errors=(*REJECTIONS, 40401, 40906, 42203), largest_body=LARGEST_DOCUMENT)
def publish_workflow(call: Call, body: PublishBody) -> Wait | ApiAnswer | Published:
    """Store a workflow, live at once if it is new or changed, and run it: both are done, or neither."""
    if (body.definition is None) == (body.workflow is None):
        raise ApiFault(42202, "give either a definition or the key of a workflow that is there")
    source = None
    if body.definition is not None:
        call.refuse_below(Role.DEFINE, "storing a workflow")
        source = _read(call, body)
        key = source.workflow.key
    else:
        key = one_workflow(call, str(body.workflow)).workflow
    row = submission_row(
        call,
        workflow=key,
        params=body.params,
        business_date=body.business_date,
        name=body.name,
        overrides=body.overrides,
        idempotency_key=key_of(call),
    )

    def write(tx: Tx) -> dict[str, Json]:
        version = None if source is None else _put_version(tx, call, source)
        if version is not None:
            check_started(tx, call, key, version)
        number = insert_submission(tx, call, row | {"version": version}) if body.submit else None
        return {"version": version, "submission": number}

    done = write_once(call, write)
    return _answer(call, row, done["version"], done["submission"])


def _answer(call: Call, row: Mapping[str, Any], version: Any, number: Any) -> Wait | ApiAnswer:
    key = row["workflow"]
    if number is None:
        item = Published(workflow=key, version=version, submission_id=None, instance_id=None, state=None)
        return ApiAnswer(item, status=201, headers=location(call, f"workflows/{key.replace('/', '%2F')}"))

    def shape(found: SubmissionAnswer) -> Published:
        return Published(workflow=key, version=version, **msgspec.structs.asdict(found))

    def say(found: SubmissionAnswer) -> ApiAnswer:
        instance = call.one("show_instance", id=found.instance_id)
        item = shape(found)
        if instance is not None:
            item.version = instance.version
        return ApiAnswer(item, status=201, headers=location(call, f"instances/{found.instance_id}"))

    return submitted(call, int(number), row, say, shape)


def _read(call: Call, body: PublishBody) -> SentWorkflow:
    """The workflow that a request describes.

    Raises: InvalidWorkflow with every fault; ApiFault 40302.
    """
    is_text = isinstance(body.definition, str)
    text = body.definition if isinstance(body.definition, str) else json.dumps(body.definition, ensure_ascii=False)
    format: Format = body.format if is_text else "json"
    workflow = workflow_file.parse(text, format, WHERE)
    refuse_defining(call, workflow.key)
    return SentWorkflow(workflow, text, format)


def _put_version(tx: Tx, call: Call, source: SentWorkflow) -> int:
    """Make what was sent the active version of its workflow; returns the version that was made of it.

    Raises: ApiFault 40906 if a file describes the workflow otherwise; InvalidWorkflow; OverQuota.
    """
    key = source.workflow.key
    before = lock_definition(tx, tenant=call.tenant, workflow=key)
    digest = digest_of(source.text)
    if before is not None and before.file is not None and before.hash != digest:
        file = file_named(call, before.file)
        raise ApiFault(40906, f"workflow {key!r} comes from {file}; change it there, or copy it to another key")
    made = store_workflow(
        tx,
        source.workflow,
        source=source.text,
        format=source.format,
        file=None if before is None else before.file,
        pool_of=DefinitionVerbs(call.store).pool_of(tx),
        tenant=call.tenant,
    )
    now = tx.one("find_definition", tenant=call.tenant, workflow=key)
    if made is None:
        there = int(tx.one("find_version_of_text", definition_id=now.id, hash=digest).version)
        if now.hash == digest:
            return there
        # The last text stored is the same, but another version has been activated since.
        do_verb(tx, call, "activate", workflow=key, args={"version": there})
        record(tx, call.actor, "ACTIVATE", "workflow", key, before={"version": now.version}, after={"version": there})
        return there
    was = None if before is None else {"version": before.version}
    record(tx, call.actor, "CREATE" if was is None else "UPDATE", "workflow", key, before=was, after={"version": made})
    return made
