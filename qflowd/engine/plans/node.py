"""One task of a plan: what its rows run with, and whose outputs they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from qflowd.define.expressions import Template, compile_condition, compile_value
from qflowd.define.waits import wait_document
from qflowd.model import jsontext
from qflowd.model.workflow import Settings, Task


@dataclass(eq=False)  # not frozen: that would take four times as long to make, and there are thousands
class Node:
    """One task of a plan; it never changes.

    `constant` is the JSON text of parameters that are the same in every instance; None where there are expressions, or
    the job's own parameters are taken from the workflow's by name. `ordinals` are those of all tasks by key.
    """

    ordinal: int  # its place in topological order
    key: str
    task: Task
    settings: Settings  # its own over the workflow's; equal ones are one object
    parents: tuple[int, ...]  # of siblings one object
    children: tuple[int, ...]
    constant: str | None
    conditions: Mapping[int, Template]  # parent -> condition of the edge from it
    ordinals: Mapping[str, int]
    running: frozenset[int]  # maps above whose items may still run when it begins; of its items, each asks for its own

    @property
    def job(self) -> str:
        return self.task.job

    @cached_property
    def params(self) -> Template | None:
        """None where the job's own parameters are taken from the workflow's by name."""
        return None if self.task.params is None else compile_value(dict(self.task.params))

    @cached_property
    def when(self) -> Template | None:
        return None if self.task.when is None else compile_condition(self.task.when)

    @cached_property
    def wait(self) -> Template | None:
        """What it waits for, as a document; None where it waits for nothing but tasks."""
        return None if self.task.wait_for is None else compile_value(wait_document(self.task.wait_for))

    @cached_property
    def produces(self) -> Template | None:
        """The name of the dataset of which its success is a new version; None where it is of none."""
        return compile_value(self.task.produces) if self.task.produces else None

    @cached_property
    def label(self) -> Template | None:
        """What people call an item of a map; None where it goes by its index."""
        return None if self.task.label is None else compile_value(self.task.label)

    @cached_property
    def map_sources(self) -> frozenset[int]:
        """The nodes whose outputs the list of its map is made of."""
        return frozenset(self.ordinals[key] for key in compile_value(self.task.map).tasks)

    @cached_property
    def uses_item(self) -> bool:
        """Do its parameters ask for the item? Else nobody needs the list but for its length."""
        return self.constant is None and self.params is not None and "item" in self.params.facts

    @cached_property
    def named(self) -> frozenset[int]:
        """The nodes whose outputs its parameters and conditions name; of `running` maps that is the output of one item."""
        templates = [*self.conditions.values()]
        if self.when is not None:
            templates.append(self.when)
        if self.wait is not None:
            templates.append(self.wait)
        if self.constant is None and self.params is not None:
            templates.append(self.params)
        return frozenset(self.ordinals[key] for template in templates for key in template.tasks) - self.running

    @cached_property
    def named_items(self) -> frozenset[int]:
        """The maps of which its parameters name the output of the same item."""
        if self.constant is not None or self.params is None:
            return frozenset()
        return self.running.intersection(self.ordinals[key] for key in self.params.tasks)

    @cached_property
    def items_asked(self) -> frozenset[int]:
        """The maps of which an item may ask for the output of the same item: parents, and `named_items`."""
        return self.running.intersection(self.parents) | self.named_items

    @cached_property
    def sources(self) -> tuple[int, ...]:
        """All nodes whose outputs an attempt may ask for: parents, and `named`."""
        if not self.named and not self.running:
            return self.parents
        return tuple(sorted(self.named.union(self.parents) - self.running))


def constant_params(task: Task) -> str | None:
    """The JSON text of params without expressions; None where there are some, or no params."""
    text = None if task.params is None else jsontext.dump(dict(task.params))
    return text if text is not None and "{{" not in text else None


def edge_conditions(task: Task, ordinals: Mapping[str, int]) -> dict[int, Template]:
    """Of the edges to a task that have conditions: parent -> condition."""
    return {
        ordinals[edge.parent]: compile_condition(edge.condition) for edge in task.after if edge.condition is not None
    }
