"""What does not fit where params are given: to a job, to a task type, to a workflow that a task starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from qflowd.define.expressions import compile_value
from qflowd.define.key_paths import KeyFault
from qflowd.define.schema import Schema
from qflowd.model.errors import InvalidExpression
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Json


def param_faults(target: str, schema: Mapping[str, Any], given: Any, declared: Any = None) -> Iterator[KeyFault]:
    """What `target` needs and is not given, what it does not have, and values without expressions that do not fit.

    Args:
        target: as it is named in the sentences, such as `job fetch`.
        schema: JSON Schema of all its params.
        given: params of the task; None if it takes those of its workflow by their names.
        declared: params of that workflow; None if any may be given.
    """
    required = set(schema.get("required", ()))
    if given is None:
        if isinstance(declared, dict) and (missing := sorted(required - declared.keys())):
            yield (), f"{target} needs {', '.join(missing)}, and the workflow has no such param"
        return
    if not isinstance(given, dict):
        return
    if missing := sorted(required - given.keys()):
        yield ("params",), f"{target} also needs {', '.join(missing)}"
    properties = schema.get("properties", {})
    for name, value in given.items():
        if name in properties:
            judged = _faults({"$defs": schema.get("$defs", {}), **properties[name]}, value)
            yield from ((("params", name), fault) for fault in judged)
        elif schema.get("additionalProperties") is False:
            yield ("params", name), f"{target} has no param {name!r}{did_you_mean(name, properties)}"


def _faults(schema: Mapping[str, Any], value: Json) -> list[str]:
    """None where an expression is to be evaluated; what is wrong with one, or with the schema, is told by others."""
    try:
        if not compile_value(value).is_constant:
            return []
        judge = Schema(schema)
        return judge.faults(judge.coerce(value))
    except (InvalidExpression, TypeError, ValueError):
        return []
