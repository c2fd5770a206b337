"""Instances by what they are: which index finds them, and what is then a condition on what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from qflowd.api.finding.patterns import of_glob
from qflowd.api.finding.streams import FoundIds, IdStream, meet
from qflowd.api.finding.when import Between, Read, above_newest, with_ids
from qflowd.model import jsontext
from qflowd.model.instants import EARLIEST, FOREVER
from qflowd.model.states import InstanceState

ALL: Final = frozenset(InstanceState)
OPEN: Final = frozenset(state for state in InstanceState if not state.is_final)
BAD: Final = frozenset({InstanceState.FAILED, InstanceState.TERMINATED})
COUNTED_BY: Final = {  # what counts what these find, where they have no conditions
    "find_ids_of_tenant": "count_ids_of_tenant",
    "find_ids_of_definition": "count_ids_of_definition",
    "find_ids_open": "count_ids_open",
    "find_ids_failed": "count_ids_failed",
    "find_ids_on_date": "count_ids_on_date",
    "find_ids_of_definition_on_date": "count_ids_of_definition_on_date",
}
MOST_WORKFLOWS: Final = 20  # whose instances are looked for one by one
MOST_DAYS: Final = 7  # of business dates that are looked for one by one
MOST_DAYS_OF_ONE: Final = 62  # the same of a single workflow


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """What is asked for; all of it must fit. `workflow` and `name` are globs."""

    between: Between
    states: frozenset[InstanceState] = ALL
    workflow: str | None = None
    job: str | None = None
    name: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    trigger_type: str | None = None
    domain: str | None = None
    tag: str | None = None

    @property
    def is_narrow(self) -> bool:
        """Is anything asked that is a condition on rows, beside states, workflow and business date?"""
        plain = (self.job, self.name, self.trigger_type, self.domain, self.tag)
        return any(value is not None for value in plain) or (self.between.first_at, self.between.end_at) != (
            EARLIEST,
            FOREVER,
        )

    def conditions(self) -> dict[str, Any]:
        """Parameters that all statements of the lists have."""
        return {
            "states": "".join(str(int(state)) for state in sorted(self.states)),
            "trigger_type": self.trigger_type or "",
            "job": self.job or "",
            "is_dated": int(self.date_from is not None or self.date_to is not None),
            "date_from": str(self.date_from or date.min),
            "date_to": str(self.date_to or FOREVER.date()),
            "created_from_at": self.between.first_at,
            "created_to_at": self.between.end_at,
            "workflow": of_glob(self.workflow),
            "name": of_glob(self.name),
            "domain": self.domain or "",
            "tag": "%" if self.tag is None else f"%{of_glob(jsontext.dump(self.tag))}%",
        }

    def days(self, most: int) -> Sequence[date] | None:
        """The business dates that are asked for, if they are few."""
        if self.date_from is None or self.date_to is None or (self.date_to - self.date_from).days >= most:
            return None
        return [self.date_from + timedelta(days=i) for i in range((self.date_to - self.date_from).days + 1)]


def find(read: Read, wanted: InstanceFilter, before: int | None, limit: int) -> FoundIds:
    """The newest ids that fit, below `before`."""
    return meet(read, _streams(read, wanted, before), limit)


def count(read: Read, wanted: InstanceFilter, most: int) -> tuple[int, bool]:
    """How many fit, up to `most`, and whether there may be more.

    What an index alone decides is counted in the database; for what has conditions a moment is taken, as for a page.
    """
    streams = _streams(read, wanted, None)
    if any(stream.is_narrow for stream in streams):
        found = meet(read, streams, most)
        return len(found.ids), found.before is not None
    total = 0
    for stream in streams:
        if total <= most:
            [row] = read(COUNTED_BY[stream.statement], **stream.params, batch=most + 1)
            total += row.instances
    return min(total, most), total > most


def _streams(read: Read, wanted: InstanceFilter, before: int | None) -> list[IdStream]:
    """What finds them; none where nothing can fit."""
    between = with_ids(read, wanted.between)
    before = min(between.before, before if before is not None else between.before)
    definitions = _definitions(read, wanted.workflow)
    if definitions == []:
        return []
    params = wanted.conditions() | {"definition_id": definitions[0] if definitions and len(definitions) == 1 else 0}
    choices = _choices(wanted, definitions)
    if any(is_narrow for _, _, is_narrow in choices):
        before = min(before, above_newest(read))
    return [
        IdStream(name, params | where, before, between.lowest, is_narrow=is_narrow)
        for name, where, is_narrow in choices
    ]


def _choices(wanted: InstanceFilter, definitions: Sequence[int] | None) -> list[tuple[str, dict[str, Any], bool]]:
    """Statements, what each is given beside the conditions, and whether it is to look at a span of ids at a time."""
    is_dated = wanted.date_from is not None or wanted.date_to is not None
    is_narrow = wanted.is_narrow or is_dated
    for name, states in (("find_ids_open", OPEN), ("find_ids_failed", BAD)):
        if wanted.states <= states:
            return [(name, {}, is_narrow or wanted.workflow is not None or wanted.states != states)]
    is_narrow = wanted.is_narrow or wanted.states != ALL
    days = wanted.days(MOST_DAYS_OF_ONE if definitions and len(definitions) == 1 else MOST_DAYS)
    if definitions is not None:
        wheres = [{"definition_id": each} for each in definitions]
        if days is None:
            return [("find_ids_of_definition", where, is_narrow or is_dated) for where in wheres]
        dated = [where | {"date": str(day)} for where in wheres for day in days]
        return [("find_ids_of_definition_on_date", where, is_narrow) for where in dated]
    is_narrow = is_narrow or wanted.workflow is not None
    if days is not None:
        return [("find_ids_on_date", {"date": str(day)}, is_narrow) for day in days]
    return [("find_ids_of_tenant", {}, is_narrow or is_dated)]


def _definitions(read: Read, workflow: str | None) -> list[int] | None:
    """The workflows that a glob means; None: many of them, or there is no glob."""
    if workflow is None:
        return None
    if "*" not in workflow:
        return [row.id for row in read("find_definition_id", workflow=workflow)]
    found = read("find_definitions_like", workflow=of_glob(workflow), batch=MOST_WORKFLOWS + 1)
    return None if len(found) > MOST_WORKFLOWS else [row.id for row in found]
