"""From claimed rows to what a worker is sent: parameters rendered, outputs of parents and checkpoints at hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane, Terms
from qflowd.engine.plans.gather import Gathered, Place, Unrenderable
from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import by_name, effective
from qflowd.engine.plans.scope import check_conditions, scope_of
from qflowd.engine.plans.upstreams import Upstreams
from qflowd.engine.request import NO_OVERRIDE
from qflowd.model import jsontext
from qflowd.model.workflow import Settings
from qflowd.workers.wire import Assignment

WORTH_SHARING = 256  # characters of parameters; shorter ones travel with each task


@dataclass(slots=True)
class Group:
    """Rows that may travel together, and what is sent for each. `terms`: the first one's; timeout and memory are equal."""

    terms: Terms
    upstreams: Upstreams
    shared: list[str] = field(default_factory=list)  # parameters that rows have in common
    rows: list[Claimed] = field(default_factory=list)
    row_terms: list[Terms] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)

    def share(self, text: str) -> int:
        """The number of parameters that rows, one after the other, have in common."""
        if not self.shared or self.shared[-1] is not text:
            self.shared.append(text)
        return len(self.shared) - 1

    def without(self, task_ids: Collection[int]) -> "Group":
        """The same without these rows."""
        kept = [i for i, row in enumerate(self.rows) if row.id not in task_ids]
        rows, row_terms = [self.rows[i] for i in kept], [self.row_terms[i] for i in kept]
        assignments = [self.assignments[i] for i in kept]
        return Group(self.terms, self.upstreams, self.shared, rows, row_terms, assignments)


def render(gathered: Gathered, timeout_s: float | None) -> tuple[list[Group], list[Unrenderable]]:
    """What to send for these rows, in their order. `timeout_s`: the daemon's default."""
    upstreams = Upstreams(gathered.outputs)
    scopes: dict[int, dict[str, Any]] = {}  # of instances: an output is parsed once for all rows
    groups: dict[tuple[float | None, int | None], Group] = {}  # by what a chunk says of all its tasks
    for lane, places in gathered.parts:
        _render(gathered, lane, places, upstreams, scopes, groups, timeout_s)
    return list(groups.values()), gathered.failed


def _render(
    gathered: Gathered,
    lane: Lane,
    places: Sequence[Place],
    upstreams: Upstreams,
    scopes: dict[int, dict[str, Any]],
    groups: dict[tuple[float | None, int | None], Group],
    timeout_s: float | None,
) -> None:
    """Render the rows of one lane into groups."""
    _, outputs, saved, failed, lists, above = gathered
    group: Group | None = None
    terms: Terms | None = None
    settings: Settings | None = None  # of the node before: most have the same
    for row, instance, node in places:
        is_overridden = bool(instance.overrides)
        try:
            params = node.constant
            if params is None or node.conditions or is_overridden or node.task.when is not None or node.task.produces:
                if (scope := scopes.get(instance.id)) is None:
                    scope = scopes[instance.id] = scope_of(instance, outputs)
                index = row.map_index
                if index is None and (
                    is_overridden or node.conditions or node.when or node.produces
                ):  # of a map: its head's
                    check_conditions(instance, node, scope, outputs)
                if index is not None and node.params is not None:
                    items = lists.get(row.id - index)
                    if node.named_items:
                        scope = {**scope, "tasks": scope["tasks"].of_item(above[row.id])}
                    scope = {**scope, "index": index} if items is None else items.scope(scope, index)
                params = _params(instance, node, lane, scope)
        except Exception as error:  # noqa: BLE001
            failed.append(Unrenderable(row, error))
            continue
        if group is None or terms is None or settings is not node.settings or is_overridden:
            terms = _terms(instance, node, lane, timeout_s)
            key = terms.settings.timeout, terms.settings.memory
            group = groups.setdefault(key, Group(terms, upstreams))
            settings = None if is_overridden else node.settings
        upstream = upstreams.of(instance, node.parents, above.get(row.id, {})) if node.parents else None
        number, _, fence, _, attempt, _, _, _, _, round_ = row
        text = params or "{}"
        sent = group.share(text) if len(text) > WORTH_SHARING and node.params is None else text
        task = Assignment(number, fence, attempt + 1, node.key, sent, upstream, saved.get(number), round_)
        group.rows.append(row)
        group.row_terms.append(terms)
        group.assignments.append(task)


def _terms(instance: LoadedInstance, node: Node, lane: Lane, timeout_s: float | None) -> Terms:
    if node.key not in instance.overrides:
        return lane.terms(node, timeout_s)
    return Terms(lane, effective(node, instance.overrides[node.key].settings, lane.job, Settings(timeout=timeout_s)))


def _params(instance: LoadedInstance, node: Node, lane: Lane, scope: Mapping[str, Any]) -> str:
    override = instance.overrides.get(node.key, NO_OVERRIDE)
    memory = node.key if override.params else ""  # all others of the job have the same
    if node.params is None and (text := instance.rendered.get((lane.job.name, memory))) is not None:
        return text
    if node.params is None:
        params = by_name(lane.job, instance.params)
    elif node.constant is not None and not override.params:
        return node.constant
    else:
        params = node.params.render(scope)
    text = jsontext.dump({**params, **override.params}) if params or override.params else "{}"
    if node.params is None:
        instance.rendered[lane.job.name, memory] = text
    return text
