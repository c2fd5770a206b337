"""The expression language: what Python's grammar may say here, and what it then means over JSON data.

Each kind of node has one method, which refuses what is not in the language and returns a function of the scope; other
nodes are refused. So nothing can be evaluated that was not checked. No calls but those of `functions`, no
power, no multiplication or formatting of strings, no way to any object that is not JSON.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from qflowd.define.functions import FUNCTIONS, guard, join_size, number
from qflowd.define.session_functions import SESSION_FUNCTIONS, ask_calendar
from qflowd.model.errors import InvalidExpression
from qflowd.model.workflow import Json

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Json]

LONGEST: Final = 4000  # characters of one expression
DEEPEST: Final = 60  # nodes inside nodes

FACTS: Final = frozenset({"params", "item", "index", "instance", "business_date", "fire_at"})
# In a scope, and no facts, so a task may be called so: name of the workflow's calendar, and who knows calendars by name.
OWN_CALENDAR: Final = "calendar"
CALENDARS: Final = "calendars"
_CALLED: Final = sorted([*FUNCTIONS, *SESSION_FUNCTIONS])
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
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_ARITHMETIC: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_UNARY: Final[dict[type, Callable[[Any], Any]]] = {
    ast.Not: operator.not_,
    ast.USub: lambda value: guard(-number(value)),
    ast.UAdd: number,
}


class Missing(Exception):
    """A value does not have what the expression asks for; the text says what it has."""


@dataclass(slots=True)
class Uses:
    """What expressions ask for: facts such as `params`, single params by name, outputs of tasks by key.

    `calendars`: the names that are written out in calls; "" is the workflow's own. `sessions`: the functions that ask one.
    """

    facts: set[str] = field(default_factory=set)
    params: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)
    calendars: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)


def compile_expression(source: str, uses: Uses) -> Evaluate:
    """The function that evaluates `source`; what it asks for is added to `uses`.

    The function raises Missing, functions.TooLarge, TypeError, ValueError, ArithmeticError, LookupError.

    Raises: InvalidExpression.
    """
    if len(source) > LONGEST:
        raise InvalidExpression(f"an expression may have {LONGEST} characters, this one has {len(source)}")
    text = f"({source.strip() or ' = '}\n)"  # in brackets of ours it may go over several lines
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deep"
        raise InvalidExpression(f"{{{{ {_short(source)} }}}} cannot be read: {reason}") from None
    if tree.col_offset == 0 and not isinstance(tree, ast.Tuple):  # our own bracket was closed inside
        raise InvalidExpression(f"{{{{ {_short(source)} }}}} cannot be read: unmatched ')'")
    return _Compiler(text, uses).compile(tree)


class _Compiler(ast.NodeVisitor):
    """Walks a tree once."""

    def __init__(self, text: str, uses: Uses) -> None:
        self._text = text
        self._uses = uses
        self._depth = 0

    def compile(self, node: ast.expr) -> Evaluate:
        if self._depth > DEEPEST:
            raise InvalidExpression(f"{{{{ {_short(self._text[1:-2])} }}}} is nested more than {DEEPEST} levels deep")
        self._depth += 1
        evaluate: Evaluate = self.visit(node)
        self._depth -= 1
        return evaluate

    def generic_visit(self, node: Any) -> NoReturn:
        self._refuse(node)

    def visit_Name(self, node: ast.Name) -> Evaluate:
        name = node.id
        if name in _CONSTANTS:
            return lambda _: _CONSTANTS[name]
        if name not in FACTS:
            hints = {"tasks": '; write tasks["key"].output', **dict.fromkeys(_CALLED, " without a call")}
            self._refuse(node, hints.get(name, f"; of a task, write {name}.output"))
        self._uses.facts.add(name)

        def fact(scope: Scope) -> Json:
            if name not in scope:
                raise Missing(f"{name} is not known here")
            return scope[name]

        return fact

    def visit_Constant(self, node: ast.Constant) -> Evaluate:
        value = node.value
        if not isinstance(value, str | int | float | None):
            self._refuse(node)
        try:
            guard(value)
        except ValueError as error:
            raise InvalidExpression(f"{{{{ {_short(self._text[1:-2])} }}}}: {error}") from None
        return lambda _: value

    def visit_Attribute(self, node: ast.Attribute) -> Evaluate:
        if (task := task_of(node)) is not None:
            self._uses.tasks.add(task)
            return lambda scope: _output(scope, task)
        if node.attr.startswith("__"):
            self._refuse(node)
        return self._member(node, node.attr, lambda _: node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> Evaluate:
        if not isinstance(node.slice, ast.Slice):
            name = node.slice.value if isinstance(node.slice, ast.Constant) else None
            return self._member(node, name, self.compile(node.slice))
        group = self.compile(node.value)
        limits = (node.slice.lower, node.slice.upper, node.slice.step)
        bounds = [(lambda _: None) if limit is None else self.compile(limit) for limit in limits]

        def part(scope: Scope) -> Json:
            if not isinstance(value := group(scope), str | list):
                raise Missing(f"{_short(ast.unparse(node.value))} is {_kind(value)} and cannot be sliced")
            return value[slice(*(bound(scope) for bound in bounds))]

        return part

    def _member(self, node: ast.Attribute | ast.Subscript, name: object, key: Evaluate) -> Evaluate:
        inner = node.value
        if isinstance(inner, ast.Name) and inner.id == "params" and isinstance(name, str):
            self._uses.params.add(name)
        group = self.compile(inner)
        return lambda scope: _item(group(scope), key(scope), inner)

    def visit_Call(self, node: ast.Call) -> Evaluate:
        if not isinstance(node.func, ast.Name) or node.func.id not in _CALLED or node.keywords:
            self._refuse(node, f"; functions, without names of arguments: {', '.join(_CALLED)}")
        if node.func.id in SESSION_FUNCTIONS:
            return self._sessions(node.func.id, node)
        function, arguments = FUNCTIONS[node.func.id], self._all(node.args)
        return lambda scope: guard(function(*(argument(scope) for argument in arguments)))

    def _sessions(self, name: str, node: ast.Call) -> Evaluate:
        """A call of a function that asks the calendar that its last argument names; else the workflow's."""
        function, arguments = SESSION_FUNCTIONS[name], self._all(node.args)
        self._uses.sessions.add(name)
        last = node.args[-1].value if node.args and isinstance(node.args[-1], ast.Constant) else None
        calendar: Evaluate = _own_calendar
        if len(arguments) > function.most or (len(arguments) > function.least and isinstance(last, str)):
            calendar = arguments.pop()
            self._uses.calendars.update((last,) if isinstance(last, str) else ())
        else:
            self._uses.calendars.add("")
        if not function.least <= len(arguments) <= function.most:
            self._refuse(node, f"; write {function.signature}")
        return lambda scope: ask_calendar(
            name, calendar(scope), [value(scope) for value in arguments], scope.get(CALENDARS)
        )

    def visit_BinOp(self, node: ast.BinOp) -> Evaluate:
        operation = _ARITHMETIC.get(type(node.op))
        if operation is None and not isinstance(node.op, ast.Add):
            self._refuse(node)
        left, right = self._all([node.left, node.right])
        if operation is None:
            return lambda scope: _add(left(scope), right(scope))
        return lambda scope: guard(operation(number(left(scope)), number(right(scope))))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Evaluate:
        operation = _UNARY.get(type(node.op))
        if operation is None:
            self._refuse(node)
        operand = self.compile(node.operand)
        return lambda scope: operation(operand(scope))

    def visit_BoolOp(self, node: ast.BoolOp) -> Evaluate:
        parts, stops_at = self._all(node.values), isinstance(node.op, ast.Or)

        def last_needed(scope: Scope) -> Json:
            value: Json = None
            for part in parts:
                value = part(scope)
                if bool(value) is stops_at:
                    break
            return value

        return last_needed

    def visit_Compare(self, node: ast.Compare) -> Evaluate:
        for kind, part in zip(node.ops, node.comparators, strict=True):
            is_constant = isinstance(part, ast.Constant) or (isinstance(part, ast.Name) and part.id in _CONSTANTS)
            if isinstance(kind, ast.Is | ast.IsNot) and not is_constant:
                self._refuse(node, "; `is` takes null, true or false")
        first, *others = self._all([node.left, *node.comparators])
        steps = list(zip((_COMPARISONS[type(kind)] for kind in node.ops), others, strict=True))

        def holds(scope: Scope) -> Json:
            left = first(scope)
            for compare, part in steps:
                right = part(scope)
                if not compare(left, right):
                    return False
                left = right
            return True

        return holds

    def visit_IfExp(self, node: ast.IfExp) -> Evaluate:
        test, body, other = self._all([node.test, node.body, node.orelse])
        return lambda scope: body(scope) if test(scope) else other(scope)

    def visit_List(self, node: ast.List | ast.Tuple) -> Evaluate:
        items = self._all(node.elts)
        return lambda scope: [item(scope) for item in items]

    def visit_Tuple(self, node: ast.Tuple) -> Evaluate:
        return self.visit_List(node)

    def visit_Dict(self, node: ast.Dict) -> Evaluate:
        keys = [key for key in node.keys if key is not None]
        if len(keys) < len(node.keys):  # ** in it
            self._refuse(node)
        entries = list(zip(self._all(keys), self._all(node.values), strict=True))
        return lambda scope: {_key(key(scope)): value(scope) for key, value in entries}

    def _all(self, nodes: list[ast.expr]) -> list[Evaluate]:
        return [self.compile(node) for node in nodes]

    def _refuse(self, node: ast.expr, hint: str = "") -> NoReturn:
        part = _short(ast.get_source_segment(self._text, node) or "")
        raise InvalidExpression(
            f"{{{{ {_short(self._text[1:-2])} }}}} uses {part}, which expressions do not have{hint}"
        )


