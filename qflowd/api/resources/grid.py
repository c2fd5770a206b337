"""The grid of a workflow: its tasks as rows, its latest instances as columns, in one request."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import Item
from qflowd.api.cache import LruCache
from qflowd.api.call import Call
from qflowd.api.drawing.node_states import OPEN, NodeStates, states_by_node
from qflowd.api.drawing.versions import VersionGraph, graphs_of, kind_of
from qflowd.api.named import workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import items_of
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.roles import Role

MOST_COLUMNS: Final = 100
MOST_ROWS: Final = 1000  # tasks; those behind are counted in `more_rows`
# node, state, rows and failed ones (null for a task of one row), the row to look at: the first that failed, else its own.
Cell = tuple[int, str, int | None, int | None, str]


class GridRow(Item):
    """A task. `node` names it in the cells; `depth`: its layer in the graph."""

    node: int
    key: str
    title: str
    kind: str
    depth: int


class GridColumn(Item):
    """An instance."""

    id: int
    version: int | None
    state: str
    business_date: date | None
    trigger_type: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None


class Grid(Item):
    """`columns`: newest first. `cells`: by the id of an instance; a task that its version does not have is left out.

    A cell is `[node, state, rows, failed, task_id]`; `rows` and `failed` of a map, or of a task that spawned others.
    `before`: asks for the columns after the last one; null at the end.
    """

    rows: Sequence[GridRow]
    columns: Sequence[GridColumn]
    cells: Mapping[str, Sequence[Cell]]
    before: int | None
    more_rows: int


class GridQuery(Query):
    """`before`: only instances with a smaller id."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_COLUMNS)] = 25
    before: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_INSTANCE)] = LARGEST_INSTANCE


@route("GET", "/workflows/{id}/grid", Role.READ)
def show_grid(call: Call, id: str, query: GridQuery) -> Grid:
    """The latest instances of a workflow, and where each of their tasks stands or how it ended."""
    workflow = workflow_of(call, id)
    found = call.read("list_grid_columns", definition_id=workflow.id, before=query.before, batch=query.limit + 1)
    columns = found[: query.limit]
    versions = {row.version_id: row.hash for row in columns if row.version_id is not None}
    if workflow.active_version is not None:  # its tasks come first, in the order in which they run next
        versions = {workflow.active_version: workflow.hash, **versions}
    graphs = graphs_of(call, versions.items())
    rows = _rows([graphs[version] for version in versions if version in graphs])
    numbers = {row.key: row.node for row in rows[:MOST_ROWS]}
    cells = _cells(call, columns)
    return Grid(
        rows=rows[:MOST_ROWS],
        columns=items_of(columns, GridColumn),
        cells={
            str(row.id): list(_renumbered(cells.get(row.id, ()), graphs[row.version_id], numbers))
            for row in columns
            if row.version_id in graphs
        },
        before=columns[-1].id if len(found) > len(columns) else None,
        more_rows=max(0, len(rows) - MOST_ROWS),
    )


def _rows(graphs: Iterable[VersionGraph]) -> list[GridRow]:
    """The tasks of the first version, and those that only others have behind them."""
    rows: dict[str, GridRow] = {}
    for graph in graphs:
        for task in graph.nodes:
            depth = graph.levels[task.key]
            row = GridRow(node=len(rows), key=task.key, title=task.title, kind=kind_of(task), depth=depth)
            rows.setdefault(task.key, row)
    return list(rows.values())


def _renumbered(cells: Iterable[Cell], graph: VersionGraph, numbers: Mapping[str, int]) -> Iterable[Cell]:
    """Cells under the numbers of the grid's rows instead of those of a version."""
    for node, *rest in cells:
        if node < len(graph.nodes) and (number := numbers.get(graph.nodes[node].key)) is not None:
            yield (number, *rest)  # type: ignore[misc]  # what is left of a cell


def _cells(call: Call, columns: Sequence[Any]) -> dict[int, list[Cell]]:
    """The cells of each instance, by the numbers of its version. Those of instances that have ended are remembered."""
    keys = {
        row.id: (row.id, row.state, row.created_at, row.finished_at) for row in columns
    }  # one that is retried ends anew
    found = {number: cells for number, key in keys.items() if (cells := _ENDED.find(key)) is not None}
    missing = [row for row in columns if row.id not in found]
    by_instance: dict[int, list[Any]] = {row.id: [] for row in missing}
    if missing:
        for row in call.read("count_node_states", rows=[(row.id,) for row in missing]):
            by_instance[row.instance_id].append(row)
    for column in missing:
        nodes = states_by_node(by_instance[column.id], is_paused=column.state == "PAUSED")
        found[column.id] = made = [_cell(node, states) for node, states in sorted(nodes.items())]
        if column.finished_at is not None and not any(cell[1] in OPEN for cell in made):
            _ENDED.remember([(keys[column.id], made)])
    return found


def _cell(node: int, states: NodeStates) -> Cell:
    total = states.counts.total()
    is_one = total == 1 and states.head is None
    failed = None if is_one else states.counts["FAILED"]
    return node, states.state, None if is_one else total, failed, str(states.failed_id or states.task_id)


_ENDED: Final[LruCache[tuple[int, str, datetime, datetime | None], list[Cell]]] = LruCache(2000)
