"""Macros: the few places where the three databases want other words for the same thing.

{task.READY} {instance.FAILED} {intent.TERMINATE} {reason.LOST} {version.ACTIVE} {daemon.GONE}   a state's code
{words: task t.state}        the code's word, as a CASE
{error_class: t.reason a.error}   what a failure is grouped by: its reason, or the class at the beginning of its error
{rows: id bigint, fence int} the parameter `rows` as a table with these columns
{row: id bigint, fence int}  the same, of a statement that SQLite runs for each row: its columns are parameters `:id`, `:fence`
{each: r.nodes} AS n         the numbers in a column of type `numbers`, as a table with the column `value`
{update: t x, a bigint, b int | x.a = d.a} x = d.b   update table t (alias x) from the row set d
{delete: t x, a bigint | x.a = d.a}                  delete from table t (alias x) what the row set d names
{literal: batch}             a whole number that becomes part of the text, since the plan depends on it
{clock}  {clock + :lease_s}  the server's own clock (leases only; everything else takes :now)
{forever}                    the instant FOREVER of `model/instants.py`, when what waits for a person is due
{seconds: a, b}              seconds from instant a to instant b
{instant: a}                 instant a as the contract shows it (SQLite keeps whole microseconds, shows text)
{utc_text: a}                the same within a sentence: to the second, in UTC whatever the session's zone
{concat: a, b} {names: c}    text of several values; of a column's values, with commas
{contains: a, b}             text b is part of text a, the empty text of any
{in_few: SELECT …}           in what a SELECT gives, which is looked up before all rows
{until_colon: a}             text a up to its first colon, or all of it
{upsert: a, b}               what follows VALUES/SELECT to replace columns where the key (a, b) is there
{excluded: c}                the refused row's column c, in an upsert
{ignored: table.c}           ends an INSERT that leaves rows whose key is there; c: any column of the table
{returning: id}              an INSERT gives back the id it made (MySQL: a second part asks for it)
{date_cast}                  the type to cast a date parameter to
{lock}                       lock the rows, skip those that are locked
{only: postgres …}           words for one dialect
{bigint} {identity} {key} {text} {instant} …   column types, in migrations
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from qflowd.model import states

_STATES: dict[str, type[IntEnum]] = {
    "task": states.TaskState,
    "instance": states.InstanceState,
    "saga": states.SagaState,
    "intent": states.Intent,
    "reason": states.Reason,
    "kind": states.TaskKind,
    "fact": states.FactKind,
    "wait": states.WaitState,
    "version": states.VersionState,
    "daemon": states.DaemonState,
    "backfill": states.BackfillState,
    "of_date": states.DateState,
}
_TYPES = {"bigint", "int", "smallint", "double", "text", "date", "instant", "microseconds", "numbers"}
_DIALECTS = {"sqlite", "postgres", "mysql"}
# Macros with an argument, `{0}`, as most databases say them.
TEMPLATES: dict[str, str] = {
    "literal": "@{0}@",
    "ignored": "ON CONFLICT DO NOTHING",
    "returning": "RETURNING {0}",
    "excluded": "excluded.{0}",
    "upsert": "ON CONFLICT ({0}) DO UPDATE SET",
    "instant": "{0}",
    "concat": "CONCAT({0})",
    "contains": "INSTR({0}) > 0",
    "in_few": "IN ({0})",
}
# Words as most databases say them; one that limits an indexed string has its own for those types.
WORDS: dict[str, str] = {
    **dict.fromkeys(("key", "word", "inbox_key", "lane_limits", "code_file", "plugin_file", "text", "output"), "TEXT"),
    **dict.fromkeys(("date", "date_cast"), "DATE"),
    **dict.fromkeys(("table", "hot_table"), ""),
    "bigint": "BIGINT",
    "bigint_key": "BIGINT PRIMARY KEY",
    "int": "INTEGER",
    "smallint": "SMALLINT",
}
_MACRO = re.compile(r"\{(?P<word>[a-z_]+)(?:(?P<dot>\.)(?P<state>[A-Z_]+)|(?P<rest>[^{}]*))\}")
_JOINED = re.compile(
    r"\{(?P<verb>update|delete): (?P<table>[\w.]+) (?P<alias>\w+), (?P<columns>[^|]+)\|(?P<on>[^}]+)\}(?P<set>.*)",
    re.DOTALL,
)
_COMMENT = re.compile(r"^\s*--.*$\n?", re.MULTILINE)
_DDL_END = re.compile(r"^;$", re.MULTILINE)
LITERAL_OR_PARAM = re.compile(r"'(?:[^']|'')*'|%|(?<![:\w]):(?P<param>[a-z_]+)\b")


@dataclass(frozen=True, slots=True)
class RowSet:
    """Columns of a row set: names and types (bigint, int, smallint, double, text, date, instant, microseconds, numbers).

    `microseconds` is an instant given as a whole number since 1970: the hot path makes no objects for it. `numbers` is a
    JSON list of whole numbers. `others` are the statement's other parameters, where they follow each row.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    others: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "RowSet":
        pairs = [column.split() for column in text.split(",")]
        if wrong := [" ".join(pair) for pair in pairs if len(pair) != 2 or pair[1] not in _TYPES]:
            raise ValueError(f"no such column type: {', '.join(wrong)}")
        return cls(tuple(name for name, _ in pairs), tuple(kind for _, kind in pairs))


