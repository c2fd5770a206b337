"""What is written into the inboxes, made of what callers give. No database here."""

import math
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from operator import index
from typing import Any

from qflowd.define import rows
from qflowd.define.fields import Fields
from qflowd.define.selection import Candidate, Selection, read_selection
from qflowd.define.writing import dump
from qflowd.model import jsontext
from qflowd.model.errors import InvalidRequest
from qflowd.model.plain import plain
from qflowd.model.states import InstanceState
from qflowd.model.workflow import Workflow


def submission(
    params: Mapping[str, Any] | None,
    overrides: Mapping[str, Any] | None,
    business_date: date | str | None,
    run_at: datetime | str | None,
    name: str | None,
    idempotency_key: str | None,
    **others: Any,
) -> dict[str, Any]:
    """The parameters of `insert_submission`; what only the engine can judge is left to it.

    Raises: InvalidRequest with every fault.
    """
    asked = {"business_date": business_date, "run_at": run_at, "idempotency_key": idempotency_key, **others}
    asked["name"] = None if name is None else str(name)
    values, fields = rows.read_submission(asked)
    if isinstance(business_date, datetime):
        fields.fault("must be a date, not an instant", "business_date")
    if isinstance(run_at, datetime) and run_at.tzinfo is None:
        fields.fault("run_at needs a time zone, as in datetime.now(UTC) + timedelta(hours=1)", "run_at")
    if values.get("idempotency_key", idempotency_key) != idempotency_key:
        fields.fault("must be a string, not a number", "idempotency_key")
    refuse(fields)
    day = values.get("business_date")
    return asked | {
        "params": json_text(params, "params"),
        "overrides": json_text(overrides, "overrides"),
        "business_date": day and day.isoformat(),
        "run_at": values.get("run_at"),
        "submitted_by": who(),
    }


def signal(
    name: str,
    payload: Any,
    business_date: date | str | None,
    expires_at: datetime | str | None,
    tenant: str,
) -> dict[str, Any]:
    """The parameters of `insert_signal`.

    Raises: InvalidRequest with every fault.
    """
    asked = {"tenant": tenant, "name": name, "business_date": business_date, "expires_at": expires_at}
    try:
        text = None if payload is None else jsontext.dump_sent(plain(payload, "payload"), "payload")
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    values, fields = rows.read_signal({**asked, "payload": text})
    if isinstance(expires_at, datetime) and expires_at.tzinfo is None:
        fields.fault("needs a time zone, as in datetime.now(UTC) + timedelta(hours=1)", "expires_at")
    refuse(fields)
    day = values.get("business_date")
    return {
        "tenant": tenant,
        "name": name,
        "payload": text,
        "business_date": day and day.isoformat(),
        "expires_at": values.get("expires_at"),
        "sent_by": who(),
    }


def whole(value: Any, name: str, least: float = 1, most: float = sys.maxsize) -> int:
    """A number that a caller gives, of whichever type of whole numbers.

    Raises: InvalidRequest for anything else, or one out of range.
    """
    with suppress(TypeError):
        if least <= (number := index(value)) <= most:
            return number
    upto = f" to {most:,}" if most < sys.maxsize else ""
    bounds = f" from {least:,}{upto}" if least > -math.inf else ""
    raise InvalidRequest(f"{name}: must be a whole number{bounds}, not {value!r}")


def refuse(fields: Fields) -> None:
    """Raises: InvalidRequest if there are faults."""
    if fields.faults:
        raise InvalidRequest("\n".join(map(str, fields.faults)))


def failures_like(conditions: Mapping[str, Any], now: datetime) -> Callable[[Any], bool]:
    """Whether a row of the view `failures` meets conditions as in a command's filter; none: all do.

    Raises: InvalidRequest for one that does not exist, or cannot be read.
    """
    try:
        given = jsontext.parse(json_text(conditions, "conditions") or "{}")
        selection = read_selection(given) if given else Selection()
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
    since = selection.since_at(now)

    def has(row: Any) -> bool:
        about = (InstanceState[row.instance_state], row.workflow or row.job, row.business_date, row.trigger_type)
        # Where a failure is of a workflow, its key is all that a condition asks of the definition.
        definition = None if row.workflow is None else 0
        return (
            selection.has(Candidate(*about, id=row.instance_id, definition_id=definition))
            and selection.has_failure(row)
            and (since is None or row.failed_at >= since)
        )

    return has


@lru_cache
def who() -> str:
    """Who asks, for the audit: user@host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"


def source_of(document: str | Mapping[str, Any] | Workflow, format: str) -> dict[str, Any]:
    """The args of commands that store what a file would hold: its text in `format`, or the document itself.

    Raises: InvalidRequest.
    """
    if isinstance(document, str):
        return {"source": document, "format": format}
    mapping = dump(document) if isinstance(document, Workflow) else document
    return {"source": json_text(mapping, "document"), "format": "json"}


def json_text(value: Mapping[str, Any] | None, what: str) -> str | None:
    """JSON text of what a caller gave; `what` opens the sentence of a fault.

    Raises: InvalidRequest.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{what} must be a mapping of names to values, not {type(value).__name__}")
    try:
        return jsontext.dump_sent(plain(value, what), what)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None
