"""Drafts: versions that are stored and checked, and that nothing runs unless it is told to."""

from typing import Any

from qflowd.define import documents, workflow_file
from qflowd.define.readers import one_of, short_text, text
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    refuse_faults,
    verb,
)
from qflowd.engine.definitions.versions import lock_workflow
from qflowd.engine.definitions.workflow_store import PoolOf, add_version, digest_of
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Workflow
from qflowd.store.tx import Tx

FORMATS = tuple(sorted(set(documents.SUFFIXES.values())))


@verb(
    "draft",
    needs=lock_workflow,
    args=None,
    not_possible="version {version} of workflow {workflow!r}, the active one, is written in the same way",
)
def draft(tx: Tx, command: Command, definition: Any, caches: Caches) -> Reply:
    """Store what a workflow file would hold as the next version, in state DRAFT: to be compared, run once, given a share, activated.

    Raises: NotPossible if the active version has this text; Refused with every fault of it.
    """
    args = read_document_args(command, "draft")
    workflow = _parsed(args, str(command.workflow))
    pool_of = pool_of_caches(tx, caches)
    origin = {"source": "command", "file": None}
    digest = digest_of(args["source"])
    if definition.hash == digest:
        raise NotPossible(version=definition.version, workflow=command.workflow)
    there = tx.one("find_draft", definition_id=definition.id, hash=digest)
    try:
        _, version = there or add_version(
            tx, definition.id, workflow, args["source"], args["format"], pool_of, tenant=command.tenant, **origin
        )
    except InvalidWorkflow as error:
        raise Refused(str(error), Refusal.FAULTY) from None
    return Reply({"workflow": command.workflow, "version": version})


def pool_of_caches(tx: Tx, caches: Caches) -> PoolOf:
    """Asks for the pool of a job in a transaction."""

    def pool_of(name: str) -> str | None:
        job = caches.jobs.get(tx, name)
        return None if job is None else job.settings.pool

    return pool_of


def read_document_args(command: Command, default_file: str) -> dict[str, Any]:
    """`source` and `format` of a document that `args` hold, and the `file` that its faults name.

    Raises: Refused.
    """
    fields = fields_of_args(command)
    args = {
        "source": fields.need("source", text, ""),
        "format": fields.need("format", one_of(*FORMATS), "json"),
        "file": fields.take("file", short_text(1000), default_file),
    }
    fields.close()
    refuse_faults(fields)
    return args


def _parsed(args: dict[str, Any], key: str) -> Workflow:
    try:
        workflow = workflow_file.parse(args["source"], args["format"], args["file"])
    except InvalidWorkflow as error:
        raise Refused(str(error), Refusal.FAULTY) from None
    if workflow.key != key:
        raise Refused(f"the draft describes workflow {workflow.key!r}, not {key!r}", Refusal.FAULTY)
    return workflow
