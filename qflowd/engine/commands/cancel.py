"""Cancel: a command that has not been answered is not carried out, or not continued. What it has done stays done."""

from typing import Any, Final

from qflowd.define.readers import whole
from qflowd.engine.commands import bulk
from qflowd.engine.commands.control import (
    Caches,
    Command,
    Later,
    NotPossible,
    Reply,
    read_args,
    refuse_other_targets,
    verb,
)
from qflowd.engine.refusal import Refused
from qflowd.model import jsontext
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.refusals import Refusal
from qflowd.model.states import AnswerState
from qflowd.store.tx import Tx

TARGET: Final = "command"


def _target(tx: Tx, command: Command) -> Any:
    """The command that is to be cancelled: a row of `show_command`, locked if it is open.

    Raises: Refused if there is none; NotPossible if it has been answered; Later if a step of it is being carried out.
    """
    refuse_other_targets(command)
    number = read_args(command, **{TARGET: whole(1, LARGEST_INSTANCE)})[TARGET]
    taken = tx.one("take_command", id=number)
    row = tx.one("show_command", id=number, tenant=command.tenant)
    if row is None or number == command.id:
        raise Refused(f"there is no command {number} to cancel", Refusal.NOT_FOUND)
    if row.answered_at is not None:
        raise NotPossible(id=number, state=row.state)
    if taken is None:
        raise Later(f"a step of command {number} is being carried out")
    return row


@verb("cancel", needs=_target, args=None, not_possible="command {id} has been answered: it is {state}")
def cancel(tx: Tx, command: Command, target: Any, _: Caches) -> Reply:
    """Answer a command that is open: DONE with what it has done so far, or REJECTED where it has not begun."""
    by = f"cancelled by {command.requested_by or f'command {command.id}'}"
    why = jsontext.clean_text(by + (f": {command.reason}" if command.reason else ""))
    progress = bulk.stop(tx, target.id)
    if progress is None:
        about: dict[str, Any] = {"result": None, "error": why, "error_code": int(Refusal.WRONG_STATE)}
        tx.run("answer_command", id=target.id, state=AnswerState.REJECTED.name, **about, now=tx.now)
    else:
        about = {"result": jsontext.dump(progress | {"cancelled": why}), "error": None, "error_code": None}
        tx.run("answer_command", id=target.id, state=AnswerState.DONE.name, **about, now=tx.now)
    return Reply({TARGET: target.id, "done": (progress or {}).get("done", 0)})
