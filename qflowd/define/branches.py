"""Joins behind branches that exclude one another: a task that waits for both sides of an either-or never runs."""

import ast
from collections.abc import Iterator

from qflowd.define.expressions import condition_tree
from qflowd.model import dag
from qflowd.model.workflow import Workflow

_OPPOSITES = {
    ast.Eq: ast.NotEq, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.In: ast.NotIn, ast.Is: ast.IsNot,
}  # fmt: skip
_OPPOSITES |= {second: first for first, second in _OPPOSITES.items()}


def unreachable(workflow: Workflow) -> Iterator[tuple[str, str, str]]:
    """The first tasks, on each way down, that no run can reach: (task, one condition above it, another one).

    A task runs when all tasks before it succeeded, so all conditions above it must hold; where another trigger rule stands,
    nothing is known. Finds conditions that are opposites, or compare the same with different constants; `workflow` is
    one that was read without faults.
    """
    needed: dict[str, dict[str, ast.expr]] = {}  # task -> conditions above it, by their trees as text
    lost: set[str] = set()
    broken = {edge.parent for task in workflow.tasks for edge in task.after if edge.on}
    for task in dag.order(workflow):
        mine = needed[task.key] = {}
        if task.when is not None:
            mine |= {ast.dump(part): part for part in _parts(condition_tree(task.when))}
        if task.trigger_rule != "all_success":
            continue
        for edge in task.after:
            mine |= needed[edge.parent]
            if edge.parent in broken:
                condition = f"{'' if edge.on else 'not '}breaker_open({edge.parent!r})"
                mine |= {ast.dump(part): part for part in _parts(ast.parse(condition, mode="eval").body)}
            if edge.condition is not None:
                mine |= {ast.dump(part): part for part in _parts(condition_tree(edge.condition))}
        if lost.intersection(edge.parent for edge in task.after):
            lost.add(task.key)
        elif pair := _contradiction(mine):
            lost.add(task.key)
            yield task.key, ast.unparse(pair[0]), ast.unparse(pair[1])


def _parts(tree: ast.expr) -> list[ast.expr]:
    """What must hold for a condition to hold."""
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in _parts(value)]
    return [tree]


def _contradiction(conditions: dict[str, ast.expr]) -> tuple[ast.expr, ast.expr] | None:
    """Two conditions that cannot both hold."""
    equal: dict[str, tuple[str, ast.expr]] = {}  # what is compared -> the constant, and the condition
    for condition in conditions.values():
        if (other := conditions.get(ast.dump(_opposite(condition)))) is not None:
            return condition, other
        if constant := _equality(condition):
            value, first = equal.setdefault(constant[0], (constant[1], condition))
            if value != constant[1]:
                return first, condition
    return None


def _opposite(tree: ast.expr) -> ast.expr:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not):
        return tree.operand
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and type(tree.ops[0]) in _OPPOSITES:
        return ast.Compare(tree.left, [_OPPOSITES[type(tree.ops[0])]()], tree.comparators)
    return ast.UnaryOp(ast.Not(), tree)


def _equality(tree: ast.expr) -> tuple[str, str] | None:
    """What a comparison with a constant compares, and the constant."""
    if not (isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.ops[0], ast.Eq)):
        return None
    left, right = tree.left, tree.comparators[0]
    if isinstance(right, ast.Constant) or (isinstance(right, ast.Name) and right.id in ("true", "false", "null")):
        return ast.dump(left), ast.dump(right)
    return None
