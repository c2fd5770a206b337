"""Commands on the versions of a workflow: which of them runs. A change of the workflow's file comes after them and wins."""

import json
from typing import Any, NamedTuple

from qflowd.define.readers import whole
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_workflow, read_args, verb
from qflowd.engine.definitions.needs import judge_version
from qflowd.engine.definitions.workflow_store import (
    about_workflow,
    load_workflow,
    make_active,
    put_in_effect,
)
from qflowd.engine.refusal import Refused, listed
from qflowd.model.errors import Fault
from qflowd.model.refusals import Refusal
from qflowd.model.states import VersionState
from qflowd.store.tx import Tx

LARGEST_VERSION = 1 << 31  # versions are 32 bits wide


class Target(NamedTuple):
    """A version that a command names: its definition (a locked row of `find_definition`), its number, its row."""

    definition: Any
    version: int
    row: Any


def one_version(tx: Tx, command: Command) -> Target:
    """The version that a command names in `args`.

    Raises: Refused if there is none.
    """
    definition = lock_workflow(tx, command)
    version = read_args(command, version=whole(1, LARGEST_VERSION))["version"]
    return find_version(tx, definition, str(command.workflow), version)


def lock_workflow(tx: Tx, command: Command) -> Any:
    """The workflow that a command names: a row of `find_definition`, locked.

    Raises: Refused if there is none.
    """
    one_workflow(tx, command, to_change=True)
    return tx.one("find_definition", tenant=command.tenant, workflow=command.workflow)


def find_version(tx: Tx, definition: Any, workflow: str, version: int) -> Target:
    """A version by its number, which can be run.

    Raises: Refused if there is none, or it is a draft with faults.
    """
    row = tx.one("find_version", definition_id=definition.id, version=version)
    if row is None:
        newest = tx.one("newest_version", definition_id=definition.id).version
        raise Refused(f"workflow {workflow!r} has no version {version}; the newest is {newest}", Refusal.NOT_FOUND)
    if row.faults is not None:
        faults = [Fault("", 0, fault["where"], fault["message"]) for fault in json.loads(row.faults)]
        raise Refused(
            f"version {version} of workflow {workflow!r} is a draft with faults: {listed(list(map(str, faults)))}",
            Refusal.FAULTY,
        )
    return Target(definition, version, row)


@verb(
    "activate",
    needs=one_version,
    args=None,
    not_possible="version {version} of workflow {workflow!r} is already ACTIVE",
)
def activate(tx: Tx, command: Command, target: Target, _: Caches) -> Reply:
    """Let new instances run this version, and its schedule fire, until the workflow's file changes."""
    if target.row.state == VersionState.ACTIVE:
        raise NotPossible(version=target.version, workflow=command.workflow)
    return _activate(tx, command, target, replaced=target.definition.version)


@verb(
    "rollback",
    needs=lock_workflow,
    not_possible="version {version} of workflow {workflow!r} has replaced no other; `qflowd versions` lists what can be activated",
)
def rollback(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Activate the version that the active one has replaced. Repeated, it goes further back.

    Raises: NotPossible if it has replaced none.
    """
    if definition.replaced is None:
        raise NotPossible(version=definition.version, workflow=command.workflow)
    target = find_version(tx, definition, str(command.workflow), definition.replaced)
    return _activate(tx, command, target, replaced=None)


def _activate(tx: Tx, command: Command, target: Target, *, replaced: int | None) -> Reply:
    definition, by = target.definition, command.requested_by or "command"
    judge_version(tx, target.row.id)
    put_active(tx, definition, target.row.id, replaced=replaced, by=by, note=command.reason)
    answer = {"workflow": command.workflow, "version": target.version, "replaced": definition.version}
    return Reply(answer, ("schedule",))


def put_active(tx: Tx, definition: Any, version_id: int, *, replaced: int | None, by: str, note: str | None) -> None:
    """Make a stored version the active one by a command, and let the definition and its schedule follow; see `make_active`."""
    workflow = load_workflow(tx, version_id)
    about = about_workflow(workflow, definition.file)
    if definition.error is not None and not definition.enabled:
        about["enabled"] = 0  # its file is gone: that needs another remedy
    kept = {"source": definition.source, "source_hash": definition.source_hash, "error": definition.error}
    make_active(tx, definition, version_id, replaced=replaced, by=by, note=note)
    put_in_effect(tx, definition, workflow, about | kept, version_id)
