"""A workflow version, compiled once and kept in memory: edges as int tuples, parameters as templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from qflowd.define.expressions import Template, compile_condition, compile_value
from qflowd.model import dag, jsontext, rules
from qflowd.model.workflow import BUILT_IN, Job, Json, Settings, Task, Workflow


@dataclass(frozen=True)
class Node:
    """One task of a plan. `node` is its ordinal in topological order.

    `params` is None where the job's own parameters are taken from the workflow's by name. `constant` is the JSON text
    of parameters that are the same in every instance.
    """

    node: int
    key: str
    job: str
    settings: Settings
    parents: tuple[int, ...]
    children: tuple[int, ...]
    params: Template | None
    constant: str | None
    conditions: Mapping[int, Template]  # parent -> condition of the edge from it
    upstream: tuple[int, ...]  # nodes whose outputs its parameters and conditions use

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """All nodes whose outputs an attempt is given: parents, and what its parameters name."""
        return tuple(sorted({*self.parents, *self.upstream}))

    @cached_property
    def is_plain(self) -> bool:
        """Are its parameters the same in every instance, with no condition to look at?"""
        return self.constant is not None and not self.conditions

    @property
    def start(self) -> rules.Counters:
        return rules.start(len(self.parents))


@dataclass(frozen=True)
class Plan:
    """A workflow as the engine runs it. `version_id` is None for the plan of a single job."""

    version_id: int | None
    workflow: Workflow
    nodes: Sequence[Node]

    @cached_property
    def by_key(self) -> Mapping[str, Node]:
        return {node.key: node for node in self.nodes}

    @cached_property
    def children(self) -> Sequence[tuple[int, ...]]:
        return [node.children for node in self.nodes]

    @cached_property
    def labels(self) -> Sequence[str]:
        """The keys of the nodes as JSON texts."""
        return [jsontext.dump(node.key) for node in self.nodes]

    @cached_property
    def closers(self) -> int:
        """How many nodes nothing waits for: when all of them have ended, the instance has."""
        return sum(not node.children for node in self.nodes)

    @cached_property
    def has_conditions(self) -> bool:
        return any(node.conditions for node in self.nodes)


def compile_plan(version_id: int | None, workflow: Workflow) -> Plan:
    """Compile a workflow that has passed its checks."""
    order = dag.order(workflow)
    position = {task.key: i for i, task in enumerate(order)}
    children: list[list[int]] = [[] for _ in order]
    for i, task in enumerate(order):
        for edge in task.after:
            children[position[edge.parent]].append(i)
    # Equal settings become one object, so that the hot path may tell them apart by identity.
    equal: dict[Settings, Settings] = {}
    nodes = [_node(i, task, workflow, position, tuple(children[i]), equal) for i, task in enumerate(order)]
    return Plan(version_id, workflow, nodes)


def single_job(job: str) -> Plan:
    """The plan of one job submitted by itself; its parameters are the submission's."""
    return compile_plan(None, Workflow(key=job, tasks=(Task(key=job, job=job),)))


def _node(
    i: int,
    task: Task,
    workflow: Workflow,
    position: Mapping[str, int],
    children: tuple[int, ...],
    equal: dict[Settings, Settings],
) -> Node:
    template = None if task.params is None else compile_value(dict(task.params))
    conditions = {
        position[edge.parent]: compile_condition(edge.condition) for edge in task.after if edge.condition is not None
    }
    used = set(template.tasks if template else ()).union(*(condition.tasks for condition in conditions.values()))
    settings = task.settings.over(workflow.defaults)
    constant = jsontext.dump(template.render({})) if template is not None and template.is_constant else None
    return Node(
        node=i,
        key=task.key,
        job=task.job,
        settings=equal.setdefault(settings, settings),
        parents=tuple(position[edge.parent] for edge in task.after),
        children=children,
        params=template,
        constant=constant,
        conditions=conditions,
        upstream=tuple(sorted(position[key] for key in used)),
    )


def effective(node: Node, override: Settings, job: Job | None, daemon_timeout_s: float | None) -> Settings:
    """All levels of settings together: override, task, workflow, job, daemon, built-in."""
    outer = Settings(timeout=daemon_timeout_s).over(BUILT_IN)
    return override.over(node.settings).over(job.settings if job else Settings()).over(outer)


def by_name(job: Job | None, params: Mapping[str, Json]) -> dict[str, Json]:
    """Workflow parameters that the job has parameters of the same name for; all of them where it takes any."""
    schema = job.params_schema if job else {}
    if not schema or schema.get("additionalProperties") is True:
        return dict(params)
    wanted = schema.get("properties", {})
    return {name: value for name, value in params.items() if name in wanted}
