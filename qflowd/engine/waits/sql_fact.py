"""Conditions in other databases: a task waits until a query says that they hold. Who asks it is in `sql_waits.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from qflowd.define.waits import every_s
from qflowd.engine.waits.fact import Fact, WaitEnd, WaitTerms, deadline, timed_out
from qflowd.engine.waits.sql_judge import LONGEST_VALUE
from qflowd.engine.waits.wanted_query import WantedQuery
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.states import FactKind, TaskState, WaitState
from qflowd.model.workflow import Json, WaitFor

USUAL_EVERY: Final = WaitFor().every
LONGEST_SHOWN: Final = 200  # characters of a query that people see


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is neither a value nor a duration."""
    params = dict(document.get("params") or {})
    for name, value in params.items():
        if isinstance(value, list | dict):
            raise ExpressionFailed(f"wait_for.params.{name}: must be one value, not a list or a mapping")
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            raise ExpressionFailed(
                f"wait_for.params.{name}: has {len(value):,} characters; at most {LONGEST_VALUE:,} are allowed"
            )
    try:
        seconds = every_s(document.get("every", USUAL_EVERY))
    except ValueError as error:
        raise ExpressionFailed(f"wait_for.every: {error}") from None
    connection, sql = str(document["connection"]), str(document["sql"])
    shown = " ".join(sql.split())
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[: LONGEST_SHOWN - 1]}…"
    query = WantedQuery(connection, sql, jsontext.dump(params), seconds)
    subject = f"connection {connection}: {shown}"
    return WaitTerms("", subject, deadline(document, "timeout", now), wanted=query)


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """The value that was found is the output."""
    if row.wait_state == WaitState.MET:
        return WaitEnd(TaskState.SUCCESS, output=row.found)
    return timed_out(wait, row, "held")


SQL = Fact(FactKind.SQL, begin, end)
