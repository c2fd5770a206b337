"""Workflows on whose success the files of others start: what is named, and cycles of them, which a daemon refuses."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from qflowd.define.documents import Document
from qflowd.define.key_paths import KeyPath
from qflowd.engine.definitions.start_cycles import cycle_of_starts, why_cycle
from qflowd.model.errors import Fault


def started_on(document: Document) -> dict[KeyPath, str]:
    """Where a file names a workflow on whose success it starts, however faulty the rest is."""
    named: Any = document.data.get("schedules")
    schedules: dict[KeyPath, Any] = {("schedule",): document.data.get("schedule")}
    schedules |= {("schedules", str(name)): each for name, each in named.items()} if isinstance(named, dict) else {}
    starts = {path: each.get("start_on") for path, each in schedules.items() if isinstance(each, dict)}
    names = {path: start.get("workflow") for path, start in starts.items() if isinstance(start, dict)}
    return {(*path, "start_on", "workflow"): name for path, name in names.items() if isinstance(name, str)}


def cycles(files: Collection[Document], elsewhere: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Workflows that would start each other for ever. `elsewhere`: what others start on than those of these files."""
    here = {str(document.data.get("workflow")): started_on(document) for document in files}
    starts = {("", key): list(names.values()) for key, names in here.items()}
    starts = {("", key): list(names) for key, names in elsewhere.items()} | starts
    for document in files:
        key = str(document.data.get("workflow"))
        if cycle := cycle_of_starts(starts, "", key):
            paths = [path for path, name in started_on(document).items() if name == cycle[1]]
            yield from document.faults([(path, why_cycle(cycle)) for path in paths[:1]])
