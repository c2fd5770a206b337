"""Rows of the inboxes, as parameters of the statements that insert them."""

from typing import Any, Final

from qflowd.model.names import DEFAULT_TENANT

# A submission of which nothing is said: what the table's own defaults are for clients.
SUBMISSION: Final[dict[str, Any]] = {
    "tenant": DEFAULT_TENANT,
    "workflow": None,
    "version": None,
    "job": None,
    "name": None,
    "params": None,
    "overrides": None,
    "business_date": None,
    "priority": 0,
    "run_at": None,
    "hold": 0,
    "idempotency_key": None,
    "trigger_type": "sql",
    "submitted_by": None,
}
