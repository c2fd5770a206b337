"""`start_on` of a schedule: the fact that starts a workflow, written as under `wait_for`."""

from collections.abc import Mapping
from typing import Final

from qflowd.define.fields import Fields
from qflowd.define.waits import FACTS
from qflowd.model.workflow import Workflow

STARTS: Final = ("workflow", "dataset", "signal")
FACT_PARAM: Final = "fact"  # a param of this name has the fact that has started an instance
_BY_TIME: Final = ("cron", "at", "timezone", "calendar", "days", "window", "catchup")


def read_start(top: Fields, fields: Fields) -> dict[str, str] | None:
    """What stands under `start_on` of a schedule, kind and name; None where there is nothing.

    Args:
        top: the whole document.
        fields: of the schedule.
    """
    inner = fields.section("start_on")
    if fields.data.get("start_on") is None:
        return None
    for key in _BY_TIME:
        if fields.data.get(key) is not None:
            fields.fault("is for a schedule by time; start_on says when this one starts", key)
    given = [kind for kind in FACTS if inner.data.get(kind) is not None]
    if others := [kind for kind in given if kind not in STARTS]:
        remedy = f"schedule it by time, and give its first task wait_for: {{{others[0]}: …}}"
        inner.fault(f"nothing can start on it, only a task wait for it; {remedy}", others[0])
        return {}
    if len(given) != 1:
        inner.fault(f"names {' and '.join(given) or 'no fact'}; one of {', '.join(STARTS)} is needed")
        return {}
    [kind] = given
    name = inner.take(kind, FACTS[kind], "")
    inner.close()
    if "{{" in name:
        inner.fault("is a name; an expression has no value before anything has started", kind)
    elif kind == "dataset" and "@" in name:
        inner.fault(f"starts on each date of it; write {name.partition('@')[0]}, without what stands behind @", kind)
    elif kind == "workflow" and name == top.data.get("workflow"):
        inner.fault("is this workflow itself, so it would never end; name another one", kind)
    return {kind: name}


def own_dataset(workflow: Workflow, start_on: Mapping[str, str]) -> str:
    """The task of a workflow that produces the dataset on which one of its schedules starts; "" where none does."""
    found = (task.key for task in workflow.tasks if task.produces.partition("@")[0] == start_on.get("dataset"))
    return next(found, "")
