"""Canaries: a share of the new instances of a workflow runs another version than the active one, until either is dropped."""

from typing import Any, Final

from qflowd.define.readers import number, whole
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, read_args, verb
from qflowd.engine.definitions.versions import LARGEST_VERSION, find_version, lock_workflow
from qflowd.model.states import VersionState
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

PARTS: Final = 10_000  # a share is a whole number of these
# The golden ratio: consecutive ids are spread evenly, so that even ten instances hold the share that was asked for.
_SPREAD: Final = 0x9E3779B97F4A7C15


def runs_canary(instance_id: int, share: int) -> bool:
    """Whether this instance is one of `share` in `PARTS`; the same answer whenever and wherever it is asked."""
    return (instance_id * _SPREAD % (1 << 64)) * PARTS >> 64 < share


def version_of(definition: Any, instance_id: int) -> int:
    """The id of the version that a new instance runs which names none. `definition`: a row of `find_workflow`."""
    if definition.canary_version is not None and runs_canary(instance_id, definition.canary_share):
        return int(definition.canary_version)
    return int(definition.active_version)


def _parts(value: Json) -> int:
    """A share, in `PARTS`."""
    try:
        return round(number(1 / PARTS, (PARTS - 1) / PARTS)(value) * PARTS)
    except ValueError as error:
        raise ValueError(
            f"{error}; 0.1 is a tenth of new instances, `activate` gives a version all of them, `end_canary` none"
        ) from None


@verb(
    "canary",
    needs=lock_workflow,
    args=None,
    not_possible="version {version} of workflow {workflow!r} is ACTIVE: all other instances already run it",
)
def canary(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Let a share of new instances run a version. It takes the place of another canary, and ends when a version is activated.

    Raises: NotPossible for the active version; Refused if there is no such version, or the share is not between 0 and 1.
    """
    args = read_args(command, version=whole(1, LARGEST_VERSION), share=_parts)
    share, workflow = args["share"], str(command.workflow)
    target = find_version(tx, definition, workflow, args["version"])
    if target.row.state == VersionState.ACTIVE:
        raise NotPossible(version=target.version, workflow=workflow)
    tx.run("set_canary", id=definition.id, version_id=target.row.id, share=share, now=tx.now)
    tx.run("mark_version_run", id=target.row.id)
    return Reply({"workflow": workflow, "version": target.version, "share": share / PARTS})


@verb("end_canary", needs=lock_workflow, not_possible="workflow {workflow!r} has no canary")
def end_canary(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Let all new instances run the active version.

    Raises: NotPossible if they do.
    """
    if definition.canary_version is None:
        raise NotPossible(workflow=command.workflow)
    tx.run("set_canary", id=definition.id, version_id=None, share=None, now=tx.now)
    return Reply({"workflow": command.workflow, "version": definition.version})
