"""Job settings: how each is read, in `@job`, in files and in rows alike."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, key_text, number, one_of, whole
from qflowd.model.durations import parse_delay, parse_duration, parse_size
from qflowd.model.workflow import Backoff, Settings

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
}


def read_settings(fields: Fields) -> Settings:
    """The settings in `fields`; other keys are left for the caller."""
    return Settings(**{name: fields.take(name, read, None) for name, read in SETTINGS.items()})
