"""A workflow version in memory: edges as int tuples, parameters as templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from qflowd.define.expressions import Template, compile_value
from qflowd.define.schema import ANY_OBJECT, Schema, workflow_schema
from qflowd.engine.plans import fallbacks, item_edges
from qflowd.engine.plans.fallbacks import Fallback
from qflowd.engine.plans.node import Node, constant_params, edge_conditions
from qflowd.model import dag, jsontext, rules
from qflowd.model.states import TaskKind
from qflowd.model.workflow import BUILT_IN, NO_POOL, WAIT_POOL, Job, Json, Settings, Task, TriggerRule, Workflow

LEAST_FAN = 8  # children; fewer are moved one by one


class TaskGroup(NamedTuple):
    """Tasks of a plan whose rows begin alike: of one job and kind, with the same settings and counters.

    `workflow`: what they start instead of running a job; `job` is empty then, and their pool is NO_POOL. `waits`: for
    facts, before they may be claimed.
    """

    job: str
    settings: Settings
    start: rules.Counters
    kind: TaskKind
    ordinals: Sequence[int]
    workflow: str = ""
    fallback: Fallback = Fallback.NONE
    waits: bool = False


class Fan(NamedTuple):
    """The children of a task, where many have no other parent."""

    ordinals: str  # of those, as a JSON list
    others: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A workflow as the engine runs it. `version_id` is None for the plan of a single job.

    Admission makes do with groups of tasks; nodes are made when one of them is first run here, templates when it is rendered.
    """

    version_id: int | None
    workflow: Workflow
    tasks: Sequence[Task]  # in topological order: the place of a task is its ordinal
    parents: Sequence[tuple[int, ...]]  # of every task
    definition_id: int = 0  # of the workflow; 0 where there is none
    _of_job: list[tuple[Mapping[str, Json], Schema]] = field(default_factory=list, repr=False, compare=False)

    def schema(self, job: Job | None) -> Schema:
        """What the params of an instance must fit: the workflow's, or those of its single `job`."""
        if self.version_id is not None:
            return self._schema
        declared = (job.params_schema if job else None) or ANY_OBJECT
        if not self._of_job or self._of_job[0][0] is not declared:
            self._of_job[:] = [(declared, Schema(declared))]
        return self._of_job[0][1]

    @cached_property
    def _schema(self) -> Schema:
        return Schema(workflow_schema(self.workflow.params))

    @cached_property
    def defaults(self) -> Mapping[str, Template]:
        """Of the workflow's params, by name."""
        declared = self.workflow.params or {}
        return {name: compile_value(part["default"]) for name, part in declared.items() if "default" in part}

    @cached_property
    def turn(self) -> Template | None:
        """What its instances take turns by; None where all of them do, or none."""
        concurrency = self.workflow.concurrency
        return None if concurrency is None or concurrency.keyed is None else compile_value(concurrency.keyed)

    @cached_property
    def task_groups(self) -> Sequence[TaskGroup]:
        """All tasks, in as few groups as may be."""
        groups: dict[tuple[str, Settings, int, TriggerRule, TaskKind, str, Fallback, bool], list[int]] = {}
        for i, task in enumerate(self.tasks):
            fallback = self.fallback_of.get(i, Fallback.NONE)
            about = task.trigger_rule, _kind_of(task), task.workflow, fallback, task.wait_for is not None
            groups.setdefault((task.job, task.settings, len(self.parents[i]), *about), []).append(i)
        return [
            TaskGroup(
                job,
                self._settings(settings, pool=NO_POOL if workflow else WAIT_POOL if kind is TaskKind.WAIT else None),
                rules.start(parent_count, rule),
                kind,
                ordinals,
                workflow,
                fallback,
                waits,
            )
            for (job, settings, parent_count, rule, kind, workflow, fallback, waits), ordinals in groups.items()
        ]

    def _settings(self, of_task: Settings, *, pool: str | None) -> Settings:
        """A task's settings over the workflow's. `pool`: of one that runs no job; only its priority counts."""
        settings = of_task.over(self.workflow.defaults)
        return settings if pool is None else Settings(pool=pool, priority=settings.priority)

    @cached_property
    def starts(self) -> frozenset[str]:
        """The workflows that its tasks start."""
        return frozenset(task.workflow for task in self.tasks if task.workflow)

    @cached_property
    def has_unclaimed(self) -> bool:
        """Has it tasks that stand in lanes that nobody claims? They start workflows, or wait for facts."""
        return bool(self.starts) or any(task.wait_for is not None for task in self.tasks)

    @cached_property
    def has_datasets(self) -> bool:
        return any(task.produces for task in self.tasks)

    @cached_property
    def outputs(self) -> Template | None:
        """What a task that starts this workflow returns; None where it returns nothing."""
        return None if self.workflow.outputs is None else compile_value(dict(self.workflow.outputs))

    @cached_property
    def maps(self) -> frozenset[int]:
        """The nodes that run once for each item of a list."""
        return frozenset(i for i, task in enumerate(self.tasks) if task.map is not None)

    @cached_property
    def each(self) -> Mapping[int, tuple[int, ...]]:
        """Of maps that wait for others item by item: those others."""
        return item_edges.above(self.tasks) if self.has_each else {}

    @cached_property
    def each_children(self) -> Mapping[int, tuple[int, ...]]:
        """Of maps: the maps that wait for it item by item."""
        return item_edges.below(self.each)

    @cached_property
    def has_each(self) -> bool:
        return any(edge.each for task in self.tasks for edge in task.after)

    @cached_property
    def nodes(self) -> Sequence[Node]:
        ordinals = {task.key: i for i, task in enumerate(self.tasks)}
        # Equal settings become one object, so that the hot path may tell them apart by identity.
        equal: dict[Settings, Settings] = {}
        settings = {
            i: equal.setdefault(group.settings, group.settings) for group in self.task_groups for i in group.ordinals
        }
        return [
            Node(
                ordinal=i,
                key=task.key,
                task=task,
                settings=settings[i],
                parents=self.parents[i],
                children=self.children[i],
                constant=constant_params(task),
                conditions=edge_conditions(task, ordinals) if task.after else {},
                ordinals=ordinals,
                running=item_edges.running(self.each, self.parents[i], i) if self.has_each else frozenset(),
            )
            for i, task in enumerate(self.tasks)
        ]

    @cached_property
    def by_key(self) -> Mapping[str, Node]:
        return {node.key: node for node in self.nodes}

    @cached_property
    def children(self) -> Sequence[tuple[int, ...]]:
        """Of every task; those of a task are in their order."""
        children: list[list[int]] = [[] for _ in self.tasks]
        for i, above in enumerate(self.parents):
            for parent in above:
                children[parent].append(i)
        return list(map(tuple, children))

    def name_of(self, row: Any) -> str:
        """The task's key, with the place in its list for an item of a map."""
        key = self.nodes[row.node].key
        return key if row.map_index is None else f"{key}[{row.map_index if row.label is None else row.label}]"

    def children_of(self, ordinal: int, node: int) -> tuple[int, ...]:
        """Ordinals of the rows that wait for a row: a part of a node is waited for by the node's own row alone."""
        return self.children[node] if ordinal == node else (node,)

    @cached_property
    def fans(self) -> Sequence[Fan | None]:
        """Of every task; None where too few children have no other parent."""
        return [self._fan(below) if len(below) >= LEAST_FAN else None for below in self.children]

    def _fan(self, below: Sequence[int]) -> Fan | None:
        alone = [child for child in below if len(self.parents[child]) == 1]
        others = tuple(child for child in below if len(self.parents[child]) > 1)
        return Fan(jsontext.dump(alone), others) if len(alone) >= LEAST_FAN else None

    @cached_property
    def json_keys(self) -> Sequence[str]:
        """The keys of all tasks as JSON strings."""
        return [jsontext.dump(task.key) for task in self.tasks]

    @cached_property
    def is_closer(self) -> Sequence[bool]:
        """Of every task: is there no task that runs only after its end? When all such tasks have ended, the instance has."""
        each = self.each
        waited_for = set().union(
            *[
                set(self.parents[i]).difference(each[i]) if i in each else self.parents[i]
                for i, task in enumerate(self.tasks)
                if rules.waits_in_full(task.trigger_rule)
            ]
        )
        return [i not in waited_for for i in range(len(self.tasks))]

    @cached_property
    def closers(self) -> int:
        return sum(self.is_closer)

    @cached_property
    def has_edges(self) -> bool:
        return any(self.parents)

    @cached_property
    def has_conditions(self) -> bool:
        return any(edge.condition is not None or edge.on is not None for task in self.tasks for edge in task.after)

    @cached_property
    def fallbacks(self) -> Mapping[int, frozenset[int]]:
        """Of tasks that run instead of others while a breaker is open: those others."""
        return fallbacks.above(self.tasks) if self.has_conditions else {}

    @cached_property
    def fallback_of(self) -> Mapping[int, Fallback]:
        """What of tasks does not wait while a breaker is open, as others run instead."""
        return fallbacks.of(self.fallbacks, self.each)


