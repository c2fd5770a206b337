"""What the verbs of control share: a command as it was meant, its answer, and the instance that it names."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from qflowd.engine.known import LaneKey
from qflowd.engine.request import Refused
from qflowd.model.errors import QflowdError
from qflowd.model.ids import LARGEST_INSTANCE, instance_of
from qflowd.model.states import InstanceState
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx


class Later(QflowdError):
    """It cannot be carried out yet, but will be in a moment: the command stays open."""


class LanesMissing(QflowdError):
    """These lanes must be made first, outside the transaction; then the command is carried out from the start."""

    def __init__(self, lanes: Iterable[LaneKey]) -> None:
        self.lanes = frozenset(lanes)
        super().__init__(f"{len(self.lanes)} lanes are missing")


class Command(NamedTuple):
    """A row of `commands` that can be read. What it names may not exist."""

    id: int
    tenant: str
    action: str
    instance_id: int | None
    workflow: str | None
    task: str | None
    task_id: int | None


class Done(NamedTuple):
    """The answer to a command that was carried out, and the topics of those who should know."""

    result: Mapping[str, Json]
    topics: tuple[str, ...] = ()


Verb = Callable[[Tx, Command], Done]


def read_command(row: Any) -> Command:
    """The command in a row of `load_command`.

    Raises: Refused.
    """
    if row.filter is not None:
        raise Refused("filter is not supported yet; name one instance_id")
    for name in ("instance_id", "task_id"):
        value = getattr(row, name)
        if value is not None and not isinstance(value, int):
            raise Refused(f"{name}: {str(value)[:60]!r} is no number")
    for name in ("tenant", "action", "workflow", "task"):
        value = getattr(row, name)
        if value is not None and not isinstance(value, str):
            raise Refused(f"{name} must be text, not {type(value).__name__}")
    return Command(row.id, row.tenant, row.action, row.instance_id, row.workflow, row.task, row.task_id)


def target_of(tx: Tx, command: Command) -> Any:
    """The instance that a command names: a row of `find_instance`.

    Raises: Refused if there is none; Later if its submission is still waiting to be taken.
    """
    number = command.instance_id
    if number is None and command.task_id is not None:
        number = instance_of(command.task_id)
    if number is None:
        raise Refused(f"{command.action} needs an instance_id")
    if not 1 <= number <= LARGEST_INSTANCE:
        raise Refused(f"instance_id {number} is outside 1 to {LARGEST_INSTANCE}")
    found = tx.one("find_instance", id=number, tenant=command.tenant)
    if found is not None:
        return found
    submission = tx.one("load_submission", id=number)
    if submission is None or submission.tenant != command.tenant:
        raise Refused(f"there is no instance {number}; `qflowd ps` lists those there are")
    if submission.is_open:
        raise Later(f"submission {number} has not been taken yet")
    if submission.instance_id is not None and submission.instance_id != number:
        raise Refused(f"submission {number} repeats instance {submission.instance_id}; name that one")
    raise Refused(f"there is no instance {number}: its submission was rejected")


def word(state: int) -> str:
    """The word for an instance's state."""
    return InstanceState(state).name
