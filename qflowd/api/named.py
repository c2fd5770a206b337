"""What a path names: a workflow by its key or number, a version of it by number, `active` or `draft`; and what it names in vain."""

from typing import Any, Final

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.engine.definitions.versions import LARGEST_VERSION
from qflowd.model.errors import NotFound
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE, instance_of
from qflowd.model.near_names import there_is_no
from qflowd.model.numbers import whole_number
from qflowd.model.states import VersionState

BY_STATE: Final = {"active": VersionState.ACTIVE, "draft": VersionState.DRAFT}


def workflow_of(call: Call, id: str) -> Any:
    """`id`, `workflow` (its key), `active_version` and `archived_at` of a workflow. A key comes before a number.

    Below /scheduling a number comes before a key.

    Raises: NotFound, with the names that are alike.
    """
    row = call.one("resolve_workflow", workflow=id, id=number_in(id), number_first=int(call.is_scheduling))
    if row is None:
        names = [each.workflow for each in call.read("list_workflow_keys")]
        raise NotFound(there_is_no("workflow", id, names, "workflows"))
    return row


def version_of(call: Call, workflow: Any, version: str) -> Any:
    """`id`, `version`, `state` and `hash` of a version; `workflow`: a row of `workflow_of`.

    Raises: NotFound.
    """
    state = BY_STATE.get(version.lower())
    number = number_in(version)
    row = None
    if state is not None or 0 < number < LARGEST_VERSION:
        row = call.one(
            "find_version_id",
            definition_id=workflow.id,
            version=0 if state is not None else number,
            state=int(state or 0),
        )
    if row is None:
        what = f"no {version.lower()} version" if state is not None else f"no version {version[:60]}"
        raise NotFound(f"workflow {workflow.workflow!r} has {what}; GET …/versions lists what it has")
    return row


def no_such_instance(call: Call, id: int) -> ApiFault:
    """What to say of an id that the tenant has no instance of."""
    submission = call.one("show_unadmitted", id=id) if 0 < id <= LARGEST_INSTANCE else None
    if submission is None:
        return ApiFault(40401, f"there is no instance {id}; GET /instances lists them")
    if submission.instance_id is not None:
        return ApiFault(40401, f"submission {id} became instance {submission.instance_id}")
    more = f": {submission.error}" if submission.error else "; a daemon makes its instance when it takes it"
    return ApiFault(40401, f"there is no instance {id}; its submission is {submission.state}{more}")


def no_such_task(id: int) -> ApiFault:
    """What to say of an id that the tenant has no row of."""
    return ApiFault(40401, f"there is no task {id}; GET /instances/{{id}}/tasks lists those of an instance")


def task_row(call: Call, statement: str, id: int) -> Any:
    """The row of a statement on one task. Raises: ApiFault 40401."""
    row = None if id > ABOVE_ALL_IDS else call.one(statement, id=id, instance_id=instance_of(id))
    if row is None:
        raise no_such_task(id)
    return row


def number_in(text: str) -> int:
    """The number that a segment of a path is; -1, which no row has, if it is none."""
    number = whole_number(text)
    return -1 if number is None else number
