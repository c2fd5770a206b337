"""The calendars that a command goes by: the tenant's, or those that ship where there is no database yet."""

from typing import Any

from qflowd.calendars.calendar_book import BUNDLED, CalendarBook, exchange_of
from qflowd.cli.session import open_client
from qflowd.model.errors import SchemaMissing


def current_calendars() -> CalendarBook:
    """Calendars as the database or API has them."""
    try:
        with open_client() as client:
            return client.calendars()
    except SchemaMissing:
        return BUNDLED


def current_overrides(name: str) -> list[dict[str, Any]]:
    """Rows of `calendar_overrides` that count for a calendar."""
    try:
        with open_client() as client:
            rows = client.calendar_overrides()
    except SchemaMissing:
        return []
    return [row for row in rows if row["calendar"] in (name, exchange_of(name))]
