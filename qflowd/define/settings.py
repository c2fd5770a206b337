"""Job settings: how each is read, in `@job`, in files and in rows alike."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, key_text, mapping, number, one_of, whole
from qflowd.model.durations import parse_delay, parse_duration, parse_size
from qflowd.model.errors import InvalidExpression
from qflowd.model.limits import LONGEST_TEXT, MOST_SLOTS, Limits, fault_in_limit, lane_text
from qflowd.model.workflow import Backoff, Json, Retry, Settings

_slots = whole(1, MOST_SLOTS)


def read_limits(value: Json) -> Limits | None:
    """What an attempt takes of limits: `{"vendor:tushare": 1}`; names may hold `{{ … }}`.

    Raises: ValueError naming the limit.
    """
    limits = []
    for name, slots in mapping(value).items():
        if "{{" in str(name):
            _check_expression(name)
        elif fault := fault_in_limit(name):
            raise ValueError(fault)
        try:
            limits.append((name, _slots(slots)))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    text = lane_text(tuple((name, slots) for name, slots in limits if "{{" not in name))
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"is too long: {text} has {len(text)} characters; at most {LONGEST_TEXT} are allowed")
    return tuple(sorted(limits)) or None


def _check_expression(name: str) -> None:
    from qflowd.define.expressions import compile_value

    try:
        compile_value(name)
    except InvalidExpression as error:
        raise ValueError(str(error)) from None


SETTINGS: Final[Mapping[str, Reader[Any]]] = {
    "pool": key_text("pool name"),
    "timeout": parse_duration,
    "retries": whole(0, 1000),
    "retry_delay": parse_delay,
    "backoff": one_of(*get_args(Backoff)),
    "retry_max_delay": parse_duration,
    "jitter": number(0, 1),
    "priority": whole(-1000, 1000),
    "memory": parse_size,
    "limits": read_limits,
    "retry": one_of(*get_args(Retry)),
}


def read_settings(fields: Fields) -> Settings:
    """The settings in `fields`; other keys are left for the caller."""
    return Settings(**{name: fields.take(name, read, None) for name, read in SETTINGS.items()})
