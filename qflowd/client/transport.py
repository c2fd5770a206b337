"""How a client reaches a qflowd: the few things that it needs of a database, or of an HTTP API over one."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from qflowd.store.tx import Store

# What a client may ask: statements of `sql/`, with the parameters that each takes beside the tenant.
READS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "count_items": ("instance_id", "task"),
        "count_new": (),
        "count_states": ("instance_id",),
        "find_dataset_uses": ("is_all", "before", "batch"),
        "find_dataset_uses_of": ("series", "name", "is_all", "before", "batch"),
        "find_datasets": ("is_all", "before", "batch"),
        "find_datasets_of": ("series", "name", "is_all", "before", "batch"),
        "find_events": ("workflow", "before", "batch"),
        "find_events_after": ("workflow", "after", "batch"),
        "find_events_after_since": ("workflow", "after", "since", "older_at", "batch"),
        "find_events_since": ("workflow", "after", "since", "older_at", "batch"),
        "find_failures": ("before", "before_fence", "batch"),
        "find_handled_failures": ("before", "before_fence", "batch"),
        "find_instances": ("first", "last", "before", "batch"),
        "find_instances_of": ("workflow", "first", "last", "before", "batch"),
        "find_late": ("before", "is_all", "batch"),
        "find_open_approvals": ("after", "batch"),
        "find_open_instances": ("before", "batch"),
        "find_session_workflow": ("workflow",),
        "find_signals": ("before", "batch"),
        "find_signals_named": ("name", "before", "batch"),
        "find_tenants_of_instance": ("id",),
        "find_tenants_of_workflow": ("workflow",),
        "list_breakpoints": ("instance_id", "batch"),
        "list_calendar_overrides": (),
        "list_daemons": (),
        "list_fires": ("workflow", "batch"),
        "list_gaps": ("workflow", "date_from", "date_to", "is_all"),
        "list_fires_of_schedule": ("workflow", "name", "batch"),
        "list_jobs": (),
        "list_logs": ("instance_id", "after", "batch"),
        "list_own_calendars": (),
        "list_plugins": (),
        "list_pools": (),
        "list_schedules": (),
        "list_task_definitions": (),
        "list_task_keys": (),
        "list_task_logs": ("instance_id", "task", "after", "batch"),
        "list_versions": ("workflow",),
        "list_workflows": (),
        "show_active_version": ("workflow",),
        "show_attempts": ("instance_id", "after", "after_fence", "batch"),
        "show_backfill": ("id",),
        "show_backfill_dates": ("id", "after", "batch"),
        "show_backfills": ("before", "batch"),
        "show_clock": (),
        "show_command": ("id",),
        "show_compensations": ("instance_id", "after", "last", "batch"),
        "show_first_errors": ("instance_id", "batch"),
        "show_first_tasks": ("instance_id", "first", "last", "batch"),
        "show_instance": ("id",),
        "show_large_output": ("id", "instance_id"),
        "show_limits": (),
        "show_outputs": ("instance_id", "task", "after", "batch"),
        "show_rows_of_task": ("instance_id", "task", "after", "batch"),
        "show_state": ("id",),
        "show_submission": ("id",),
        "show_task": ("id", "instance_id"),
        "show_tasks": ("instance_id", "after", "last", "batch"),
        "show_version_document": ("workflow", "version"),
        "sum_breakpoints": ("instance_id",),
    }
)

# Rows that are read at once: at most so many, for an API holds them in its memory. Fewer where a row may be large.
ROWS: Final = 2000
LARGE_ROWS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "find_datasets": 200,
        "find_datasets_of": 200,
        "find_signals": 100,
        "find_signals_named": 100,
        "list_logs": 1000,
        "list_task_logs": 1000,
        "show_attempts": 500,
        "show_first_errors": 500,
        "show_outputs": 500,
    }
)


def rows_at_once(name: str) -> int:
    """How many rows one of `READS` may be asked for."""
    return LARGE_ROWS.get(name, ROWS)


class Transport(Protocol):
    """A way to a qflowd, for one tenant. May be shared by threads."""

    @property
    def tenant(self) -> str:
        """Whose rows are seen and written."""

    @property
    def store(self) -> "Store":
        """The database, for transactions. Raises: InvalidRequest where there is none to be had."""

    def read(self, name: str, params: Mapping[str, Any], wait_s: float = 0.0) -> list[Any]:
        """Rows of one of `READS`, as named tuples with plain Python values.

        Args:
            params: those that `READS` names.
            wait_s: of a submission, a command or a state: how long the answer may be held back until there is news. Who
                cannot wait answers at once.

        Raises: StoreUnavailable; over HTTP AccessDenied.
        """

    def submit(self, row: Mapping[str, Any]) -> int:
        """Add a row to the inbox of submissions; its id.

        Raises: InvalidRequest for values that cannot be stored; StoreUnavailable, and it may have been written.
        """

    def command(self, row: Mapping[str, Any]) -> int:
        """Add a row to the inbox of commands; its id.

        Raises: as `submit`; over HTTP also Rejected.
        """

    def signal(self, row: Mapping[str, Any]) -> int:
        """Add a row to the inbox of signals; its id.

        Raises: as `submit`.
        """

    def now(self) -> datetime:
        """The time, by the database's clock."""

    def close(self) -> None:
        """Close all connections. A later call opens new ones."""
