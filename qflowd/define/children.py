"""What a file may say of a task that starts another workflow (`workflow: NAME`) in place of a job."""

from typing import Final

from qflowd.define.fields import Fields
from qflowd.define.settings import SETTINGS
from qflowd.model.workflow import Task

_OF_ITS_TASKS: Final = frozenset(SETTINGS) - {"priority"}


def check_child(fields: Fields, task: Task) -> None:
    """It has no job, and leaves settings to the tasks of the workflow that it starts."""
    if not task.workflow:
        return
    for name in ("job", "task"):
        if fields.data.get(name):
            fields.fault(f"cannot stand beside {name}: a task either runs a job or starts a workflow", "workflow")
    for name in sorted(_OF_ITS_TASKS & fields.data.keys()):
        fields.fault(f"is for a task with a job; give it to the tasks of {task.workflow}", name)
