"""Values and conditions with `{{ … }}` inside, compiled once and rendered over the facts of an instance.

A lone expression keeps its type; among other text it becomes text. A scope is a mapping with `params`,
`business_date`, `fire_at`, `instance`, `calendar` (the workflow's, by name), `calendars` (who knows them; else those that
ship), and `tasks`: task key -> {"output": …}, which may be lazy.
"""

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from qflowd.define import functions
from qflowd.define.language import Missing, Scope, Uses, compile_expression
from qflowd.model.errors import ExpressionFailed, InvalidExpression
from qflowd.model.workflow import Json

Render = Callable[[Scope], Json]

_ERRORS: Final = (Missing, functions.TooLarge, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled JSON value or condition.

    `facts` are names like `params`; `params` those asked for by name; `tasks` the keys of tasks whose output it uses;
    `calendars` the names of calendars that are written out in it, "" where it asks the workflow's own; `sessions` the
    functions by which it asks one, whatever its name.
    `render` gives its value in a scope, and raises ExpressionFailed, naming the expression and what is missing.
    """

    facts: frozenset[str]
    params: frozenset[str]
    tasks: frozenset[str]
    calendars: frozenset[str]
    sessions: frozenset[str]
    render: Render = field(repr=False, compare=False)

    @property
    def is_constant(self) -> bool:
        """Whether it renders to the same value in every scope."""
        return not self.facts and not self.tasks and not self.calendars


def compile_value(value: Json) -> Template:
    """The template of a JSON value; expressions may stand in any text in it, but not in keys.

    Raises: InvalidExpression.
    """
    uses = Uses()
    render = _compile(value, uses)

    def bounded(scope: Scope) -> Json:
        value = render(scope)
        try:
            functions.measure(value)
        except functions.TooLarge as error:
            # Outputs are given, not made: each that is named may come on top, once.
            tasks = scope["tasks"]
            given = sum(functions.measure(tasks[key]["output"], math.inf) for key in uses.tasks if key in tasks)
            try:
                functions.measure(value, functions.LARGEST + given)
            except functions.TooLarge:
                raise ExpressionFailed(str(error)) from None
        return value

    return _template(uses, bounded if uses != Uses() else render)


def literal_text(text: str) -> str:
    """What stands outside the expressions. Raises: InvalidExpression."""
    return "".join(part for part in _split(text) if isinstance(part, str))


def compile_condition(text: str) -> Template:
    """The template of a condition, written with or without `{{ }}`; it renders to a bool.

    Raises: InvalidExpression.
    """
    expression = _condition(text)
    return _template(expression.uses, lambda scope: bool(expression.render(scope)))


def condition_tree(text: str) -> ast.expr:
    """The syntax tree of a condition, as it is written.

    Raises: InvalidExpression.
    """
    return ast.parse(_condition(text).source, mode="eval").body


def _condition(text: str) -> "_Expression":
    source = text.strip()
    if source.startswith("{{") and source.endswith("}}") and end_of_expression(source, 2) == len(source) - 2:
        source = source[2:-2]
    return _expression(source.strip())


def _template(uses: Uses, render: Render) -> Template:
    return Template(
        frozenset(uses.facts),
        frozenset(uses.params),
        frozenset(uses.tasks),
        frozenset(uses.calendars),
        frozenset(uses.sessions),
        render,
    )


@dataclass(frozen=True, slots=True)
class _Expression:
    source: str
    evaluate: Render
    uses: Uses

    def render(self, scope: Scope) -> Json:
        try:
            return self.evaluate(scope)
        except _ERRORS as error:
            raise self._failed(f": {error}") from None

    def render_text(self, scope: Scope) -> str:
        value = self.render(scope)
        if value is None:
            remedy = "; submit with a business date" if self.source.strip() == "business_date" else ""
            raise self._failed(f" is null, which cannot stand inside a string{remedy}")
        try:
            return functions.text(value)
        except (functions.TooLarge, ValueError) as error:
            raise self._failed(f": {error}") from None

    def _failed(self, reason: str) -> ExpressionFailed:
        return ExpressionFailed(f"{{{{ {self.source[:200]} }}}}{reason[:400]}")


@lru_cache(maxsize=4096)
def _expression(source: str) -> _Expression:
    uses = Uses()
    return _Expression(source, compile_expression(source, uses), uses)


def _compile(value: Json, uses: Uses) -> Render:
    if isinstance(value, str) and "{{" in value:
        parts = _split(value)
        for part in parts:
            if isinstance(part, _Expression):
                uses.facts |= part.uses.facts
                uses.params |= part.uses.params
                uses.tasks |= part.uses.tasks
                uses.calendars |= part.uses.calendars
                uses.sessions |= part.uses.sessions
        return _text(parts)
    if isinstance(value, dict):
        entries = {key: _compile(item, uses) for key, item in value.items()}
        return lambda scope: {key: render(scope) for key, render in entries.items()}
    if isinstance(value, list):
        items = [_compile(item, uses) for item in value]
        return lambda scope: [render(scope) for render in items]
    return lambda _: value


def _text(parts: list[str | _Expression]) -> Render:
    if len(parts) == 1 and isinstance(parts[0], _Expression):
        return parts[0].render

    def render(scope: Scope) -> str:
        strings: list[str] = []
        for part in parts:
            strings.append(part if isinstance(part, str) else part.render_text(scope))
            if sum(map(len, strings)) > functions.LARGEST:
                raise ExpressionFailed(str(functions.TooLarge()))
        return "".join(strings)

    return render


def _split(text: str) -> list[str | _Expression]:
    """Plain strings and expressions, in their order."""
    parts: list[str | _Expression] = []
    at = 0
    while (start := text.find("{{", at)) >= 0:
        end = end_of_expression(text, start + 2)
        if end < 0:
            raise InvalidExpression(f"{text[start : start + 60]!r} opens {{{{ and never closes it")
        if start > at:
            parts.append(text[at:start])
        parts.append(_expression(text[start + 2 : end].strip()))
        at = end + 2
    if at < len(text):
        parts.append(text[at:])
    return parts


def end_of_expression(text: str, at: int) -> int:
    """Where the `}}` stands that closes an expression beginning at `at`; -1 if nowhere."""
    waiting: list[str] = []
    quote = ""
    while at < len(text):
        character = text[at]
        if quote:
            at += character == "\\"
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif not waiting and text.startswith("}}", at):
            return at
        elif character in _PAIRS:
            waiting.append(_PAIRS[character])
        elif waiting and character == waiting[-1]:
            waiting.pop()
        at += 1
    return -1
