"""Commands on task types and task definitions. A change makes a new version of every workflow that is made of it."""

from typing import Any

from qflowd.define.task_definitions import read_definition
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, refuse_other_targets, verb
from qflowd.engine.definitions.definition_store import Source, fault_of, store_definitions
from qflowd.engine.definitions.drafts import pool_of_caches, read_document_args
from qflowd.engine.refusal import Refused, no_such, why_no_such_job
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx


def described(_: Tx, command: Command) -> Source:
    """The document in `args`. Raises: Refused with every fault."""
    refuse_other_targets(command)
    args = read_document_args(command, "definition")
    try:
        definition = read_definition(args["source"], args["format"], args["file"])._replace(file=args["file"])
    except InvalidWorkflow as error:
        raise Refused(str(error), Refusal.FAULTY) from None
    return Source(definition, args["source"], args["format"])


def existing(tx: Tx, command: Command) -> Any:
    """The type or definition that `task` names: a row of `find_task_definition`, locked. Raises: Refused."""
    if not command.task:
        raise Refused(f"{command.action} needs a task: the name of a task type or task definition", Refusal.FAULTY)
    refuse_other_targets(command, "task")
    key: dict[str, Any] = {"tenant": command.tenant, "name": command.task}
    tx.run("lock_task_definition", **key)
    row = tx.one("find_task_definition", **key)
    if row is None:
        names = [each.name for each in tx.run("list_task_definition_names", tenant=command.tenant)]
        raise no_such("task type or definition", command.task, names, "definitions")
    return row


@verb("define_task", needs=described, args=None)
def define_task(tx: Tx, command: Command, wanted: Source, caches: Caches) -> Reply:
    """Store a task type or definition, new or changed; workflows made of it get a new version, which is active.

    Raises: Refused if its name belongs to one of the other kind, it names an unknown job or type, or a workflow does not fit
    it any more: then nothing is changed.
    """
    kind, name, body, *_ = wanted.definition
    job, by, pool_of = body.get("job"), command.requested_by or "command", pool_of_caches(tx, caches)
    try:
        if job is not None and caches.jobs.get(tx, job) is None:
            raise fault_of(wanted, "job", why_no_such_job(tx, str(job), "`qflowd jobs` lists those there are"))
        about: dict[str, Any] = {"tenant": command.tenant, "by": by, "note": command.reason}
        workflows = store_definitions(tx, [wanted], pool_of=pool_of, **about)
    except InvalidWorkflow as error:
        raise Refused(str(error), Refusal.FAULTY) from None
    return Reply({"task": name, "kind": kind, "workflows": workflows}, ("schedule",))


@verb("archive_task", needs=existing, takes_task=True, not_possible="task {kind} {name!r} is already archived")
def archive_task(tx: Tx, command: Command, row: Any, _: Caches) -> Reply:
    """Let no new version be made of it; versions that are made of it stay what they are. `workflows`: those that use it.

    Raises: NotPossible if that was done before.
    """
    if row.archived_at is not None:
        raise NotPossible(kind=row.kind, name=row.name)
    key: dict[str, Any] = {"tenant": command.tenant, "name": row.name}
    users = tx.run("list_users_of_task_definition", **key)
    tx.run("archive_task_definition", **key, archived_at=tx.now, note=command.reason, now=tx.now)
    return Reply({"task": row.name, "kind": row.kind, "workflows": [user.workflow for user in users]})


@verb("unarchive_task", needs=existing, takes_task=True, not_possible="task {kind} {name!r} is not archived")
def unarchive_task(tx: Tx, command: Command, row: Any, _: Caches) -> Reply:
    """Let versions be made of it again, as it is stored. Workflow files that wait for it are stored a moment later.

    Raises: NotPossible if it is not archived.
    """
    if row.archived_at is None:
        raise NotPossible(kind=row.kind, name=row.name)
    key: dict[str, Any] = {"tenant": command.tenant, "name": row.name}
    tx.run("archive_task_definition", **key, archived_at=None, note=command.reason, now=tx.now)
    return Reply({"task": row.name, "kind": row.kind})
