"""What a task produces, by its name: asked before it runs, so that a bad name costs no run, and when it has succeeded."""

from collections.abc import Mapping
from typing import Any

from qflowd.define.expressions import Template
from qflowd.model.errors import ExpressionFailed
from qflowd.model.names import fault_in_dataset


def dataset_of(produces: Template, scope: Mapping[str, Any]) -> str:
    """The dataset that a task produces. Neither outputs nor calendars have a part in it: it is the same before and after its run.

    Raises: ExpressionFailed.
    """
    name = produces.render(scope)
    if fault := fault_in_dataset(name):
        raise ExpressionFailed(f"produces: {fault}")
    return str(name)
