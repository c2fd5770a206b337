"""`produces`: the dataset of which a task's success is a new version, as a file says it."""

from collections.abc import Iterable

from qflowd.define.expressions import compile_value
from qflowd.define.fields import Fields
from qflowd.define.readers import short_text, text
from qflowd.model.errors import InvalidExpression
from qflowd.model.names import fault_in_dataset
from qflowd.model.workflow import Json, Task

LONGEST = 1000  # characters, with expressions


def read_dataset(value: Json) -> str:
    """A name such as `cn_daily@{{ business_date }}`; expressions stand behind the `@` alone.

    Raises: ValueError with the text of the fault.
    """
    string = short_text(LONGEST)(text(value).strip())
    series, at, _ = string.partition("@")
    if "{{" in series:
        raise ValueError('has an expression in its name; one stands behind an @, as in "cn_daily@{{ business_date }}"')
    if fault := fault_in_dataset(string if "{{" not in string else f"{series}{at}x"):
        raise ValueError(fault)
    return string


def check_datasets(fields: Fields, tasks: Iterable[Task]) -> None:
    """No two tasks of a workflow produce what is written alike, and no name asks a calendar, which may change meanwhile."""
    producers: dict[str, str] = {}
    for task in tasks:
        if not task.produces:
            continue
        if asked := _session_functions(task.produces):
            fields.fault(
                f"asks a calendar by {', '.join(asked)}, and that may change while the task runs; use business_date, "
                "or a param whose default asks it",
                task.key,
                "produces",
            )
        first = producers.setdefault(task.produces, task.key)
        if first != task.key:
            fields.fault(
                f"{task.produces} is what task {first} produces; one task of a workflow does", task.key, "produces"
            )


def _session_functions(produces: str) -> list[str]:
    try:
        return sorted(compile_value(produces).sessions)
    except InvalidExpression:  # a fault that is told where all expressions are judged
        return []
