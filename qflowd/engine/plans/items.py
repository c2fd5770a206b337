"""Items: the list of a map. It stays where it came from; a daemon keeps its items as JSON."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from qflowd.define import functions
from qflowd.define.expressions import Template, compile_value
from qflowd.define.readers import kind
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.workflow import Json, Task

MOST_ITEMS: Final = 1_000_000  # of one map
LONGEST_LABEL: Final = 200  # characters
OVERHEAD: Final = 60  # bytes of an item beside its text

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Items:
    """The items of a map by index; with a `chunk`, lists of so many of them. As objects they would take ten times the memory."""

    def __init__(self, values: list[Json], chunk: int | None) -> None:
        if chunk is not None:
            values = [values[start : start + chunk] for start in range(0, len(values), chunk)]
        self._texts = [_encode(value) for value in values]
        self.weight = sum(map(len, self._texts)) + OVERHEAD * len(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: int) -> Json:
        return _decode(self._texts[index])

    def scope(self, scope: Mapping[str, Any], index: int) -> dict[str, Any]:
        """What expressions may ask that are about one item."""
        return {**scope, "index": index, "item": self[index]}


def make_label(template: Template, scope: Mapping[str, Any]) -> str | None:
    """What people call an item, in one line; None where the expression has no value for it, or null."""
    try:
        value = template.render(scope)
        text = "" if value is None else functions.text(value)
    except (ExpressionFailed, functions.TooLarge):
        return None
    return " ".join(jsontext.clean_text(text).split())[:LONGEST_LABEL] or None


def evaluate(task: Task, scope: Mapping[str, Any]) -> Items:
    """The items of a map in the scope of its instance.

    Raises: ExpressionFailed if it is not a list, or one of more than MOST_ITEMS items.
    """
    values = compile_value(task.map).render(scope)
    if not isinstance(values, list):
        raise ExpressionFailed(f"map: {task.map} is {kind(values)}; it must be a list")
    items = Items(values, task.chunk)
    if len(items) > MOST_ITEMS:
        raise ExpressionFailed(
            f"map: the list has {len(values):,} items; at most {MOST_ITEMS:,} (MOST_ITEMS) can be run one by one. "
            "Give the task a `chunk`, and its job lists of so many items"
        )
    return items
