"""Does the condition hold that a task waits for? Decided of the first value that its query has given; pure."""

from datetime import date
from decimal import Decimal
from typing import Any

from qflowd.engine.waits.open_looks import Sight
from qflowd.model import jsontext

LONGEST_VALUE = 1000  # characters


def judge_value(row: tuple[Any, ...] | None) -> Sight:
    """It holds where the value is neither false, NULL, a zero, "" nor "0", blanks and NULs aside. `row`: of one value; None: no row has come."""
    if row is None:
        return Sight(None, "the query gives no row")
    [value] = row
    if isinstance(value, bytes | bytearray | memoryview):
        value = (
            bytes(value[:LONGEST_VALUE]).strip(b"\0").decode("utf-8", "replace")
        )  # a BIT of MySQL that is 0 is a NUL
    if isinstance(value, str) and value[:LONGEST_VALUE].strip() in ("", "0"):
        return Sight(None, f"the query gives the string {value[:20]!r}")
    if value is None or not value:
        return Sight(None, f"the query gives {'NULL' if value is None else str(value).lower()}")
    return Sight(jsontext.dump(_shown(value)), "")


def _shown(value: Any) -> Any:
    """As an output of the task."""
    if isinstance(value, bool | int) and abs(value) < 2**63:
        return value
    if isinstance(value, float) and value - value == 0:  # finite
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return jsontext.clean_text(value.isoformat() if isinstance(value, date) else str(value)[:LONGEST_VALUE])
