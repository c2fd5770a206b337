"""Ids of rows: a task's id is its instance's, shifted, plus its ordinal; so an instance is a range of the primary key."""

from typing import Any

ORDINALS = 1 << 20  # tasks an instance can have, spawned and compensating ones included
LARGEST_INSTANCE = 1 << 42
ABOVE_ALL_IDS = (LARGEST_INSTANCE + 1) * ORDINALS  # of tasks, and so of all else


def task_id(instance_id: int, ordinal: int) -> int:
    """The id of the row with this ordinal."""
    return instance_id * ORDINALS + ordinal


def instance_of(task_id: int) -> int:
    """The instance that a row belongs to."""
    return task_id // ORDINALS


def key_range(instance_id: int) -> dict[str, Any]:
    """The first and the last id that a row of the instance can have, as parameters of a statement."""
    first = instance_id * ORDINALS
    return {"first": first, "last": first + ORDINALS - 1}
