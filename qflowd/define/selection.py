"""Selections of instances and of failures: what `commands.filter` and `--where` say, such as all failed runs since two days."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import flag, shown, text, whole
from qflowd.model.durations import format_duration, parse_duration, refuse_bare_number
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.instants import format_instant, parse_date, parse_instant
from qflowd.model.states import InstanceState

OPEN: Final = frozenset(state for state in InstanceState if not state.is_final)
MOST_IDS: Final = 1000


class Candidate(NamedTuple):
    """What conditions ask of an instance."""

    state: int
    workflow: str  # or the job, of one without a workflow
    business_date: date | str | None
    trigger_type: str
    id: int
    definition_id: int | None  # None: of a single job


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Conditions, all of which an instance must meet; one that is None is met by all.

    `workflow`: a pattern with * and ?, of workflow keys and names of single jobs. `since`: created then or later; a
    number counts seconds back from now. `single`: of a single job, or of a workflow. `task`, `error_class`: patterns that one of its failures must meet, of those that
    nobody has handled; then `since` is about the failure.
    """

    ids: frozenset[int] | None = None
    states: frozenset[InstanceState] | None = None
    workflow: str | None = None
    business_date: date | None = None
    trigger_type: str | None = None
    single: bool | None = None
    since: datetime | float | None = None
    task: str | None = None
    error_class: str | None = None

    @property
    def is_of_failures(self) -> bool:
        """Whether it says something of failures, not of instances alone."""
        return self.task is not None or self.error_class is not None

    def since_at(self, now: datetime) -> datetime | None:
        """The instant that `since` means."""
        return now - timedelta(seconds=self.since) if isinstance(self.since, float | int) else self.since

    def has(self, row: Any) -> bool:
        """Whether an instance (a row of `list_candidates`) meets the conditions, except `since`."""
        return (
            (self.ids is None or row.id in self.ids)
            and (self.states is None or row.state in self.states)
            and _fits(self.workflow, row.workflow)
            and (self.business_date is None or str(row.business_date) == str(self.business_date))
            and (self.trigger_type is None or row.trigger_type == self.trigger_type)
            and (self.single is None or (row.definition_id is None) == self.single)
        )

    def has_failure(self, row: Any) -> bool:
        """Whether a failure (a row of `list_failures`) meets the conditions that are about failures, except `since`."""
        key = f"undo {row.task}" if row.kind == "compensation" else row.task
        return _fits(self.task, key) and _fits(self.error_class, row.error_class)

    def __str__(self) -> str:
        states = None if self.states is None else ",".join(sorted(state.name for state in self.states))
        since = format_instant(self.since) if isinstance(self.since, datetime) else None
        if isinstance(self.since, float | int):
            since = format_duration(self.since)
        about = {
            "ids": None if self.ids is None else f"{len(self.ids)} of them",
            "state": "OPEN" if self.states == OPEN else states,
            "workflow": self.workflow,
            "business_date": self.business_date,
            "trigger_type": self.trigger_type,
            "single": None if self.single is None else str(self.single).lower(),
            "task": self.task,
            "error_class": self.error_class,
            "since": since,
        }
        return ", ".join(f"{name}={value}" for name, value in about.items() if value is not None)


def read_selection(value: Mapping[str, Any]) -> Selection:
    """The selection that a JSON object says.

    Raises: ValueError with every fault; an empty one is a fault as well, as it would mean everything.
    """
    fields = Fields.of(Document(dict(value)))
    values = {_NAMES.get(name, name): fields.take(name, read, None) for name, read in _READERS.items()}
    fields.close()
    if fields.faults:
        raise ValueError("; ".join(map(str, fields.faults)))
    if not any(value is not None for value in values.values()):
        raise ValueError(f"is empty, which would be every instance; there are {', '.join(_READERS)}")
    return Selection(**values)


def _fits(pattern: str | None, value: str) -> bool:
    return pattern is None or fnmatchcase(value, pattern)


def _ids(value: Any) -> frozenset[int]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_IDS:
        raise ValueError(f"must be a list of 1 to {MOST_IDS:,} ids of instances")
    return frozenset(whole(1, LARGEST_INSTANCE)(number) for number in value)


def _states(value: Any) -> frozenset[InstanceState]:
    words = [text(word).upper() for word in (value if isinstance(value, list) else str(value).split(","))]
    if wrong := [word for word in words if word not in InstanceState.__members__ and word != "OPEN"]:
        raise ValueError(f"there is no state {wrong[0]!r}; there are OPEN, {', '.join(InstanceState.__members__)}")
    named = frozenset(InstanceState[word] for word in words if word != "OPEN")
    return named | OPEN if "OPEN" in words else named


def _flag(value: Any) -> bool:
    """Of a command line, where all values are strings, too."""
    return flag({"true": True, "false": False}.get(value, value) if isinstance(value, str) else value)


def parse_since(value: Any) -> datetime | float:
    """A duration in seconds, or an instant, as somebody wrote it. Raises: ValueError."""
    refuse_bare_number(value)
    try:
        return parse_duration(value)
    except ValueError:
        pass
    try:
        return parse_instant(text(value))
    except ValueError:
        raise ValueError(f'must be a duration such as "2d" or an instant, not {shown(value)}') from None


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "ids": _ids,
    "state": _states,
    "workflow": text,
    "business_date": lambda value: parse_date(text(value)),
    "trigger_type": text,
    "single": _flag,
    "since": parse_since,
    "task": text,
    "error_class": text,
}
_NAMES: Final = {"state": "states"}
