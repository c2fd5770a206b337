"""Named statements: read from `sql/`, rendered for one dialect when they are first run.

A file holds statements, each headed `-- name: verb_noun`, and what several of them share, headed `-- shared: noun`. They are
those of `sql/common/` and of the dialect's own folder, which has the hot ones; a name stands for one statement.
"""

import functools
import re
from collections import namedtuple
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from qflowd import resources
from qflowd.store.render import Renderer, RowSet

_HEADER = re.compile(r"^-- (name|shared): ([a-z_]+)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*$\n?", re.MULTILINE)


@dataclass(slots=True)
class Statement:
    """One statement in the driver's own words.

    `then` is the next part, where the database needs several: each part takes the row set or what the part before it
    found. A literal parameter is a whole number that is written into the text, because the plan depends on it.
    """

    name: str
    sql: str
    rows: RowSet | None = None
    then: "Statement | None" = None
    make_row: Callable[..., Any] | None = None  # set at the first result, when the columns are known
    instants: tuple[int, ...] = ()  # positions of result columns that hold instants
    _with_literals: dict[tuple[int, ...], str] = field(default_factory=dict)

    def text(self, params: Mapping[str, Any]) -> str:
        """The text to send, with literal parameters in their places."""
        if "@" not in self.sql:
            return self.sql
        names = re.findall(r"@([a-z_]+)@", self.sql)
        values = tuple(int(params[name]) for name in names)
        if (sql := self._with_literals.get(values)) is None:
            sql = self.sql
            for name, value in zip(names, values, strict=True):
                sql = sql.replace(f"@{name}@", str(value))
            self._with_literals[values] = sql
        return sql

    def learn_columns(self, names: list[str]) -> None:
        """Remember the result's columns: rows become named tuples, columns `at` and `…_at` become instants."""
        row = _row_type(self.name, tuple(names))
        self.instants = tuple(i for i, name in enumerate(names) if name == "at" or name.endswith("_at"))
        # Not `_make`, which is Python's own code: this is called for every row. It comes last: another thread takes it
        # as the sign that all is known.
        self.make_row = partial(tuple.__new__, row)

    def make_rows(self, rows: list[Any], to_instant: Callable[[Any], Any]) -> list[Any]:
        """Result rows as named tuples; `to_instant` reads what the driver gives for an instant."""
        if self.instants:
            rows = [self._with_instants(row, to_instant) for row in rows]
        return list(map(self.make_row, rows)) if self.make_row else rows

    def _with_instants(self, row: Any, to_instant: Callable[[Any], Any]) -> tuple[Any, ...]:
        values = list(row)
        for i in self.instants:
            if values[i] is not None:
                values[i] = to_instant(values[i])
        return tuple(values)


@functools.cache
def _row_type(name: str, columns: tuple[str, ...]) -> Any:
    return namedtuple(name, columns)  # noqa: PYI024 - columns are known at run time


class Catalog(dict[str, Statement]):
    """The statements of one dialect by name. Each is rendered when it is first asked for; `names` has all there are."""

    _shared: ClassVar[dict[tuple[Any, ...], "Catalog"]] = {}

    def __init__(self, renderer: Renderer, sources: Mapping[str, tuple[Path, str]]) -> None:
        super().__init__()
        self._renderer, self._sources = renderer, sources

    @classmethod
    def shared(cls, renderer: Renderer) -> "Catalog":
        """The catalog of all stores of this process whose databases want the same words: files are read once, and rendered once."""
        words = type(renderer), *sorted(vars(renderer).items())
        if (found := cls._shared.get(words)) is None:
            found = cls._shared.setdefault(words, cls.load(copy(renderer)))
        return found

    @classmethod
    def load(cls, renderer: Renderer) -> "Catalog":
        """Raises: ValueError for two statements of one name."""
        return cls(renderer, _sources(resources.folder("sql"), renderer.dialect))

    @property
    def names(self) -> Collection[str]:
        return self._sources.keys()

    def __missing__(self, name: str) -> Statement:
        file, text = self._sources[name]
        try:
            statement = _statement(self._renderer, name, text)
        except ValueError as error:
            raise ValueError(f"{file.parent.name}/{file.name}, statement {name}: {error}") from error
        return self.setdefault(name, statement)  # another thread may have been faster


@functools.cache
def _sources(place: Path, dialect: str) -> Mapping[str, tuple[Path, str]]:
    """File and text of each statement of a dialect, read once for all stores of a process."""
    sources: dict[str, tuple[Path, str]] = {}
    for folder in ("common", dialect):
        for file in sorted((place / folder).glob("*.sql")):
            for name, text in split(file):
                if name in sources:
                    first = sources[name][0]
                    there = f"{first.parent.name}/{first.name}"
                    raise ValueError(f"{folder}/{file.name}: there is a statement {name} in {there}; rename one")
                sources[name] = file, text
    return sources


def split(file: Path) -> Iterable[tuple[str, str]]:
    """Name and text of every statement of a file; `{noun}` in it is the shared text of that name, which stands above."""
    _, *pieces = _HEADER.split(file.read_text("utf-8"))
    shared: dict[str, str] = {}
    for kind, name, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        for noun, part in shared.items():
            text = text.replace(f"{{{noun}}}", part)  # noqa: PLW2901 - the text, filled in
        if kind == "shared":
            shared[name] = _COMMENT.sub("", text).strip()
        else:
            yield name, text


def _statement(renderer: Renderer, name: str, text: str) -> Statement:
    statement: Statement | None = None
    for part in reversed(renderer.parts(text)):
        without_comments = _COMMENT.sub("", part).strip().rstrip(";")
        if not without_comments:
            raise ValueError("a part has no text")
        sql, rows = renderer.statement(without_comments)
        statement = Statement(name, sql, rows, statement)
    if statement is None:  # a split has at least one part
        raise AssertionError
    return statement
