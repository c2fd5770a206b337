"""Rows of the inboxes, read as documents are: by the engine, and by the client before it writes one."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, key_text, mapping, short_text, text, whole
from qflowd.define.selection import read_selection
from qflowd.define.settings import read_settings
from qflowd.model import jsontext
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS
from qflowd.model.instants import parse_date, parse_instant
from qflowd.model.names import fault_in_signal
from qflowd.model.workflow import Json, Settings

LARGEST_PARAMS: Final = 1 << 20  # bytes
# Zero, or seconds where milliseconds were meant, lie before it.
OLDEST_RUN_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Override:
    """What a submission changes about one task."""

    params: Mapping[str, Json]
    settings: Settings
    skip: str | None = None  # why it is not run


def read_submission(row: Mapping[str, Any]) -> tuple[dict[str, Any], Fields]:
    """The columns of a row of `submissions` that are not null, and the fields that hold their faults."""
    row = {**row, "workflow": row.get("workflow") or None, "job": row.get("job") or None}
    fields = Fields.of(Document(row))
    if (row["workflow"] is None) == (row["job"] is None):
        fields.fault("name either a workflow or a job" + (", not both" if row["job"] else ""))
    elif row["job"] and row.get("version") is not None:
        fields.fault("only a workflow has versions; leave it null for a job", "version")
    return _taken(fields, _SUBMISSION), fields


def read_command(row: Mapping[str, Any]) -> tuple[dict[str, Any], Fields]:
    """The columns of a row of `commands` that are not null, and the fields that hold their faults."""
    fields = Fields.of(Document(dict(row)))
    return _taken(fields, _COMMAND), fields


def read_signal(row: Mapping[str, Any]) -> tuple[dict[str, Any], Fields]:
    """The columns of a row of `signals` that are not null, and the fields that hold their faults."""
    fields = Fields.of(Document(dict(row)))
    return _taken(fields, _SIGNAL), fields


def read_overrides(value: Any) -> dict[str, Override]:
    """What `{"tasks": {"bars": {"params": {…}, "timeout": "5m", "retries": 1}}}` says of each task.

    Raises: ValueError with every fault.
    """
    top = Fields.of(Document(_json_object("overrides", " with the key tasks")(value)))
    overrides = {}
    for key, fields in top.section("tasks").sections():
        overrides[key] = Override(
            fields.take("params", mapping, {}), read_settings(fields), fields.take("skip", short_text(2000), None)
        )
        fields.close()
    top.close()
    if top.faults:
        raise ValueError("; ".join(map(str, top.faults)))
    return overrides


def _taken(fields: Fields, readers: Mapping[str, Reader[Any]]) -> dict[str, Any]:
    values = {name: fields.take(name, read, None) for name, read in readers.items()}
    return {name: value for name, value in values.items() if value is not None}


def _text(value: Any, wanted: str = "text") -> str:
    if not isinstance(value, bytes):
        return text(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError(f"is a blob of {len(value):,} bytes that are not UTF-8; write {wanted}") from None


def _storable(value: Any) -> str:
    string = _text(value)
    if fault := jsontext.fault_in_text(string):
        raise ValueError(fault)
    return string


def _name(value: Any) -> str:
    return short_text(200)(_storable(value))


def _idempotency_key(value: Any) -> str:
    if not _text(value):
        raise ValueError("is empty; leave it null for none")
    return _name(value)


def _json_object(what: str, hint: str) -> Callable[[Any], dict[str, Json]]:
    def read(value: Any) -> dict[str, Json]:
        parsed = jsontext.parse(_text(value, f"JSON text{hint}"), what, LARGEST_PARAMS, is_sent=True)
        if not isinstance(parsed, dict):
            raise ValueError(f"must be a JSON object{hint}")  # noqa: TRY004 - a fault of the row, like the others
        return parsed

    return read


def _json(value: Any) -> str:
    """JSON as text: that it can be read is all that is asked of it."""
    string = _text(value, "JSON text")
    jsontext.parse(string, "payload", LARGEST_PARAMS, is_sent=True)
    return string


def _signal_name(value: Any) -> str:
    name = _text(value)
    if fault := fault_in_signal(name):
        raise ValueError(fault)
    return name


def _instant(value: Any) -> datetime:
    """As a driver gives it, or ISO 8601 text; without an offset it is UTC."""
    return parse_instant(value.isoformat() if isinstance(value, datetime) else _text(value))


def _run_at(value: Any) -> datetime:
    instant = _instant(value)
    if instant < OLDEST_RUN_AT:
        raise ValueError(f"{value} is long past: a conversion went wrong; leave it null to run at once")
    return instant


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    string = _text(value)
    with contextlib.suppress(ValueError):  # with a time, which the other databases cut off by themselves
        return datetime.fromisoformat(string.strip()).date()
    return parse_date(string)


_SUBMISSION: Final[Mapping[str, Reader[Any]]] = {
    "tenant": key_text("tenant"),
    "workflow": key_text("workflow"),
    "version": whole(1, 1 << 31),
    "job": key_text("job"),
    "name": _name,
    "params": _json_object("params", ", such as {}"),
    "business_date": _date,
    "priority": whole(-1000, 1000),
    "run_at": _run_at,
    **dict.fromkeys(("hold", "allow_duplicates"), lambda value: whole(0, 1)(value) == 1),
    "idempotency_key": _idempotency_key,
    "trigger_type": _name,
    "created_at": _instant,
    "overrides": read_overrides,
}
_SIGNAL: Final[Mapping[str, Reader[Any]]] = {
    "tenant": key_text("tenant"),
    "name": _signal_name,
    "payload": _json,
    "business_date": _date,
    "expires_at": _instant,
    "sent_by": _storable,
}
_COMMAND: Final[Mapping[str, Reader[Any]]] = {
    **dict.fromkeys(("tenant", "action", "workflow", "task"), text),
    **dict.fromkeys(("reason", "requested_by"), _storable),
    "filter": lambda value: read_selection(_json_object("filter", ', such as {"state": "FAILED"}')(value)),
    "args": _json_object("args", ', such as {"version": 3}'),
    "instance_id": whole(1, LARGEST_INSTANCE),
    "task_id": whole(ORDINALS, LARGEST_INSTANCE * ORDINALS + ORDINALS - 1),
}