class Renderer:
    """Base of the three renderers. A subclass has its `words` and `templates`, and overrides what takes more."""

    dialect: ClassVar[str]
    words: ClassVar[dict[str, str]]
    templates: ClassVar[dict[str, str]]

    def statement(self, text: str) -> tuple[str, RowSet | None]:
        """Render macros and parameters; return the text and the row set it takes."""
        row_sets: list[RowSet] = []
        text = _JOINED.sub(self._joined, text)

        def replace(match: re.Match[str]) -> str:
            if match["word"] in ("rows", "row"):
                row_sets.append(RowSet.parse(match["rest"].lstrip(":")))
                return self.rows(row_sets[-1]) if match["word"] == "rows" else ""
            return self.macro(match)

        text = self._innermost_first(text, replace)
        return self.parameters(text, row_sets[0] if row_sets else None)

    def _joined(self, match: re.Match[str]) -> str:
        table, alias, columns, on = (match[group].strip() for group in ("table", "alias", "columns", "on"))
        rest = match["set"].strip()
        if match["verb"] == "update":
            return self.update_from(table, alias, f"{{rows: {columns}}} d", on, rest)
        return self.delete_using(table, alias, f"{{rows: {columns}}} d", on)

    def update_from(self, table: str, alias: str, rows: str, on: str, assignments: str) -> str:
        bare = re.sub(rf"(^|,\s*){alias}\.(\w+ =)", r"\1\2", assignments)
        return f"UPDATE {table} AS {alias} SET {bare} FROM {rows} WHERE {on}"  # noqa: S608 - our own files

    def delete_using(self, table: str, alias: str, rows: str, on: str) -> str:
        return f"DELETE FROM {table} AS {alias} USING {rows} WHERE {on}"  # noqa: S608 - our own files

    def parts(self, text: str) -> list[str]:
        """The parts of a statement, separated by lines `-- then`."""
        whole = re.sub(r"\{returning: (\w+)\}", lambda match: self.templates["returning"].format(match[1]), text)
        return re.split(r"^-- then\s*$", whole, flags=re.MULTILINE)

    def split_ddl(self, text: str) -> list[str]:
        """The statements of a migration that this database has, not rendered. They are separated by lines that hold only `;`."""
        parts = (_COMMENT.sub("", part).strip() for part in _DDL_END.split(text))
        return [part for part in parts if part and (not part.startswith("{only:") or self.ddl(part))]

    def ddl(self, statement: str) -> str:
        """A statement of a migration, rendered."""
        return self.qualify(self._innermost_first(statement, self.macro).strip())

    def qualify(self, ddl: str) -> str:
        return ddl

    def _innermost_first(self, text: str, replace: Callable[[re.Match[str]], str]) -> str:
        def replace_known(match: re.Match[str]) -> str:
            try:
                return replace(match)
            except (KeyError, AttributeError, ValueError) as error:
                raise ValueError(
                    f"macro {match[0]} means nothing on {self.dialect} ({error}); qflowd/store/render.py lists them"
                ) from error

        while (new := _MACRO.sub(replace_known, text)) != text:
            text = new
        return text

    def macro(self, match: re.Match[str]) -> str:
        word, rest = match["word"], (match["rest"] or "").strip()
        if match["dot"]:
            return str(int(_STATES[word][match["state"]]))
        if word == "only":
            dialects, text = rest.lstrip(": ").split(None, 1)
            if unknown := set(dialects.split(",")) - _DIALECTS:
                raise ValueError(f"no such dialect: {', '.join(sorted(unknown))}")
            return text if self.dialect in dialects.split(",") else ""
        if rest.startswith(":"):
            if (shape := getattr(self, f"macro_{word}", None)) is not None:
                return str(shape(rest[1:].strip()))
            return self.templates[word].format(rest[1:].strip())
        if rest.startswith("+"):
            return self.templates["clock_plus"].format(rest[1:].strip())
        return self.words[word]

    def macro_words(self, rest: str) -> str:
        family, column = rest.split(None, 1)
        cases = " ".join(f"WHEN {code} THEN '{word}'" for code, word in states.words(_STATES[family]).items())
        return f"CASE {column} {cases} END"

    def macro_error_class(self, rest: str) -> str:
        """A reason other than an error by its word; an error without a class is an `error`."""
        reason, error = rest.split()
        of_error = f"{{until_colon: {error}}}"
        return (
            f"CASE WHEN {reason} > {{reason.ERROR}} THEN {{words: reason {reason}}} "
            f"WHEN REPLACE({of_error}, ' ', '') = {of_error} THEN {of_error} ELSE 'error' END"
        )

    def macro_seconds(self, rest: str) -> str:
        """From one instant to another; 0 where a clock was set back in between."""
        first, last = top_level_parts(rest)
        return f"CASE WHEN {last} < {first} THEN 0 ELSE {self.templates['elapsed'].format(first, last)} END"

    def macro_index(self, rest: str) -> str:
        """`name ON table (columns) WHERE predicate | (columns without partial indexes)`."""
        partial, _, _ = rest.partition("|")
        return f"CREATE INDEX IF NOT EXISTS {partial.strip()}"

    def macro_unique_index(self, rest: str) -> str:
        """The same of columns that no two rows share; rows with NULL in one of them may."""
        return self.macro_index(rest).replace("CREATE INDEX", "CREATE UNIQUE INDEX", 1)

    def rows(self, rows: RowSet) -> str:
        raise NotImplementedError

    def parameters(self, text: str, rows: RowSet | None) -> tuple[str, RowSet | None]:
        """`:name` in the driver's style (pyformat here); literals are left alone, except their percent signs."""

        def replace(match: re.Match[str]) -> str:
            return f"%({match['param']})s" if match["param"] else match[0].replace("%", "%%")

        return LITERAL_OR_PARAM.sub(replace, text), rows


def top_level_parts(text: str) -> list[str]:
    """The parts of a list of SQL expressions, split at commas outside brackets and quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for i, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if character == "," and not depth:
                parts.append(text[start:i].strip())
                start = i + 1
    return [*parts, text[start:].strip()]
