"""The text of a query that a task waits for: one SELECT with named values, and where these stand in it."""

import re
from collections.abc import Callable, Iterator
from typing import Final

LONGEST_QUERY: Final = 4000  # characters
_TOKEN: Final = re.compile(
    r"""(?P<quoted>'[^']*'|"[^"]*"|`[^`]*`)|(?P<open>['"`])|(?P<comment>--|/\*|\#)|(?P<cast>::)|:(?P<name>[A-Za-z_]\w*)|(?P<end>;)""",
    re.ASCII,
)
_BEGIN: Final = re.compile(r"(select|with)\b", re.IGNORECASE | re.ASCII)
_OTHERWISE: Final = {
    "open": "holds a quotation mark that nothing closes",
    "comment": "holds a comment (--, /* or #); leave it out",
    "end": "holds a semicolon; one statement is sent, without any",
}


def fault_in_query(text: str) -> str | None:
    """Why `text` is not a query that may be waited for; None if it is one."""
    if len(text) > LONGEST_QUERY:
        return f"has {len(text):,} characters; at most {LONGEST_QUERY:,} are allowed"
    if "{{" in text:
        return "holds {{; write a named value such as :d, and give it under `params`"
    if not _BEGIN.match(text):
        return "must be one SELECT, or WITH … SELECT"
    if "\\" in text or "\0" in text:
        return "holds a backslash or a NUL, which databases read differently; give such a value under `params`"
    kinds = (match.lastgroup for match in _TOKEN.finditer(text))
    return next((_OTHERWISE[kind] for kind in kinds if kind in _OTHERWISE), None)


def names_in(text: str) -> set[str]:
    """The names of the values in a query, without their colons."""
    return {name for name, _, _ in _places(text)}


def with_names(text: str, write: Callable[[str], str], escape: Callable[[str], str] = str) -> str:
    """The query with each named value as `write` writes it, and all between them as `escape` does."""
    parts, rest = list[str](), 0
    for name, begin, end in _places(text):
        parts += [escape(text[rest:begin]), write(name)]
        rest = end
    return "".join([*parts, escape(text[rest:])])


def _places(text: str) -> Iterator[tuple[str, int, int]]:
    return ((match["name"], *match.span()) for match in _TOKEN.finditer(text) if match["name"])
