"""The expression language: what Python's grammar may say here, and what it then means over JSON data.

`compile_tree` refuses everything that is not on the list, so that `evaluate` meets only known nodes.
No calls but those of `functions`, no power, no multiplication or formatting of strings, no way to any object
that is not JSON.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from qflowd.define.functions import FUNCTIONS, guard, join_size, number
from qflowd.model.errors import InvalidExpression
from qflowd.model.workflow import Json

LONGEST: Final = 4000  # characters of one expression
DEEPEST: Final = 60  # nodes inside nodes

FACTS: Final = frozenset({"params", "item", "instance", "business_date", "fire_at"})
_CONSTANTS: Final[dict[str, Json]] = {"true": True, "false": False, "null": None}
_COMPARISONS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, group: item in group,
    ast.NotIn: lambda item, group: item not in group,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
}
_ARITHMETIC: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_REFUSED: Final[dict[type, str]] = {
    ast.Pow: "** (power)",
    ast.Lambda: "lambda",
    ast.JoinedStr: "f-strings",
    ast.ListComp: "comprehensions",
    ast.SetComp: "comprehensions",
    ast.DictComp: "comprehensions",
    ast.GeneratorExp: "comprehensions",
    ast.NamedExpr: "assignments",
    ast.Starred: "* in a list",
    ast.Set: "sets",
    ast.Await: "await",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}


class Missing(Exception):
    """A value does not have what the expression asks for; the text says what it has."""


@dataclass(slots=True)
class Uses:
    """What expressions ask for: facts such as `params`, single params by name, outputs of tasks by key."""

    facts: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)


def compile_tree(source: str, uses: Uses) -> ast.expr:
    """The tree of `source`; what it asks for is added to `uses`.

    Raises: InvalidExpression.
    """
    if len(source) > LONGEST:
        raise InvalidExpression(f"an expression may have {LONGEST} characters, this one has {len(source)}")
    try:
        # In brackets of ours it may go over several lines.
        tree = ast.parse(f"({source.strip() or ' = '}\n)", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as problem:
        reason = problem.msg if isinstance(problem, SyntaxError) else "it is nested too deep"
        raise InvalidExpression(f"{{{{ {_short(source)} }}}} cannot be read: {reason}") from None
    if tree.col_offset == 0 and not isinstance(tree, ast.Tuple):  # our own bracket was closed inside
        raise InvalidExpression(f"{{{{ {_short(source)} }}}} cannot be read: unmatched ')'")
    _Checker(source, uses).check(tree, 0)
    return tree


class _Checker:
    """Walks a tree once, refuses what is not in the language, and notes what is used."""

    def __init__(self, source: str, uses: Uses) -> None:
        self.source = source
        self.uses = uses

    def check(self, node: ast.AST, depth: int) -> None:
        if depth > DEEPEST:
            self._refuse("more than 60 levels of nesting")
        if task := task_of(node):
            self.uses.tasks.add(task)
            return
        checks = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.BinOp: self._operator,
            ast.UnaryOp: self._operator,
            ast.Compare: self._compare,
            ast.Dict: self._dict,
        }
        if special := checks.get(type(node)):
            special(node)
        elif type(node) not in _EVALUATORS and type(node) is not ast.Slice:
            self._refuse(_REFUSED.get(type(node), type(node).__name__))
        for child in ast.iter_child_nodes(node):
            is_operand = not isinstance(child, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop | ast.boolop)
            if is_operand and not (isinstance(node, ast.Call) and child is node.func):
                self.check(child, depth + 1)

    def _name(self, node: Any) -> None:
        if node.id in FACTS:
            self.uses.facts.add(node.id)
        elif node.id in FUNCTIONS:
            self._refuse(f"the function {node.id} without a call")
        elif node.id == "tasks":
            self._refuse("tasks alone", '; write tasks["key"].output')
        elif node.id not in _CONSTANTS:
            self._refuse(
                f"the name {node.id!r}", "" if node.id.startswith("_") else f"; of a task, say {node.id}.output"
            )

    def _constant(self, node: Any) -> None:
        if not isinstance(node.value, str | int | float | None):
            self._refuse(f"{type(node.value).__name__} values")
        guard(node.value)

    def _attribute(self, node: Any) -> None:
        if node.attr.startswith("__"):
            self._refuse(f"the name {node.attr!r}")
        self._param(node.value, node.attr)

    def _subscript(self, node: Any) -> None:
        if isinstance(node.slice, ast.Constant):
            self._param(node.value, node.slice.value)

    def _param(self, node: Any, name: object) -> None:
        if isinstance(node, ast.Name) and node.id == "params" and isinstance(name, str):
            self.uses.params.add(name)

    def _call(self, node: Any) -> None:
        if not isinstance(node.func, ast.Name):
            self._refuse("calling anything but the known functions")
        if node.func.id not in FUNCTIONS:
            self._refuse(f"the function {node.func.id!r}", f"; known: {', '.join(sorted(FUNCTIONS))}")
        if node.keywords:
            self._refuse("arguments with names")

    def _operator(self, node: Any) -> None:
        operation = type(node.op)
        if isinstance(node, ast.BinOp) and operation is not ast.Add and operation not in _ARITHMETIC:
            self._refuse(_REFUSED.get(operation, f"the operator {operation.__name__}"))
        if operation is ast.Invert:
            self._refuse("the operator ~")

    def _compare(self, node: Any) -> None:
        for operation, right in zip(node.ops, node.comparators, strict=True):
            is_constant = isinstance(right, ast.Constant) or (isinstance(right, ast.Name) and right.id in _CONSTANTS)
            if isinstance(operation, ast.Is | ast.IsNot) and not is_constant:
                self._refuse("is with anything but null, true, false")

    def _dict(self, node: Any) -> None:
        if None in node.keys:
            self._refuse("** in a mapping")

    def _refuse(self, what: str, hint: str = "") -> NoReturn:
        raise InvalidExpression(f"{{{{ {_short(self.source)} }}}} uses {what}, which expressions do not have{hint}")


def task_of(node: ast.AST) -> str | None:
    """The task whose output `node` is: `bars.output` or `tasks["bars"].output`; None for anything else."""
    if not isinstance(node, ast.Attribute) or node.attr != "output":
        return None
    inner = node.value
    if isinstance(inner, ast.Name) and inner.id not in FACTS and inner.id != "tasks" and inner.id not in _CONSTANTS:
        return None if inner.id.startswith("__") else inner.id
    if (
        isinstance(inner, ast.Subscript)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == "tasks"
        and isinstance(inner.slice, ast.Constant)
        and isinstance(inner.slice.value, str)
    ):
        return inner.slice.value
    return None


def evaluate(node: ast.AST, scope: Mapping[str, Any]) -> Json:
    """The value of a tree that `compile_tree` gave.

    Raises: Missing, functions.TooLarge, TypeError, ValueError, ArithmeticError, LookupError.
    """
    return _EVALUATORS[type(node)](node, scope)


def _name(node: Any, scope: Mapping[str, Any]) -> Json:
    if node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if node.id not in scope:
        raise Missing(f"{node.id} is not known here")
    return scope[node.id]


def _attribute(node: Any, scope: Mapping[str, Any]) -> Json:
    if task := task_of(node):
        if task not in scope["tasks"]:
            raise Missing(f"the task {task} has no output here")
        return scope["tasks"][task]["output"]
    return _item(evaluate(node.value, scope), node.attr, node.value)


def _subscript(node: Any, scope: Mapping[str, Any]) -> Json:
    value = evaluate(node.value, scope)
    if not isinstance(node.slice, ast.Slice):
        return _item(value, evaluate(node.slice, scope), node.value)
    if not isinstance(value, str | list):
        raise Missing(f"{ast.unparse(node.value)} is {_kind(value)} and cannot be sliced")
    bounds = (node.slice.lower, node.slice.upper, node.slice.step)
    return value[slice(*(None if bound is None else evaluate(bound, scope) for bound in bounds))]


def _item(value: Json, key: Json, node: ast.AST) -> Json:
    if isinstance(value, Mapping):
        if isinstance(key, str) and key in value:
            return value[key]
        known = ", ".join(map(str, list(value)[:20])) or "nothing"
        raise Missing(f"{_short(ast.unparse(node))} has no {key!r}; it has {known}")
    if isinstance(value, list | str) and isinstance(key, int) and not isinstance(key, bool):
        if -len(value) <= key < len(value):
            return value[key]
        raise Missing(f"{_short(ast.unparse(node))} has no item {key}; it has {len(value)}")
    raise Missing(f"{_short(ast.unparse(node))} is {_kind(value)} and has no {key!r}")


def _binary(node: Any, scope: Mapping[str, Any]) -> Json:
    left, right = evaluate(node.left, scope), evaluate(node.right, scope)
    if isinstance(node.op, ast.Add):
        return _add(left, right)
    return guard(_ARITHMETIC[type(node.op)](number(left), number(right)))


def _add(left: Any, right: Any) -> Json:
    if type(left) is type(right) and isinstance(left, str | list):
        join_size(left, right)
        return left + right
    return guard(number(left) + number(right))


def _unary(node: Any, scope: Mapping[str, Any]) -> Json:
    value = evaluate(node.operand, scope)
    if isinstance(node.op, ast.Not):
        return not value
    return guard(-number(value) if isinstance(node.op, ast.USub) else number(value))


def _boolean(node: Any, scope: Mapping[str, Any]) -> Json:
    stops_at = isinstance(node.op, ast.Or)
    value: Json = None
    for part in node.values:
        value = evaluate(part, scope)
        if bool(value) is stops_at:
            break
    return value


def _compare(node: Any, scope: Mapping[str, Any]) -> Json:
    left = evaluate(node.left, scope)
    for operation, part in zip(node.ops, node.comparators, strict=True):
        right = evaluate(part, scope)
        if not _COMPARISONS[type(operation)](left, right):
            return False
        left = right
    return True


def _dict(node: Any, scope: Mapping[str, Any]) -> Json:
    found = {}
    for key_node, value_node in zip(node.keys, node.values, strict=True):
        key = evaluate(key_node, scope)
        if not isinstance(key, str):
            raise Missing(f"the key {key!r} of a mapping is not a string")
        found[key] = evaluate(value_node, scope)
    return found


def _kind(value: Json) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _short(source: str) -> str:
    source = source.strip()
    return source if len(source) <= 120 else source[:117] + "..."


_EVALUATORS: Final[dict[type, Callable[[Any, Mapping[str, Any]], Json]]] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.Dict: _dict,
    ast.Constant: lambda node, _: node.value,
    ast.List: lambda node, scope: [evaluate(item, scope) for item in node.elts],
    ast.Tuple: lambda node, scope: [evaluate(item, scope) for item in node.elts],
    ast.IfExp: lambda node, scope: evaluate(node.body if evaluate(node.test, scope) else node.orelse, scope),
    ast.Call: lambda node, scope: guard(FUNCTIONS[node.func.id](*(evaluate(item, scope) for item in node.args))),
}
