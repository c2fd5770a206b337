"""Rows of the inboxes, as parameters of the statements that insert them."""

from typing import Any, Final

from qflowd.model.names import DEFAULT_TENANT

# A submission without values: the defaults of the table, as clients get them.
SUBMISSION: Final[dict[str, Any]] = {
    **dict.fromkeys(("workflow", "version", "job", "name", "params", "overrides", "business_date", "run_at")),
    **dict.fromkeys(("idempotency_key", "submitted_by")),
    "tenant": DEFAULT_TENANT,
    "priority": 0,
    "hold": 0,
    "allow_duplicates": 0,
    "trigger_type": "sql",
}
# A command without values.
COMMAND: Final[dict[str, Any]] = {
    **dict.fromkeys(("instance_id", "workflow", "task", "task_id", "filter", "args", "reason", "requested_by")),
    "tenant": DEFAULT_TENANT,
}
# A signal without values.
SIGNAL: Final[dict[str, Any]] = {
    **dict.fromkeys(("payload", "business_date", "expires_at", "sent_by")),
    "tenant": DEFAULT_TENANT,
}
