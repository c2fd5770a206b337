"""What differs between two versions of a workflow: task by task, key by key, as people write them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from qflowd.define.key_paths import KeyPath, dotted
from qflowd.define.writing import dump
from qflowd.model.workflow import Json, Workflow

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `task` is None for the workflow itself; `key` is a path such as `params.day.default`.

    `key` is empty where a whole task was added or removed, which is then in `after` or `before`; or renamed, and these are
    its former and its present key.
    """

    change: Literal["added", "removed", "renamed", "changed"]
    task: str | None
    key: str
    before: Json
    after: Json


def differences(before: Workflow, after: Workflow) -> list[Difference]:
    """What changed from one version to another; none if they run alike, whatever their comments and the order of keys."""
    old, new = dump(before), dump(after)
    old_tasks, new_tasks = old.pop("tasks"), new.pop("tasks")
    found = list(_inside(None, (), old, new))
    renamed = dict(_renamed(old_tasks, new_tasks))
    for key, task in new_tasks.items():
        if key in old_tasks:
            found += _inside(key, (), old_tasks[key], task)
        elif key in renamed:
            found.append(Difference("renamed", key, "", renamed[key], key))
        else:
            found.append(Difference("added", key, "", None, task))
    gone = old_tasks.keys() - new_tasks.keys() - set(renamed.values())
    found += (Difference("removed", key, "", task, None) for key, task in old_tasks.items() if key in gone)
    return found


def _inside(task: str | None, path: KeyPath, before: Json, after: Json) -> Iterator[Difference]:
    """The differences of two values below `path`; maps are compared key by key, anything else as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from _inside(task, (*path, key), before.get(key, _MISSING), after.get(key, _MISSING))
    elif before is _MISSING:
        yield Difference("added", task, dotted(path), None, after)
    elif after is _MISSING:
        yield Difference("removed", task, dotted(path), before, None)
    elif before != after or type(before) is not type(after):
        yield Difference("changed", task, dotted(path), before, after)


def _renamed(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """New key -> old key of tasks that are gone under one key and there under another, with nothing else changed."""
    gone = [key for key in before if key not in after]
    for key, task in after.items():
        if key not in before and (old := next((old for old in gone if before[old] == task), None)) is not None:
            gone.remove(old)
            yield key, old
