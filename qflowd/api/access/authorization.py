"""What a write is about: does it exist in the caller's tenant, and do the caller's lists let it be run?

Checked early; the engine has the last word.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.named import no_such_instance, no_such_task, workflow_of
from qflowd.client.records import from_json
from qflowd.define import workflow_file
from qflowd.define.readers import one_of, text, whole
from qflowd.define.selection import read_selection
from qflowd.engine.definitions.drafts import FORMATS
from qflowd.engine.definitions.versions import LARGEST_VERSION
from qflowd.model.errors import CycleFound, InvalidRequest, InvalidWorkflow
from qflowd.model.ids import ABOVE_ALL_IDS, LARGEST_INSTANCE, ORDINALS, instance_of
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.quotas import OF_TENANTS
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

# Whoever may do an action, by POST /commands too. What is not here changes definitions.
ROLE_OF: Final[Mapping[str, Role]] = {
    "start": Role.SUBMIT,
    **dict.fromkeys(
        (
            *("pause", "resume", "terminate", "stop", "retry", "rerun", "skip", "compensate", "handle", "trigger"),
            *("mute", "unmute"),
            *("approve", "reject"),
            *("cancel", "enable", "disable", "fire", "priority"),
            *("backfill", "pause_backfill", "resume_backfill", "stop_backfill"),
            *("set_limit", "unset_limit", "pause_limit", "resume_limit", "open_breaker", "close_breaker"),
        ),
        Role.OPERATE,
    ),
}
OF_GROUPS: Final = ("mute", "unmute")  # of failures
OF_VERSIONS: Final = ("draft", "activate", "canary", "rollback")
# All tenants share what these change.
OF_LIMITS: Final = frozenset(action for action in ROLE_OF if action.endswith(("_limit", "_breaker")))


def one_workflow(call: Call, name: str, version: int | None = None) -> Any:
    """The workflow of a path, which the caller's lists must let be run: as `workflow_of`. `version`: as `check_jobs`.

    Raises: NotFound; ApiFault 40302.
    """
    found = workflow_of(call, name)
    refuse_unlisted(call, workflow=found.workflow)
    check_jobs(call, found.workflow, version)
    return found


def check_instance(call: Call, number: int) -> None:
    """As `check_instances`, of one."""
    check_instances(call, [number])


def check_instances(call: Call, numbers: Iterable[int]) -> None:
    """Are there these instances, or submissions that will be, and are all on the caller's lists?

    Raises: ApiFault 40401, 40302.
    """
    wanted = sorted(set(numbers))
    possible = [(number,) for number in wanted if 1 <= number <= LARGEST_INSTANCE]
    found = {row.id: row for row in call.read("find_targets", rows=possible)} if possible else {}
    for number in wanted:
        if number not in found:
            raise no_such_instance(call, number)
    for row in found.values():
        refuse_unlisted(call, workflow=row.workflow, job=row.job)
    for workflow, version in {(row.workflow, row.version) for row in found.values() if row.workflow is not None}:
        check_jobs(call, workflow, version)


def check_tasks(call: Call, numbers: Iterable[int]) -> None:
    """As `check_instances`, of those that these tasks belong to."""
    wanted = set(numbers)
    for number in sorted(wanted):
        if not ORDINALS <= number < ABOVE_ALL_IDS:
            raise no_such_task(number)
    check_instances(call, map(instance_of, wanted))


def check_commands(call: Call, rows: Sequence[Mapping[str, Any]]) -> None:
    """May the caller do all that these columns of commands say, and is there what they name? Asked for all rows together.

    Raises: ApiFault 40301, 40302, 40401.
    """
    for action in {row["action"] for row in rows}:
        refuse_action(call, action)
    check_tasks(call, [row["task_id"] for row in rows if row["task_id"] is not None])
    check_instances(
        call, [row["instance_id"] for row in rows if row["task_id"] is None and row["instance_id"] is not None]
    )
    if any(row["action"] == "retry" and row["workflow"] is not None for row in rows):
        refuse_older(call)
    changing = {row["workflow"] for row in rows if ROLE_OF.get(row["action"], Role.DEFINE) >= Role.DEFINE}
    for workflow in changing:
        refuse_defining(call, workflow)
    if call.caller.workflows:
        for row in rows:
            if row["workflow"] is not None and row["action"] in OF_VERSIONS:
                _check_version(call, row["action"], row["workflow"], row["args"])
    for workflow in {row["workflow"] for row in rows if row["workflow"] is not None} - changing:
        refuse_unlisted(call, workflow=workflow)
        check_jobs(call, workflow, None)


def _check_version(call: Call, action: str, workflow: str, args: Any) -> None:
    """As `check_started`, of the version that a command stores or lets run; what cannot be read the engine refuses.

    Raises: ApiFault 40302.
    """
    given = args if isinstance(args, Mapping) else {}
    with suppress(InvalidWorkflow, CycleFound, ValueError):
        if action == "draft":
            source, format = text(given.get("source")), one_of(*FORMATS)(given.get("format", "json"))
            for task in workflow_file.parse(source, format, "draft").tasks:
                if task.workflow:
                    refuse_unlisted(call, workflow=task.workflow)
            return
        version = _replaced(call, workflow) if action == "rollback" else whole(1, LARGEST_VERSION)(given.get("version"))
        call.store.read(lambda tx: check_started(tx, call, workflow, version))


def _replaced(call: Call, workflow: str) -> int:
    """The version that a rollback would activate; 0 if there is none."""
    row = call.store.read(lambda tx: tx.one("find_definition", tenant=call.tenant, workflow=workflow))
    return 0 if row is None else row.replaced or 0


def check_words(call: Call, row: Mapping[str, Any], *, of_another: bool = False) -> None:
    """As `check_commands`, of what `filter` and `args` of one say. `of_another`: of one that is to be cancelled.

    Raises: ApiFault 40301, 40302, 40401; InvalidRequest.
    """
    args, where = (each if isinstance(each, Mapping) else {} for each in (row["args"], row["filter"]))
    if row["filter"] is not None:
        refuse_filter(call, where)
    if isinstance(limit := args.get("limit"), str):
        refuse_limit(call, limit)
    if (backfill := args.get("backfill")) is not None:
        try:
            check_backfill(call, whole(1, LARGEST_INSTANCE)(backfill))
        except ValueError as error:
            raise InvalidRequest(f"args.backfill: {error}") from None
    if row["action"] in OF_GROUPS:
        workflow, task = args.get("workflow"), args.get("task")
        refuse_group(call, workflow if isinstance(workflow, str) else None, task if isinstance(task, str) else "")
    if row["action"] == "cancel" and not of_another and (number := args.get("command")) is not None:
        try:
            check_cancel(call, whole(1, LARGEST_INSTANCE)(number))
        except ValueError as error:
            raise InvalidRequest(f"args.command: {error}") from None


def check_backfill(call: Call, number: int) -> Any:
    """A backfill, as a row of its view, whose workflow the caller's lists must let be run.

    Raises: ApiFault 40302, 40401.
    """
    row = call.one("show_backfill", id=number) if 1 <= number <= LARGEST_INSTANCE else None
    if row is None:
        raise ApiFault(40401, f"there is no backfill {number}")
    refuse_unlisted(call, workflow=row.workflow)
    check_jobs(call, row.workflow, None)
    return row


def check_cancel(call: Call, number: int) -> None:
    """May the caller cancel this command: could it have asked for it?

    Raises: ApiFault 40301, 40302, 40401.
    """
    row = call.one("show_command_answers", rows=[(number,)]) if 1 <= number <= LARGEST_INSTANCE else None
    if row is None:
        raise ApiFault(40401, f"there is no command {number} to cancel")
    columns = row._asdict() | {name: from_json(getattr(row, name)) for name in ("filter", "args")}
    check_commands(call, [columns])
    check_words(call, columns, of_another=True)


def refuse_unlisted(call: Call, *, workflow: str | None = None, job: str | None = None) -> None:
    """Raises: ApiFault 40302 if the caller's lists do not have it."""
    if not call.may_run(workflow=workflow, job=job):
        what = f"workflow {workflow!r}" if workflow is not None else f"job {job!r}"
        raise ApiFault(40302, f"{what} is not on the list of what {call.caller.principal} may run")


