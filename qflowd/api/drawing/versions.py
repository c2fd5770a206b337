"""The graphs of stored versions: read, laid out and folded once, then remembered. Only drafts change."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from qflowd.api.cache import LruCache
from qflowd.api.call import Call
from qflowd.define import documents, stored
from qflowd.define.edits import tasks_of
from qflowd.define.sketch import sketch
from qflowd.define.waits import wait_words
from qflowd.model import dag
from qflowd.model.errors import InvalidWorkflow, NotFound
from qflowd.model.folding import MOST_BOXES, Folded, fold
from qflowd.model.layout import Layout, lay_out
from qflowd.model.workflow import Json, Task, Workflow

MOST_REMEMBERED: Final = 8 << 20  # characters of documents; what is made of them takes some ten times as much
VersionKey = tuple[int, str]  # id and hash: where a database was replaced by another one, ids alone would mislead


class VersionGraph:
    """The tasks of a version in the order of their numbers (`node` of rows), and how they are drawn.

    `written`: of a draft, what stands under the keys of its tasks in its text.
    """

    def __init__(
        self, workflow: Workflow, weight: int, written: Mapping[str, Mapping[str, Json]] | None = None
    ) -> None:
        self.workflow, self.weight, self.written = workflow, weight, written
        self.nodes: Sequence[Task] = dag.order(workflow)
        self.number: Mapping[str, int] = {task.key: node for node, task in enumerate(self.nodes)}
        self.parents = dag.parents_of(self.nodes)
        self._drawn: dict[bool, tuple[Folded, Layout]] = {}

    @cached_property
    def levels(self) -> Mapping[str, int]:
        """Task key -> layer."""
        return dag.levels(self.parents)

    @cached_property
    def children(self) -> Mapping[str, Sequence[str]]:
        """Task key -> keys of the tasks right after it, in order."""
        below: dict[str, list[str]] = {key: [] for key in self.parents}
        for key, above in self.parents.items():
            for parent in above:
                below[parent].append(key)
        return below

    def drawn(self, *, is_folded: bool) -> tuple[Folded, Layout]:
        """The boxes and where they stand; at most MOST_BOXES of them where it may be folded."""
        if is_folded not in self._drawn:
            jobs = {task.key: job_of(task) for task in self.nodes}
            boxes = fold(self.parents, jobs, MOST_BOXES if is_folded else max(MOST_BOXES, len(jobs)))
            self._drawn[is_folded] = boxes, lay_out(boxes.parents, boxes.level)
        return self._drawn[is_folded]


def kind_of(task: Task) -> str:
    """As its own row has it: `head` (of a map), `child` (it starts an instance of another workflow), `wait` or `task`."""
    if task.workflow:
        return "child"
    if task.only_waits:
        return "wait"
    return "task" if task.map is None else "head"


def job_of(task: Task) -> str:
    """The job that a task runs, the workflow that it starts, or what it waits for and does no more."""
    if task.wait_for is not None and task.only_waits:
        return wait_words(task.wait_for)
    return task.workflow or task.job or task.task


def graphs_of(call: Call, versions: Iterable[VersionKey]) -> dict[int, VersionGraph]:
    """The graphs of versions by their id, those that are remembered and the others in one statement.

    Raises: InvalidWorkflow if a newer release of qflowd has stored one.
    """
    wanted = set(versions)
    found = {key[0]: graph for key, graph in _GRAPHS.known(wanted).items()}
    if missing := {number: digest for number, digest in wanted if number not in found}:
        for row in call.read("load_documents", rows=[(number,) for number in sorted(missing)]):
            found[row.id] = graph = _graph_of_row(row)
            if row.state != "DRAFT" and row.hash == missing[row.id]:
                _GRAPHS.remember([((row.id, row.hash), graph)])
    return found


def _graph_of_row(row: Any) -> VersionGraph:
    """The graph of a row of `load_documents`; of a draft with faults as far as it can be told."""
    written = None
    if row.source_text is not None:
        written = documents.read(row.source_text, row.format, "", InvalidWorkflow).data
    if row.faults is not None and written is not None:
        workflow = sketch(written)
    else:
        workflow = stored.read(row.document, f"version {row.version}")
    return VersionGraph(workflow, len(row.document), None if written is None else tasks_of(written))


def graph_of(call: Call, version: Any) -> VersionGraph:
    """The graph of one version, a row with its `id`, `hash` and `version`.

    Raises: NotFound if it has just been deleted; InvalidWorkflow as `graphs_of`.
    """
    if (found := graphs_of(call, [(version.id, version.hash)]).get(version.id)) is None:
        raise NotFound(f"version {version.version} is gone")
    return found


_GRAPHS: Final[LruCache[VersionKey, VersionGraph]] = LruCache(MOST_REMEMBERED, lambda graph: graph.weight)