def task_of(node: ast.expr) -> str | None:
    """The task whose output `node` is: `bars.output` or `tasks["bars"].output`; None for anything else."""
    match node:
        case ast.Attribute(ast.Name(name), "output"):
            # A task may be called index: a number has no output.
            is_taken = name in FACTS - {"index"} or name == "tasks" or name in _CONSTANTS or name.startswith("__")
            return None if is_taken else name
        case ast.Attribute(ast.Subscript(ast.Name("tasks"), ast.Constant(str(name))), "output"):
            return name
    return None


def _own_calendar(scope: Scope) -> Json:
    return scope.get(OWN_CALENDAR, "")


def _output(scope: Scope, task: str) -> Json:
    if task not in scope["tasks"]:
        raise Missing(f"the task {task} has no output here")
    return scope["tasks"][task]["output"]


def _item(value: Json, key: Json, node: ast.expr) -> Json:
    """The member `key` of `value`, which is what `node` gave."""
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


def _add(left: Any, right: Any) -> Json:
    if type(left) is type(right) and isinstance(left, str | list):
        join_size(left, right)
        return left + right
    return guard(number(left) + number(right))


def _key(key: Json) -> str:
    if not isinstance(key, str):
        raise Missing(f"the key {key!r} of a mapping is not a string")
    return key


def _kind(value: Json) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _short(source: str) -> str:
    source = source.strip()
    return source if len(source) <= 120 else source[:117] + "..."