def check_jobs(call: Call, workflow: str, version: int | None) -> None:
    """Does a list of jobs let this version of a workflow be run, with the workflows that it starts and what undoes its tasks?

    `version`: None for whichever a new instance would run. What jobs spawn while they run is not known here.

    Raises: ApiFault 40302.
    """
    if call.caller.jobs:
        rows = call.read("list_jobs_of_workflow", workflow=workflow, version=version or 0)
        undone_by = {(row.settings or {}).get("compensation") for row in rows}
        for job in sorted({row.job for row in rows} | {name for name in undone_by if name}):
            refuse_unlisted(call, job=job)


def check_started(tx: Tx, call: Call, workflow: str, version: int) -> None:
    """Does a list of workflows have those that a version starts, which the caller has defined or lets new instances run?

    Whoever only starts a workflow of the list runs what it is made of.

    Raises: ApiFault 40302.
    """
    if call.caller.workflows:
        for row in tx.run("list_started_workflows", tenant=call.tenant, workflow=workflow, version=version):
            refuse_unlisted(call, workflow=row.workflow)


def bounded_filter(call: Call, where: Mapping[str, Any]) -> Mapping[str, Any]:
    """The filter as this caller means it: a list of workflows has no single job, though one may have a workflow's name."""
    return {"single": False, **where} if call.caller.workflows and "ids" not in where else where


