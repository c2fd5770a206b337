"""The answer to a submission or command that cannot be carried out."""

from typing import Final

from qflowd.model.errors import QflowdError

LONGEST_ERROR: Final = 4000  # characters of an answer


class Refused(QflowdError):
    """This submission or command cannot be carried out; the message is the answer."""
