"""The facts that there are, by what stands under `wait_for` and by the kind of a row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from qflowd.engine.waits.approval_fact import APPROVAL
from qflowd.engine.waits.dataset_fact import DATASET
from qflowd.engine.waits.fact import Fact, WaitTerms
from qflowd.engine.waits.file_fact import FILE
from qflowd.engine.waits.signal_fact import SIGNAL
from qflowd.engine.waits.sql_fact import SQL
from qflowd.engine.waits.time_fact import TIME
from qflowd.engine.waits.workflow_fact import WORKFLOW
from qflowd.model.errors import Unreadable
from qflowd.model.states import FactKind
from qflowd.model.workflow import Json

_BY_KEY: Final[Mapping[str, Fact]] = {
    "signal": SIGNAL,
    "workflow": WORKFLOW,
    "dataset": DATASET,
    "delay": TIME,
    "until": TIME,
    "approval": APPROVAL,
    "file": FILE,
    "sql": SQL,
}
_BY_KIND: Final[Mapping[int, Fact]] = {fact.kind: fact for fact in _BY_KEY.values()}


def begin(document: Mapping[str, Json], now: datetime) -> tuple[FactKind, WaitTerms]:
    """What a task waits for: the document under its `wait_for`, rendered.

    Raises: ExpressionFailed if it has no meaning.
    """
    fact = next(fact for key, fact in _BY_KEY.items() if key in document)
    return fact.kind, fact.begin(document, now)


def of_kind(number: int) -> Fact:
    """Raises: Unreadable if only a newer qflowd knows facts of this kind."""
    if (fact := _BY_KIND.get(number)) is None:
        raise Unreadable(f"facts of kind {number} are for a newer qflowd")
    return fact
