"""What the client hands out of facts: signals, approvals and datasets, as frozen records."""

from dataclasses import dataclass
from datetime import date, datetime

from qflowd.model.workflow import Json


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """A signal that was sent. `state`: NEW, ACCEPTED, or REJECTED with `error`."""

    id: int
    name: str
    business_date: date | None
    payload: Json
    sent_by: str | None
    expires_at: datetime | None
    state: str
    error: str | None
    answered_at: datetime | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApprovalInfo:
    """A task that waits for a person. `default_answer`, approve or reject, counts if nobody answers by `deadline_at`."""

    id: int
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    subject: str
    state: str
    asked_at: datetime
    deadline_at: datetime | None
    default_answer: str


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One row of the view `datasets`: a version, from 1, of what tasks have produced. `metadata`: what the task returned."""

    id: int
    name: str
    series: str
    version: int
    is_latest: bool
    recorded_at: datetime
    instance_id: int
    task_id: int
    workflow: str
    task: str
    business_date: date | None
    metadata: Json
    tenant: str


@dataclass(frozen=True, slots=True)
class DatasetUseInfo:
    """One row of the view `dataset_uses`: the version that a task was given. `is_stale`: there is a later one."""

    id: int
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    name: str
    series: str
    version: int
    latest_version: int
    is_stale: bool
    used_at: datetime
    tenant: str
