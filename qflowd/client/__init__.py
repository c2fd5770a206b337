"""The SDK: `connect()` gives a client of a database or an HTTP API, `submit()` the controller of an instance."""

from qflowd.client.backfill import Backfill
from qflowd.client.client import Client
from qflowd.client.fact_records import ApprovalInfo, DatasetInfo, DatasetUseInfo, SignalInfo
from qflowd.client.instance import Instance
from qflowd.client.limit import Limit
from qflowd.client.opening import connect
from qflowd.client.records import (
    Answer,
    AttemptInfo,
    Breakpoint,
    BreakpointInfo,
    FailureInfo,
    HandledFailureInfo,
    InstanceInfo,
    LogLine,
    TaskInfo,
)
from qflowd.client.stored_definition import StoredDefinition
from qflowd.client.stored_schedule import StoredSchedule
from qflowd.client.stored_workflow import StoredWorkflow
from qflowd.client.why import Why

__all__ = [
    "Answer",
    "ApprovalInfo",
    "AttemptInfo",
    "Backfill",
    "Breakpoint",
    "BreakpointInfo",
    "Client",
    "DatasetInfo",
    "DatasetUseInfo",
    "FailureInfo",
    "HandledFailureInfo",
    "Instance",
    "InstanceInfo",
    "Limit",
    "LogLine",
    "SignalInfo",
    "StoredDefinition",
    "StoredSchedule",
    "StoredWorkflow",
    "TaskInfo",
    "Why",
    "connect",
]
