"""One submission as it was meant: reads the row of the inbox, refuses what cannot be meant. No database here."""

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import key_text, mapping
from qflowd.define.workflow_file import read_settings
from qflowd.model import jsontext
from qflowd.model.errors import QflowdError
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.instants import parse_date, parse_instant
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import Json, Settings

T = TypeVar("T")
LARGEST_PARAMS = 1 << 20
OLDEST_RUN_AT = datetime(2000, 1, 1, tzinfo=UTC)  # whoever writes zero, or seconds for milliseconds, is before it
LONGEST_ERROR = 4000  # characters of an answer


class Refused(QflowdError):
    """This submission or command cannot be carried out; the message is the answer."""


@dataclass(frozen=True, slots=True)
class Override:
    """What a submission changes about one task."""

    params: Mapping[str, Json]
    settings: Settings


NO_OVERRIDE = Override({}, Settings())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A submission that can be read. What it names may still not exist."""

    id: int
    tenant: str
    workflow: str | None = None
    version: int | None = None
    job: str | None = None
    name: str | None = None
    params: dict[str, Json]
    business_date: date | None = None
    priority: int = 0
    run_at: datetime | None = None
    hold: bool = False
    idempotency_key: str | None = None
    trigger_type: str
    created_at: datetime
    overrides_text: str | None = None
    overrides: Mapping[str, Override] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return self.workflow or self.job or ""

    @property
    def content_hash(self) -> str:
        """Equal for submissions that ask for the same thing; 23155.0 is 23155."""
        overrides = (
            None if self.overrides_text is None else jsontext.parse(self.overrides_text, "overrides", LARGEST_PARAMS)
        )
        asked = [
            *(self.workflow, self.version, self.job, self.name, self.params, str(self.business_date), self.priority),
            *(str(self.run_at), self.hold, overrides),
        ]
        return hashlib.sha256(jsontext.dump(_plain_numbers(asked)).encode()).hexdigest()


def _plain_numbers(value: Json) -> Json:
    """`value` with floats that are whole as whole numbers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    return [_plain_numbers(item) for item in value] if isinstance(value, list) else value


def read_request(row: Any, now: datetime, largest: int = LARGEST_INSTANCE) -> Request:
    """The request in a row of `submissions`; `largest` is the largest id that is taken now.

    Raises: Refused with every fault of the row, one a line.
    """
    faults: list[str] = []

    def take(name: str, read: Callable[[Any], T], default: T) -> T:
        value = getattr(row, name)
        if value is None:
            return default
        try:
            return read(value)
        except (ValueError, QflowdError) as problem:
            message = str(problem)
            faults.append(message if message.startswith(f"{name} ") else f"{name}: {message}")
            return default

    if not 1 <= row.id <= largest:
        where = (
            "is too near the end of the range"
            if 1 <= row.id <= LARGEST_INSTANCE
            else f"is outside 1 to {LARGEST_INSTANCE}"
        )
        faults.append(f"id: {row.id} {where}; leave the id to the database")
    if bool(row.workflow) == bool(row.job):
        faults.append("name either a workflow or a job" + (", not both" if row.workflow else ""))
    if row.job and not row.workflow and row.version is not None:
        faults.append("version: only a workflow has versions; leave it null for a job")
    for what, size in (("params", row.params_size), ("overrides", row.overrides_size)):
        if (size or 0) > LARGEST_PARAMS:
            faults.append(f"{what} has {size:,} characters; at most {LARGEST_PARAMS:,} bytes are allowed")
    request = Request(
        id=row.id,
        tenant=take("tenant", key_text("tenant"), DEFAULT_TENANT),
        workflow=take("workflow", key_text("workflow"), None) if row.workflow else None,
        version=take("version", _whole(1, 1 << 31), None),
        job=take("job", key_text("job"), None) if row.job else None,
        name=take("name", _name, None),
        params=take("params", read_params, {}),
        business_date=take("business_date", _date, None),
        priority=take("priority", _whole(-1000, 1000), 0),
        run_at=take("run_at", _run_at, None),
        hold=take("hold", _whole(0, 1), 0) == 1,
        idempotency_key=take("idempotency_key", _idempotency_key, None),
        trigger_type=take("trigger_type", _name, "sql"),
        created_at=take("created_at", read_instant, now),
        overrides=take("overrides", read_overrides, {}),
        overrides_text=None if row.overrides is None or faults else _text(row.overrides),
    )
    if faults:
        raise Refused("\n".join(faults))
    return request


def read_params(text: Any) -> dict[str, Json]:
    """A JSON object. Raises: ValueError."""
    return _json_object(text, "params", ", such as {}")


def read_overrides(text: Any) -> dict[str, Override]:
    """`{"tasks": {"bars": {"params": {…}, "timeout": "5m", "retries": 1}}}`."""
    top = Fields.of(Document(_json_object(text, "overrides", " with the key tasks")))
    overrides = {}
    for key, fields in top.section("tasks").sections():
        overrides[key] = Override(fields.take("params", mapping, {}), read_settings(fields))
        fields.close()
    top.close()
    if top.faults:
        raise ValueError("; ".join(f"{fault.key}: {fault.message}" for fault in top.faults))
    return overrides


def _json_object(text: Any, what: str, hint: str) -> dict[str, Json]:
    value = jsontext.parse(_text(text), what, LARGEST_PARAMS)
    if not isinstance(value, dict):
        raise ValueError(f"must be a JSON object{hint}")  # noqa: TRY004 - a fault of the row, like the others
    return value


def read_instant(value: Any) -> datetime:
    """An instant as a driver gives it, or ISO 8601 text; without an offset it is UTC. Raises: ValueError."""
    return parse_instant(value.isoformat() if isinstance(value, datetime) else _text(value))


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    text = _text(value)
    with contextlib.suppress(ValueError):  # with a time, which the other databases cut off by themselves
        return datetime.fromisoformat(text.strip()).date()
    return parse_date(text)


def _run_at(value: Any) -> datetime:
    instant = read_instant(value)
    if instant < OLDEST_RUN_AT:
        raise ValueError(f"{value} is long past: a conversion went wrong; leave it null to run at once")
    return instant


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8")
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {type(value).__name__}")  # noqa: TRY004 - a fault of the row, like the others
    return value


def _name(value: Any) -> str:
    text = jsontext.clean_text(_text(value))
    if len(text) > 200:
        raise ValueError(f"has {len(text)} characters; at most 200 are allowed")
    return text


def _idempotency_key(value: Any) -> str:
    if not _text(value):
        raise ValueError("is empty; leave it null for none")
    return _name(value)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{str(value)[:60]!r} is not a whole number from {low} to {high}")
        return value

    return read
