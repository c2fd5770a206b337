"""Job `log`: write a line to the task's log. Useful while a workflow is being drafted."""

import logging
from typing import Any, Literal

from qflowd import context, job


@job(title="Write a log line")
def log(message: Any = "", level: Literal["debug", "info", "warning", "error", "critical"] = "info") -> None:
    """Log `message` (any JSON value) at `level`."""
    context().logger.log(logging.getLevelNamesMapping()[level.upper()], "%s", message)
