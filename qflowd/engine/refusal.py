"""The answer to a submission or command that cannot be carried out."""

from collections.abc import Sequence
from typing import Final

from qflowd.define.fields import did_you_mean
from qflowd.model.errors import QflowdError

LONGEST_ERROR: Final = 4000  # characters of an answer
NAMED: Final = 20  # tasks or failures named in an answer


class Refused(QflowdError):
    """This submission or command cannot be carried out; the message is the answer."""


def listed(names: Sequence[str]) -> str:
    """The first names of a list, as an answer has room for them."""
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def no_such_task(owner: str, name: str | None, keys: Sequence[str], why: str = "") -> Refused:
    """The answer to a command that names a task which `owner` does not have; `keys`: those that it has.

    `why`: what else is to be said of the name, before what was likely meant.
    """
    hint = did_you_mean(str(name or "").partition("[")[0], keys, f"there are {listed(keys)}")
    return Refused(f"{owner} has no task {name!r}{why}{hint}")
