"""From rows of statements to the structures of answers: columns and fields have the same names."""

from collections.abc import Iterable
from typing import Any

from qflowd.api.answers import Item


def fields_of(row: Any, kind: type[Item]) -> dict[str, Any]:
    """The columns of a row, or the fields of another answer, that `kind` has fields for."""
    there = row.__struct_fields__ if isinstance(row, Item) else row._fields
    return {name: getattr(row, name) for name in kind.__struct_fields__ if name in there}


def items_of(rows: Iterable[Any], kind: type[Any]) -> list[Any]:
    """Rows that have a column for each field of `kind`."""
    return [kind(**fields_of(row, kind)) for row in rows]
