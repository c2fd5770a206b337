"""Workflows on whose success the files of others start: what is named, and cycles of them, which a daemon refuses."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from qflowd.define.documents import Document
from qflowd.define.key_paths import KeyPath
from qflowd.engine.definitions.start_cycles import cycle_of_starts, why_cycle
from qflowd.model.errors import Fault
from qflowd.model.workflow import Workflow


def started_on(document: Document) -> dict[KeyPath, str]:
    """Where a file names a workflow on whose success it starts, however faulty the rest is."""
    named: Any = document.data.get("schedules")
    schedules: dict[KeyPath, Any] = {("schedule",): document.data.get("schedule")}
    schedules |= {("schedules", str(name)): each for name, each in named.items()} if isinstance(named, dict) else {}
    starts = {path: each.get("start_on") for path, each in schedules.items() if isinstance(each, dict)}
    names = {path: start.get("workflow") for path, start in starts.items() if isinstance(start, dict)}
    return {(*path, "start_on", "workflow"): name for path, name in names.items() if isinstance(name, str)}


def cycles(files: Collection[Document], stored: Callable[[str], Workflow | None]) -> Iterator[Fault]:
    """Workflows that would start each other for ever. `stored`: one that these files do not describe, where there is one."""
    here = {str(document.data.get("workflow")): started_on(document) for document in files}
    starts = {("", key): list(names.values()) for key, names in here.items()}
    _add_stored(starts, stored)
    for document in files:
        key = str(document.data.get("workflow"))
        if cycle := cycle_of_starts(starts, "", key):
            [path, *_] = [path for path, name in here[key].items() if name == cycle[1]]
            yield from document.faults([(path, why_cycle(cycle))])


def _add_stored(starts: dict[tuple[str, str], list[str]], stored: Callable[[str], Workflow | None]) -> None:
    """Add what the workflows start on that are named, and those that these name."""
    ahead = [name for names in starts.values() for name in names]
    while ahead:
        if ("", name := ahead.pop()) not in starts:
            workflow = stored(name)
            facts = [each.start_on or {} for each in workflow.named_schedules.values()] if workflow else []
            starts["", name] = [fact["workflow"] for fact in facts if "workflow" in fact]
            ahead += starts["", name]
