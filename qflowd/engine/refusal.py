"""The answer to a submission or command that cannot be carried out."""

from collections.abc import Iterable, Sequence
from typing import Final

from qflowd.model.errors import QflowdError
from qflowd.model.near_names import did_you_mean, there_is_no
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx

LONGEST_ERROR: Final = 4000  # characters of an answer
NAMED: Final = 20  # tasks or failures named in an answer


class Refused(QflowdError):
    """This submission or command cannot be carried out; the message is the answer, `why` tells programs its kind."""

    def __init__(self, message: str, why: Refusal = Refusal.WRONG_STATE) -> None:
        self.why = why
        super().__init__(message)


class UnfitParams(Refused):
    """Params do not fit their schema. `where`: which; a line for each fault, as `Schema.faults` says it."""

    def __init__(self, where: str, faults: Iterable[str]) -> None:
        super().__init__("\n".join(f"{where}: {fault}" for fault in faults), Refusal.PARAMS)


class OverQuota(Refused):
    """A quota of the tenant does not let this in; the message names it, its value, what is there, and what to do."""

    def __init__(self, message: str, why: Refusal = Refusal.QUOTA) -> None:
        super().__init__(message, why)


def listed(names: Sequence[str]) -> str:
    """The first names of a list, as an answer has room for them."""
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def no_such(what: str, name: str, names: Iterable[str], command: str) -> Refused:
    """The answer to a row that names something that is not there; `names`: of those that are, which `command` lists."""
    return Refused(there_is_no(what, name, names, command), Refusal.NOT_FOUND)


def no_such_workflow(tx: Tx, tenant: str, name: str) -> Refused:
    """As `no_such`."""
    return no_such(
        "workflow", name, [row.workflow for row in tx.run("list_workflow_names", tenant=tenant)], "workflows"
    )


def no_active_version(workflow: str) -> Refused:
    """The refusal to run a workflow that has only drafts."""
    return Refused(f"workflow {workflow!r} has no active version; see `qflowd versions {workflow}`")


def why_no_such_job(tx: Tx, name: str, otherwise: str) -> str:
    """Why there is no such job; `otherwise`: what to say of it if none has a name like it."""
    names = [row.name for row in tx.run("list_job_names")]
    return f"no daemon has ever registered a job {name!r}{did_you_mean(name, names, otherwise)}"


def no_such_task(owner: str, name: str | None, keys: Sequence[str], why: str = "") -> Refused:
    """The answer to a command that names a task which `owner` does not have; `keys`: those that it has.

    `why`: what else is to be said of the name, before what was likely meant.
    """
    hint = did_you_mean(str(name or "").partition("[")[0], keys, f"there are {listed(keys)}")
    return Refused(f"{owner} has no task {name!r}{why}{hint}", Refusal.NOT_FOUND)
