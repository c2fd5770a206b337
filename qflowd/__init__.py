"""qflowd: an INSERT into a database table runs a DAG.

The public names live here and are imported when they are first used, so that `import qflowd` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qflowd.client import connect
    from qflowd.daemon.embedded import Engine
    from qflowd.define.builders import TaskBuilder, WorkflowBuilder
    from qflowd.jobs.calendars import calendar
    from qflowd.jobs.context import context
    from qflowd.jobs.decorators import job, on
    from qflowd.jobs.exceptions import Cancelled, Defer, Fail, NotYet, RetryAfter, RetryLater, Skip
    from qflowd.model.errors import (
        AccessDenied,
        GrantsMissing,
        InvalidConfig,
        InvalidExpression,
        InvalidParams,
        InvalidRequest,
        InvalidWorkflow,
        NotFound,
        OutsideCalendar,
        QflowdError,
        Rejected,
        StoreUnavailable,
    )

__version__ = "0.1.0"

_HOMES = {
    "Engine": "qflowd.daemon.embedded",
    "TaskBuilder": "qflowd.define.builders",
    "WorkflowBuilder": "qflowd.define.builders",
    "calendar": "qflowd.jobs.calendars",
    "connect": "qflowd.client",
    "context": "qflowd.jobs.context",
    "job": "qflowd.jobs.decorators",
    "on": "qflowd.jobs.decorators",
    **dict.fromkeys(
        ("Cancelled", "Defer", "Fail", "NotYet", "RetryAfter", "RetryLater", "Skip"), "qflowd.jobs.exceptions"
    ),
}  # all others are errors

__all__ = [
    "AccessDenied",
    "Cancelled",
    "Defer",
    "Engine",
    "Fail",
    "GrantsMissing",
    "InvalidConfig",
    "InvalidExpression",
    "InvalidParams",
    "InvalidRequest",
    "InvalidWorkflow",
    "NotFound",
    "NotYet",
    "OutsideCalendar",
    "QflowdError",
    "Rejected",
    "RetryAfter",
    "RetryLater",
    "Skip",
    "StoreUnavailable",
    "TaskBuilder",
    "WorkflowBuilder",
    "__version__",
    "calendar",
    "connect",
    "context",
    "job",
    "on",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'qflowd' has no attribute {name!r}")
    value = getattr(import_module(_HOMES.get(name, "qflowd.model.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
