"""Commands on task types and task definitions. A change makes a new version of every workflow that is made of it."""

from typing import Any, NamedTuple

from qflowd.define.readers import one_of, text
from qflowd.define.task_definitions import TaskDefinition, read_definition
from qflowd.define.workflow_file import parse
from qflowd.engine.commands.control import Caches, CarriedOut, Command, NotPossible, read_args, verb
from qflowd.engine.definitions.drafts import FORMATS, pool_of_caches
from qflowd.engine.definitions.versions import put_active
from qflowd.engine.definitions.workflow_store import add_version, digest_of, lock_definition
from qflowd.engine.request import Refused
from qflowd.model import jsontext
from qflowd.model.errors import InvalidWorkflow
from qflowd.store.tx import Tx


class Described(NamedTuple):
    """What a command wants to be stored."""

    definition: TaskDefinition
    source: str
    format: Any


def described(_: Tx, command: Command) -> Described:
    """The document in `args`. Raises: Refused with every fault."""
    args = read_args(command, source=text, format=one_of(*FORMATS))
    try:
        definition = read_definition(args["source"], args["format"], "definition")
    except InvalidWorkflow as problem:
        raise Refused(str(problem)) from None
    return Described(definition, args["source"], args["format"])


def existing(tx: Tx, command: Command) -> Any:
    """The type or definition that `task` names: a row of `find_task_definition`, locked. Raises: Refused."""
    if not command.task:
        raise Refused(f"{command.action} needs a task: the name of a task type or task definition")
    key: dict[str, Any] = {"tenant": command.tenant, "name": command.task}
    tx.run("lock_task_definition", **key)
    row = tx.one("find_task_definition", **key)
    if row is None:
        raise Refused(
            f"there is no task type or definition {command.task!r}; `qflowd definitions` lists those there are"
        )
    return row


@verb("define_task", needs=described, not_possible="{kind} {name!r} exists; a task definition needs another name")
def define_task(tx: Tx, command: Command, wanted: Described, caches: Caches) -> CarriedOut:
    """Store a task type or definition, new or changed; workflows made of it get a new version, which is active.

    Raises: NotPossible if its name belongs to one of the other kind; Refused if it names an unknown job or type, or a
    workflow does not fit it any more: then nothing is changed.
    """
    kind, name, body, _ = wanted.definition
    there = tx.one("find_task_definition", tenant=command.tenant, name=name)
    if there is not None and there.kind != kind:
        raise NotPossible(kind=f"a task {there.kind}", name=name)
    _check_names(tx, command, body, caches)
    answer: dict[str, Any] = {"task": name, "kind": kind, "workflows": {}}
    if there is not None and there.hash == digest_of(wanted.source) and there.archived_at is None:
        return CarriedOut(answer)
    tx.run(
        "save_task_definition",
        tenant=command.tenant,
        name=name,
        kind=kind,
        job=body.get("job"),
        type=body.get("type"),
        document=jsontext.dump(dict(body)),
        source_text=wanted.source,
        format=wanted.format,
        hash=digest_of(wanted.source),
        note=command.reason,
        updated_by=command.requested_by or "command",
        now=tx.now,
    )
    for user in tx.run("list_users_of_definition", tenant=command.tenant, name=name):
        answer["workflows"][user.workflow] = _renew(tx, command, user, f"task {kind} {name} has changed", caches)
    return CarriedOut(answer, ("schedule",))


def _check_names(tx: Tx, command: Command, body: Any, caches: Caches) -> None:
    if (job := body.get("job")) is not None and caches.jobs.get(tx, job) is None:
        raise Refused(f"job: no daemon has ever registered a job {job!r}; `qflowd jobs` lists those there are")
    if (type_ := body.get("type")) is not None:
        row = tx.one("find_task_definition", tenant=command.tenant, name=type_)
        if row is None or row.kind != "type" or row.archived_at is not None:
            why = "is archived" if row is not None and row.kind == "type" else "does not exist"
            raise Refused(f"type: task type {type_!r} {why}; `qflowd definitions` lists those there are")


def _renew(tx: Tx, command: Command, user: Any, note: str, caches: Caches) -> int:
    """Make the workflow's active version anew; its number."""
    definition = lock_definition(tx, tenant=command.tenant, workflow=user.workflow)
    origin = {"source": "command", "file": definition.file}
    pool_of = pool_of_caches(tx, caches)
    try:
        workflow = parse(user.source_text, user.format, user.workflow)
        version_id, version = add_version(
            tx, definition.id, workflow, user.source_text, user.format, pool_of, tenant=command.tenant, **origin
        )
    except InvalidWorkflow as problem:
        raise Refused(f"workflow {user.workflow!r} does not fit it: {problem}") from None
    put_active(tx, definition, version_id, replaced=definition.version, by=command.requested_by or "command", note=note)
    return version


@verb("archive_task", needs=existing, not_possible="task {kind} {name!r} is archived already")
def archive_task(tx: Tx, command: Command, row: Any, _: Caches) -> CarriedOut:
    """Let no new version be made of it. Versions that are made of it stay what they are; `define_task` brings it back.

    Raises: NotPossible if that was done before.
    """
    if row.archived_at is not None:
        raise NotPossible(kind=row.kind, name=row.name)
    key: dict[str, Any] = {"tenant": command.tenant, "name": row.name}
    users = tx.run("list_users_of_definition", **key)
    tx.run("archive_task_definition", **key, archived_at=tx.now, note=command.reason, now=tx.now)
    return CarriedOut({"task": row.name, "kind": row.kind, "workflows": [user.workflow for user in users]})
