"""Renaming a task inside expressions: `bars.output` and `tasks["bars"].output` follow its key, all other text stays as it is."""

import ast
from collections.abc import Iterator
from typing import Final

from qflowd.define.expressions import end_of_expression
from qflowd.define.language import task_of
from qflowd.model.workflow import Json

_OPEN, _CLOSE = "{{", "}}"
_BRACKET: Final = "("  # of ours, before an expression: inside it may go over several lines


def renamed_in_value(value: Json, old: str, new: str) -> Json:
    """A JSON value in whose expressions the task `old` is called `new`; keys are left alone."""
    if isinstance(value, str):
        return renamed_in_text(value, old, new)
    if isinstance(value, dict):
        return {key: renamed_in_value(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed_in_value(item, old, new) for item in value]
    return value


def renamed_in_text(text: str, old: str, new: str) -> str:
    """As `renamed_in_value`, of a string with `{{ … }}` inside. What cannot be read stays as it is."""
    done, at = "", 0
    while (start := text.find(_OPEN, at)) >= 0:
        end = end_of_expression(text, start + len(_OPEN))
        if end < 0:
            break
        done += text[at : start + len(_OPEN)] + renamed_in_expression(text[start + len(_OPEN) : end], old, new)
        at = end
    return done + text[at:]


def renamed_in_condition(text: str, old: str, new: str) -> str:
    """As `renamed_in_text`, of a condition, which may stand without `{{ }}`."""
    return renamed_in_text(text, old, new) if _OPEN in text else renamed_in_expression(text, old, new)


def renamed_in_expression(source: str, old: str, new: str) -> str:
    """As `renamed_in_text`, of what stands between the brackets."""
    try:
        tree = ast.parse(f"{_BRACKET}{source}\n)", mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return source
    lines = f"{_BRACKET}{source}".split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def place(line: int, column: int) -> int:
        """Columns of the parser count bytes."""
        return starts[line - 1] + len(lines[line - 1].encode()[:column].decode()) - len(_BRACKET)

    for node in reversed(list(_outputs_of(tree, old))):
        inner = node.value
        start, end = place(inner.lineno, inner.col_offset), place(inner.end_lineno or 0, inner.end_col_offset or 0)
        source = source[:start] + _named(new, is_dotted=isinstance(inner, ast.Name)) + source[end:]
    return source


def _outputs_of(tree: ast.AST, task: str) -> Iterator[ast.Attribute]:
    """The places where the output of a task is asked for, in their order; none of them lies inside another."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and task_of(node) == task]
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _named(task: str, *, is_dotted: bool) -> str:
    """How an expression names a task: by its key where that is a word of the language, if it did so before."""
    if is_dotted:
        try:
            if task_of(ast.parse(f"{task}.output", mode="eval").body) == task:
                return task
        except SyntaxError:
            pass
    return "tasks[" + '"' + task + '"' + "]"
