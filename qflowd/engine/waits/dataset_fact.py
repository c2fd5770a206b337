"""Datasets: a task waits until a version of one is recorded; `recorded.py` looks for it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qflowd.engine.waits.fact import Fact, WaitEnd, WaitTerms, deadline, timed_out
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.names import fault_in_dataset
from qflowd.model.states import FactKind, TaskState, WaitState
from qflowd.model.workflow import Json, WaitFor


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is not the name of a dataset."""
    name = document["dataset"]
    if fault := fault_in_dataset(name):
        raise ExpressionFailed(f"wait_for.dataset: {fault}")
    return WaitTerms(str(name), f"dataset {name}", deadline(document, "timeout", now))


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """The version that was the latest when the wait was over is the output, with what its task returned."""
    if row.wait_state != WaitState.MET:
        return timed_out(wait, row, "been recorded")
    metadata = None if row.metadata is None else json.loads(row.metadata)
    output = {"name": row.name, "version": row.dataset_version, "metadata": metadata}
    return WaitEnd(TaskState.SUCCESS, output=jsontext.dump(output))


DATASET = Fact(FactKind.DATASET, begin, end)
