"""One submission as it was meant: what cannot be meant is refused. No database here."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from qflowd.define.rows import LARGEST_PARAMS, Override, read_submission
from qflowd.engine.refusal import Refused
from qflowd.model import jsontext
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json, Settings

NO_OVERRIDE: Final = Override({}, Settings())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A submission that can be read. What it names may still not exist."""

    id: int
    tenant: str = DEFAULT_TENANT
    workflow: str | None = None
    version: int | None = None
    job: str | None = None
    name: str | None = None
    params: dict[str, Json] = field(default_factory=dict)
    business_date: date | None = None
    priority: int = 0
    run_at: datetime | None = None
    hold: bool = False
    allow_duplicates: bool = False
    idempotency_key: str | None = None
    trigger_type: str = "sql"
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


def read_request(row: Mapping[str, Any], now: datetime, largest: int = LARGEST_INSTANCE) -> Request:
    """The request in a row of `submissions`; `largest` is the largest id that is taken now.

    Raises: Refused with every fault of the row, one a line.
    """
    values, fields = read_submission(row)
    if not 1 <= row["id"] <= largest:
        is_near = 1 <= row["id"] <= LARGEST_INSTANCE
        where = "is too near the end of the range" if is_near else f"is outside 1 to {LARGEST_INSTANCE}"
        fields.fault(f"{row['id']} {where}; leave the id to the database", "id")
    for what in ("params", "overrides"):
        if (size := row.get(f"{what}_size") or 0) > LARGEST_PARAMS:
            fields.fault(f"{what} has {size:,} characters; at most {LARGEST_PARAMS:,} bytes are allowed", what)
    if fields.faults:
        raise Refused("\n".join(map(str, fields.faults)), Refusal.FAULTY)
    text = row.get("overrides")
    text = text.decode() if isinstance(text, bytes) else text
    return Request(id=row["id"], overrides_text=text, **{"created_at": now, **values})