def refuse_group(call: Call, workflow: str | None, task: str) -> None:
    """May the caller mute failures of this workflow, or without one of the single job that is called as the task?

    Raises: ApiFault 40302.
    """
    if workflow is None:
        refuse_unlisted(call, job=task)
        return
    refuse_unlisted(call, workflow=workflow)
    check_jobs(call, workflow, None)


def refuse_filter(call: Call, where: Mapping[str, Any]) -> None:
    """May a caller with lists use this filter? It must be for workflows of the list by words that say so, not for single jobs.

    Raises: ApiFault 40302; InvalidRequest.
    """
    caller = call.caller
    if not caller.has_lists:
        return
    try:
        selection = read_selection(where)
    except ValueError as error:
        raise InvalidRequest(f"filter: {error}") from None
    if selection.ids:
        check_instances(call, selection.ids)
        return
    pattern = str(where.get("workflow") or "*")
    is_word = not set(pattern) & set("*?[")
    is_listed = pattern in caller.workflows or (is_word and caller.may_run(workflow=pattern))
    if caller.jobs or selection.single is not False or not is_listed:
        listed = ", ".join(caller.workflows or caller.jobs)
        raise ApiFault(
            40302, f"the filter may be for more than {caller.principal} may run: have it name one of {listed}"
        )


def refuse_defining(call: Call, workflow: str | None) -> None:
    """May a caller with lists change definitions? A list of jobs cannot tell what they would run; one of workflows must name one.

    Raises: ApiFault 40302.
    """
    caller = call.caller
    if caller.jobs or (caller.workflows and workflow is None):
        what = "jobs" if caller.jobs else "workflows"
        raise ApiFault(40302, f"{caller.principal} has a list of {what}, which cannot bound what this would change")
    if workflow is not None:
        refuse_unlisted(call, workflow=workflow)


def refuse_older(call: Call) -> None:
    """May a caller have failed instances of a workflow run again, whatever version they are of? Not by a list of jobs.

    Raises: ApiFault 40302.
    """
    if call.caller.jobs:
        raise ApiFault(40302, f"{call.caller.principal} has a list of jobs; retry instances one by one, by their ids")


def refuse_action(call: Call, action: str) -> None:
    """Raises: ApiFault 40301 if the caller's role does not reach for an action, or it is about what all tenants share.

    40302 for an action on limits, if the caller has lists.
    """
    if action in OF_LIMITS and call.caller.has_lists:
        raise ApiFault(40302, f"{call.caller.principal} has lists of what to run, and what others run needs limits too")
    is_shared = action in OF_LIMITS and call.tenant != DEFAULT_TENANT
    role = Role.SYSTEM if is_shared else ROLE_OF.get(action, Role.DEFINE)
    call.refuse_below(role, f"action {action}" + (", which is about all tenants," if is_shared else ""))


def refuse_signal(call: Call) -> None:
    """Raises: ApiFault 40302 if the caller has lists: whose tasks wait for a signal cannot be told."""
    if call.caller.has_lists:
        raise ApiFault(40302, f"{call.caller.principal} has lists of what to run, and anybody's tasks wait for signals")


def refuse_limit(call: Call, name: str) -> None:
    """Raises: ApiFault 40301 if a quota of a tenant makes this limit, and the caller is not of the system."""
    if name.startswith(OF_TENANTS):
        call.refuse_below(Role.SYSTEM, f"limit {name}, which a quota makes,")


def refuse_bound(call: Call) -> None:
    """A token that is good for some things alone must not make what is good for others.

    Raises: ApiFault 40301.
    """
    if call.caller.is_bound:
        what = "this token is bound to workflows, jobs or networks, so it cannot give access to anybody"
        raise ApiFault(40301, f"{what}; use one that is not, or sign in")
