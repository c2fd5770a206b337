"""`wait_for`: what a task waits for before it may be claimed, as a file says it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from qflowd.define.fields import Fields
from qflowd.define.file_patterns import MOST_FILES, fault_in_checksum, fault_in_pattern, fault_in_suffix
from qflowd.define.query_text import fault_in_query, names_in
from qflowd.define.readers import Reader, mapping, one_of, short_text, shown, text, whole
from qflowd.define.settings import SETTINGS
from qflowd.model.durations import parse_duration
from qflowd.model.instants import EARLIEST, parse_date, parse_instant
from qflowd.model.names import fault_in_dataset, fault_in_key, fault_in_signal
from qflowd.model.workflow import Json, Task, WaitFor

LONGEST: Final = 1000  # characters of an expression, or of what is to be approved
SHORTEST_EVERY_S: Final = 5.0
_OF_A_JOB: Final = (frozenset(SETTINGS) - {"priority"}) | {
    "params", "map", "chunk", "max_parallel", "label", "tolerate", "max_spawn", "compensate", "compensate_on",
}  # fmt: skip


def read_wait(fields: Fields) -> WaitFor | None:
    """What stands under `wait_for`; None where there is nothing."""
    inner = fields.section("wait_for")
    if fields.data.get("wait_for") is None:
        return None
    given = [fact for fact in FACTS if inner.data.get(fact) is not None]
    if len(given) != 1:
        what = f"names {' and '.join(given)}" if given else "names nothing to wait for"
        if not given and inner.data:
            what = f"has {', '.join(inner.data)}, but nothing to wait for"
        inner.fault(f"{what}; one of {', '.join(FACTS)} is needed")
        return WaitFor()
    readers = {given[0]: FACTS[given[0]], **_BESIDE[given[0]]}
    values: dict[str, Any] = {key: inner.take(key, read, None) for key, read in readers.items()}
    if values.get("sql") is not None:
        _check_query(inner, values)
    inner.close()
    return WaitFor(**{key: value for key, value in values.items() if value is not None})


def check_wait(fields: Fields, task: Task) -> None:
    """What is only for a job does not stand beside a wait that has none; nor is a wait for what cannot wait."""
    if task.wait_for is None:
        return
    if task.only_waits:
        for name in sorted(_OF_A_JOB & fields.data.keys()):
            fields.fault("is for a task with a job; this one only waits", name)
    if task.run_on is not None:
        fields.fault("is not for a task that runs when its instance is terminated", "wait_for")
    if any(edge.each for edge in task.after):
        fields.fault("is not for a map that waits for another one item by item", "wait_for")


def wait_document(wait: WaitFor | None) -> dict[str, Json]:
    """What stands under `wait_for`: only what differs from the defaults."""
    return {} if wait is None else msgspec.to_builtins(wait)


def wait_words(wait: WaitFor) -> str:
    """What it is, in a few words, as it is written: `signal bars.ready`, `workflow cn_bars for 2026-11-20`, `sql on vendor`."""
    if wait.sql:
        return f"sql on {wait.connection}"
    day = f" for {wait.business_date}" if wait.business_date else ""
    return next(f"{fact} {value}" for fact in FACTS if (value := getattr(wait, fact))) + day


def awaited_workflow(wait: WaitFor | None) -> str:
    """The workflow whose success is waited for, where that is known before it is rendered; "" otherwise."""
    return "" if wait is None or "{{" in wait.workflow else wait.workflow


def moment(value: Json, now: datetime) -> datetime:
    """The instant that a duration from now, or an instant, names.

    Raises: ValueError with the text of the fault.
    """
    with suppress(ValueError):
        return now + timedelta(seconds=parse_duration(value))
    with suppress(ValueError):
        return parse_instant(str(value))
    raise ValueError(f'{shown(value)} is neither a duration such as "2h" nor an instant such as 2026-11-20T09:30:00Z')


def _expression(value: Json) -> str:
    if not (string := text(value).strip()):
        raise ValueError("must not be empty")
    return short_text(LONGEST)(string)


def _checked(check: Callable[[str], object]) -> Reader[str]:
    """A reader of strings that `check` lets pass, which raises ValueError; expressions are checked when they are rendered."""

    def read(value: Json) -> str:
        string = _expression(value)
        if "{{" not in string:
            check(string)
        return string

    return read


def _without(fault_in: Callable[[str], str | None]) -> Reader[str]:
    """The same by a function that returns the fault."""

    def check(string: str) -> None:
        if fault := fault_in(string):
            raise ValueError(fault)

    return _checked(check)


def _query(value: Json) -> str:
    string = text(value).strip()
    if fault := fault_in_query(string):
        raise ValueError(fault)
    return string


def _connection(value: Json) -> str:
    string = text(value)
    if fault := fault_in_key(string, "name of a connection"):
        raise ValueError(fault)
    return string


def _values(value: Json) -> dict[str, Json]:
    found = dict(mapping(value))
    for name, each in found.items():
        if isinstance(each, list | dict):
            raise ValueError(f"{name} must be one value: a string, a number, true, false or null, not {shown(each)}")  # noqa: TRY004  read as a fault
    return found


def every_s(value: Json) -> float:
    """The time between two looks, in seconds. Raises: ValueError if it is less than 5 s, or not a duration."""
    if (seconds := parse_duration(value)) < SHORTEST_EVERY_S:
        raise ValueError(f"must be {SHORTEST_EVERY_S:g}s or longer, not {value!r}")
    return seconds


def _check_query(fields: Fields, values: Mapping[str, Any]) -> None:
    """A query has a connection, and exactly the values that its text names."""
    if "connection" not in fields.data:
        fields.fault("needs `connection`: the name of one under [connections] of qflowd.toml")
    given, named = set(values["params"] or ()), names_in(values["sql"])
    if missing := sorted(named - given):
        fields.fault(f"`params` does not give {', '.join(missing)}, which the query names", "sql")
    if idle := sorted(given - named):
        fields.fault(f"gives {', '.join(idle)}, which the query does not name with a colon in front", "params")


_moment: Final = _checked(lambda string: moment(string, EARLIEST))
_duration: Final = _checked(parse_duration)
FACTS: Final[Mapping[str, Reader[str]]] = {
    "signal": _without(fault_in_signal),
    "workflow": _without(lambda string: fault_in_key(string, "workflow key")),
    "dataset": _without(fault_in_dataset),
    "delay": _duration,
    "until": _checked(parse_instant),
    "approval": _expression,
    "file": _without(fault_in_pattern),
    "sql": _query,
}
_TIMEOUT: Final[Mapping[str, Reader[Any]]] = {"timeout": _moment, "on_timeout": one_of("fail", "skip", "continue")}
_BESIDE: Final[Mapping[str, Mapping[str, Reader[Any]]]] = {
    "signal": _TIMEOUT,
    "workflow": {"business_date": _checked(parse_date), **_TIMEOUT},
    "dataset": _TIMEOUT,
    "delay": {},
    "until": {},
    "approval": {"deadline": _moment, "default": one_of("approve", "reject")},
    "file": {
        "stable": _duration,
        "ok": _without(fault_in_suffix),
        "checksum": _without(fault_in_checksum),
        "at_least": whole(1, MOST_FILES),
        **_TIMEOUT,
    },
    "sql": {"connection": _connection, "params": _values, "every": _checked(every_s), **_TIMEOUT},
}