def compile_plan(version_id: int | None, workflow: Workflow, definition_id: int = 0) -> Plan:
    """The plan of a workflow that has passed its checks."""
    tasks = dag.order(workflow)
    ordinals = {task.key: i for i, task in enumerate(tasks)}
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}  # siblings are told by identity on the hot path
    parents = [tuple([ordinals[edge.parent] for edge in task.after]) for task in tasks]
    parents = [shared.setdefault(above, above) for above in parents]
    return Plan(version_id, workflow, tasks, parents, definition_id)


def single_job(job: str) -> Plan:
    """The plan of one job submitted by itself; its parameters are the submission's."""
    return compile_plan(None, Workflow(key=job, tasks=(Task(key=job, job=job),)))


def _kind_of(task: Task) -> TaskKind:
    if task.map is not None:
        return TaskKind.HEAD
    if task.only_waits:
        return TaskKind.WAIT
    return TaskKind.CHILD if task.workflow else TaskKind.TASK


def effective(node: Node | TaskGroup, override: Settings, job: Job | None, outer: Settings) -> Settings:
    """All levels of settings together: override, task, workflow, job, `outer` (a domain's or a daemon's), built-in."""
    return override.over(node.settings).over(job.settings if job else Settings()).over(outer.over(BUILT_IN))


def spawned_settings(plan: Plan, own: Settings, of_job: Settings, outer: Settings) -> Settings:
    """All levels of a spawned task's settings: its own, workflow, job, `outer` (as in `effective`), built-in."""
    return own.over(plan.workflow.defaults).over(of_job.over(outer.over(BUILT_IN)))


def by_name(job: Job | None, params: Mapping[str, Json]) -> dict[str, Json]:
    """Workflow parameters that the job has parameters of the same name for; all of them where it takes any."""
    schema = job.params_schema if job else {}
    if not schema or schema.get("additionalProperties") is True:
        return dict(params)
    wanted = schema.get("properties", {})
    return {name: value for name, value in params.items() if name in wanted}
