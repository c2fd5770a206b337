"""Drafts: versions that are stored and checked, and that nothing runs unless it is told to."""

from typing import Any

from qflowd.define import documents, workflow_file
from qflowd.define.readers import one_of, text
from qflowd.engine.commands.control import Caches, CarriedOut, Command, NotPossible, read_args, verb
from qflowd.engine.definitions.versions import lock_workflow
from qflowd.engine.definitions.workflow_store import PoolOf, add_version, digest_of
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Workflow
from qflowd.store.tx import Tx

FORMATS = tuple(sorted(set(documents.SUFFIXES.values())))


@verb(
    "draft",
    needs=lock_workflow,
    args=None,
    not_possible="version {version} of workflow {workflow!r}, the active one, is written in the same way",
)
def draft(tx: Tx, command: Command, definition: Any, caches: Caches) -> CarriedOut:
    """Store what a workflow file would hold as the next version, in state DRAFT: to be compared, run once, given a share, activated.

    Raises: NotPossible if the active version has this text; Refused with every fault of it.
    """
    args = read_args(command, source=text, format=one_of(*FORMATS))
    workflow = _parsed(args["source"], args["format"], str(command.workflow))
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
    except InvalidWorkflow as problem:
        raise Refused(str(problem)) from None
    return CarriedOut({"workflow": command.workflow, "version": version})


def pool_of_caches(tx: Tx, caches: Caches) -> PoolOf:
    """Asks for the pool of a job in a transaction."""

    def pool_of(name: str) -> str | None:
        job = caches.jobs.get(tx, name)
        return None if job is None else job.settings.pool

    return pool_of


def _parsed(source: str, format: documents.Format, key: str) -> Workflow:
    try:
        workflow = workflow_file.parse(source, format, "draft")
    except InvalidWorkflow as problem:
        raise Refused(str(problem)) from None
    if workflow.key != key:
        raise Refused(f"the draft describes workflow {workflow.key!r}, not {key!r}")
    return workflow
