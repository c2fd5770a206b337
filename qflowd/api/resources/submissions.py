"""Submissions: workflows and jobs are asked to run, one at a time or many at once."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from qflowd.api.access.authorization import check_jobs, one_workflow, refuse_unlisted
from qflowd.api.answers import Awaited, Wait
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import LARGEST_ROWS, MOST_ROWS, of_all, refuse_both
from qflowd.api.inbox.idempotency import write_once
from qflowd.api.inbox.inboxes import TRIGGER_TYPE, insert_submission, submission_row, submit
from qflowd.api.inbox.outcomes import (
    REJECTIONS,
    SubmissionAnswer,
    SubmissionList,
    all_submitted,
    read_submission,
    shown,
    submitted,
)
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

Params = dict[str, Any]


class StartBody(Body):
    """How a workflow is to run; all of it may be left out. Times and dates are ISO 8601."""

    params: Params | None = None
    business_date: str | None = None
    name: str | None = None
    version: int | None = None
    priority: int = 0
    run_at: str | None = None
    overrides: Params | None = None
    hold: bool = False
    allow_duplicates: bool = False


class SubmissionRow(StartBody):
    """A submission as in the SQL contract."""

    workflow: str | None = None
    job: str | None = None
    idempotency_key: str | None = None
    trigger_type: str = TRIGGER_TYPE


class SubmissionRows(SubmissionRow):
    """A submission; or `items`, several, which are written together."""

    items: Annotated[list[SubmissionRow], msgspec.Meta(min_length=1, max_length=MOST_ROWS)] | None = None


@route("POST", "/workflows/{id}/start", Role.SUBMIT, errors=REJECTIONS, does="submission")
def start_workflow(call: Call, id: str, body: StartBody) -> Wait | SubmissionAnswer:
    """Run a workflow."""
    return _submitted(call, _row_for(call, id, body))


@route("POST", "/workflows/{id}/instances", Role.SUBMIT, errors=REJECTIONS, does="submission with hold")
def create_instance(call: Call, id: str, body: StartBody) -> Wait | SubmissionAnswer:
    """Make an instance of a workflow that begins when it is started: it is READY."""
    body.hold = True
    return _submitted(call, _row_for(call, id, body))


@route("POST", "/submissions", Role.SUBMIT, errors=(*REJECTIONS, 40401), largest_body=LARGEST_ROWS)
def create_submissions(call: Call, body: SubmissionRows) -> Wait | SubmissionAnswer | SubmissionList:
    """Run a workflow or a single job, or many at once (`items`): all rows are written, or none.

    Of many the answer says what has become of each.
    """
    if body.items is None:
        _check_lists(call, [body])
        return _submitted(call, _row_of(call, body))
    refuse_both(body)
    _check_lists(call, body.items)
    rows = of_all(body.items, lambda item: _row_of(call, item))

    def write(tx: Tx) -> dict[str, Json]:
        return {"submissions": [insert_submission(tx, call, row) for row in rows]}

    return all_submitted(call, list(map(int, write_once(call, write)["submissions"])), rows)


@route("GET", "/submissions/{id}", Role.READ)
def show_submission(call: Call, id: int) -> Wait | SubmissionAnswer:
    """A submission; `?wait=` waits until it is answered."""
    return shown(call, Awaited.SUBMISSION, id, lambda: read_submission(call, id))


def _submitted(call: Call, row: dict[str, Any]) -> Wait:
    return submitted(call, submit(call, row), row)


def _row_for(call: Call, name: str, body: StartBody) -> dict[str, Any]:
    """The row for a workflow of the path."""
    workflow = one_workflow(call, name, body.version).workflow
    return submission_row(call, workflow=workflow, **_columns(body))


def _check_lists(call: Call, rows: Sequence[SubmissionRow]) -> None:
    """Do the caller's lists have all of it? Asked for all rows together. Raises: ApiFault 40302."""
    for workflow, version in {(row.workflow, row.version) for row in rows if row.workflow}:
        refuse_unlisted(call, workflow=workflow)
        check_jobs(call, workflow, version)
    for job in {row.job for row in rows if row.job}:
        refuse_unlisted(call, job=job)


def _row_of(call: Call, body: SubmissionRow) -> dict[str, Any]:
    return submission_row(call, **_columns(body))


def _columns(body: StartBody) -> dict[str, Any]:
    columns = msgspec.structs.asdict(body)
    columns |= {"hold": int(body.hold), "allow_duplicates": int(body.allow_duplicates)}
    columns.pop("items", None)
    return columns
