"""What is written into the inboxes, made of what callers say. No database here."""

import os
import pwd
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from qflowd.model import jsontext
from qflowd.model.errors import InvalidRequest
from qflowd.model.instants import parse_date, parse_instant
from qflowd.model.names import fault_in_key
from qflowd.model.plain import plain

WHOLE: Final = {"priority": (-1000, 1000), "version": (1, 2**31 - 1)}


def submission(
    tenant: str,
    workflow: str | None,
    job: str | None,
    params: Mapping[str, Any] | None,
    overrides: Mapping[str, Any] | None,
    business_date: date | str | None,
    run_at: datetime | str | None,
    name: str | None,
    **others: Any,
) -> dict[str, Any]:
    """The parameters of `insert_submission`; what only the engine can judge is left to it.

    Raises: InvalidRequest.
    """
    if bool(workflow) == bool(job):
        raise InvalidRequest("name either a workflow or a job" + (", not both" if workflow else ""))
    for what, key in (("workflow", workflow), ("job", job)):
        if key is not None and (fault := fault_in_key(key, what)):
            raise InvalidRequest(fault)
    for what, (low, high) in WHOLE.items():
        value = others[what]
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise InvalidRequest(f"{what} must be a whole number from {low} to {high}, not {value!r}")
    key = others["idempotency_key"]
    if key is not None and (not isinstance(key, str) or jsontext.clean_text(key) != key):
        raise InvalidRequest(
            "idempotency_key must be a string that every database can hold: no NUL, no lone surrogates"
        )
    return {
        "tenant": tenant,
        "workflow": workflow,
        "job": job,
        "params": json_text(params, "params"),
        "overrides": json_text(overrides, "overrides"),
        "business_date": _date(business_date),
        "run_at": _instant(run_at),
        "name": None if name is None else jsontext.clean_text(str(name)),
        "submitted_by": who(),
        **others,
    }


@lru_cache
def who() -> str:
    """Who asks, for the audit: user@host."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{os.uname().nodename}"


def json_text(value: Mapping[str, Any] | None, what: str) -> str | None:
    """JSON text of what a caller gave; `what` opens the sentence of a fault.

    Raises: InvalidRequest.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{what} must be a mapping of names to values, not {type(value).__name__}")
    try:
        return jsontext.dump(plain(value, what))
    except ValueError as problem:
        raise InvalidRequest(str(problem)) from None


def _date(value: date | str | None) -> str | None:
    try:
        found = parse_date(value) if isinstance(value, str) else value
    except ValueError as problem:
        raise InvalidRequest(f"business_date {problem}") from None
    if isinstance(found, datetime):
        raise InvalidRequest("business_date must be a date, not an instant")
    return None if found is None else found.isoformat()


def _instant(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime) and value.tzinfo is None:
        raise InvalidRequest("run_at needs a time zone, as in datetime.now(UTC) + timedelta(hours=1)")
    try:
        return parse_instant(value if isinstance(value, str) else value.isoformat())
    except ValueError as problem:
        raise InvalidRequest(f"run_at {problem}") from None
