"""Writing submissions and commands, in the caller's name, and waiting for what the engine answers.

Row, audit and idempotency key are one transaction, so what was acknowledged is there whatever crashes afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from qflowd.api.answers import ApiAnswer, ApiFault, Item, Problem, Wait
from qflowd.api.call import Call
from qflowd.api.inbox.idempotency import key_of, once
from qflowd.api.inbox.waiting import Awaited, AwaitedRow
from qflowd.client import requests
from qflowd.client.records import from_json
from qflowd.define import rows
from qflowd.engine.access.audit import AuditEntry, write_audit
from qflowd.model import jsontext
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import DataRefused, Tx

TRIGGER_TYPE: Final = "api"
NEW: Final = "NEW"
# What the audit calls actions whose own word says less.
AUDITED_AS: Final[Mapping[str, str]] = {"terminate": "CANCEL", "stop": "CANCEL", "start": "TRIGGER"}


class SubmissionAnswer(Item):
    """A submission, and what has become of it: `state` is NEW, ACCEPTED or REJECTED."""

    submission_id: int
    instance_id: int | None
    state: str
    error: str | None = None
    error_code: int | None = None


class CommandAnswer(Item):
    """A command, and what has become of it: `state` is NEW, DONE or REJECTED. `result`: as the SQL contract has it."""

    command_id: int
    action: str
    state: str
    result: Any = None
    error: str | None = None
    error_code: int | None = None


def submission_row(call: Call, **columns: Any) -> dict[str, Any]:
    """The row of a submission as an API client means it; JSON columns are mappings.

    Raises: InvalidRequest with every fault.
    """
    given = {name: columns.pop(name, None) for name in ("params", "overrides", "business_date", "run_at", "name")}
    about: dict[str, Any] = {"workflow": None, "job": None, "version": None, "priority": 0, "hold": 0}
    about |= {"idempotency_key": None, "trigger_type": TRIGGER_TYPE, "tenant": call.tenant} | columns
    return requests.submission(**given, **about) | {"submitted_by": call.caller.principal}


def command_row(call: Call, action: str, **columns: Any) -> dict[str, Any]:
    """The row of a command; `filter` and `args` are mappings.

    Raises: InvalidRequest with every fault.
    """
    for name in ("filter", "args"):
        columns[name] = requests.json_text(columns.get(name) or None, name)
    if (reason := columns.get("reason")) is not None:
        columns["reason"] = jsontext.clean_text(reason)
    row = COMMAND | columns | {"action": action, "tenant": call.tenant, "requested_by": call.caller.principal}
    requests.refuse(rows.read_command(row)[1])
    return row


def submit(call: Call, row: Mapping[str, Any]) -> int:
    """Write a submission; its number. The Idempotency-Key of the request becomes that of the row."""
    if (key := key_of(call)) is not None:
        row = {**row, "idempotency_key": key}
    number: int = _stored(lambda: call.change(lambda tx: insert_submission(tx, call, row)))
    return number


def insert_submission(tx: Tx, call: Call, row: Mapping[str, Any]) -> int:
    """Add a submission, with its audit, to a transaction; its number."""
    number = int(tx.one("insert_submission", **row).id)
    target = ("workflow", row["workflow"]) if row["workflow"] else ("job", row["job"])
    note(tx, call, "TRIGGER", *target, submission_id=number)
    return number


def ask(call: Call, action: str, **columns: Any) -> int:
    """Write a command; its number. As `ask_all`."""
    return ask_all(call, [command_row(call, action, **columns)])[0]


def ask_all(call: Call, wanted: Sequence[Mapping[str, Any]]) -> list[int]:
    """Write commands in one transaction; their numbers. With an Idempotency-Key that was used before: the first ones."""

    def write(tx: Tx) -> dict[str, Json]:
        return {"commands": [insert_command(tx, call, row) for row in wanted]}

    return list(map(int, _stored(lambda: once(call, write))["commands"]))


def insert_command(tx: Tx, call: Call, row: Mapping[str, Any]) -> int:
    """Add a command, with its audit, to a transaction; its number."""
    number = int(tx.one("insert_command", **row).id)
    if row["filter"] is not None:
        tx.run("mark_batch", id=number)
    word = AUDITED_AS.get(row["action"], row["action"].upper())
    after = {name: row[name] for name in ("task", "filter", "args", "reason") if row[name] is not None}
    if (from_json(row["args"]) or {}).get("dry_run") is not True:  # that does nothing
        note(tx, call, word, *_object(row, number), after=after, command_id=number)
    return number


def note(tx: Tx, call: Call, action: str, object_type: str, name: Any, **about: Any) -> None:
    """Write into the audit what the caller asks for."""
    who = call.caller
    entry = AuditEntry(
        tenant=call.tenant,
        principal=who.principal,
        token=who.token,
        session=who.session,
        address=call.request.address,
        request_id=call.request.request_id,
        action=action,
        object_type=object_type,
        object=str(name),
        outcome="asked",
        **about,
    )
    write_audit(tx, entry)


def submitted(call: Call, number: int, answer: Callable[[SubmissionAnswer], ApiAnswer] | None = None) -> Wait:
    """Wait until a submission is answered; `answer` is what is said of one that was accepted.

    Raises, when it is asked: ApiFault of the engine's reason, if it was rejected.
    """

    def say() -> ApiAnswer | None:
        found = read_submission(call, number)
        if found.state == NEW:
            return None
        refuse_rejected(found.state, found.error, found.error_code)
        if answer is not None:
            return answer(found)
        return ApiAnswer(found, status=201, headers=location(call, f"instances/{found.instance_id}"))

    def otherwise() -> Any:
        found = SubmissionAnswer(submission_id=number, instance_id=None, state=NEW)
        return at_last(call, say, found, f"submissions/{number}")

    row = AwaitedRow(Awaited.SUBMISSION, number, call.tenant)
    return Wait(say, otherwise, longest_s(call), row, written(call, f"submissions/{number}"))


def asked(call: Call, number: int, path: str = "commands") -> Wait:
    """Wait until a command is answered.

    Raises, when it is asked: ApiFault of the engine's reason, if it was rejected.
    """

    def say() -> CommandAnswer | None:
        found = read_command(call, number)
        if found.state == NEW:
            return None
        refuse_rejected(found.state, found.error, found.error_code)
        return found

    def otherwise() -> Any:
        return at_last(call, say, read_command(call, number), f"{path}/{number}")

    row = AwaitedRow(Awaited.COMMAND, number, call.tenant)
    return Wait(say, otherwise, longest_s(call), row, written(call, f"{path}/{number}"))


def read_submission(call: Call, number: int) -> SubmissionAnswer:
    """Raises: ApiFault 40401."""
    row = call.one("show_submission_answer", id=number)
    if row is None:
        raise ApiFault(40401, f"there is no submission {number}")
    return SubmissionAnswer(
        submission_id=row.id,
        instance_id=row.instance_id if row.is_open == 0 else None,
        state=NEW if row.is_open else row.state,
        error=None if row.is_open else row.error,
        error_code=None if row.is_open else row.error_code,
    )


def read_command(call: Call, number: int) -> CommandAnswer:
    """Raises: ApiFault 40401."""
    row = call.one("show_command_answer", id=number)
    if row is None:
        raise ApiFault(40401, f"there is no command {number}")
    is_answered = row.is_open == 0
    return CommandAnswer(
        command_id=row.id,
        action=row.action,
        state=row.state if is_answered else NEW,
        result=row.result if is_answered or row.is_batch else None,
        error=row.error if is_answered else None,
        error_code=row.error_code if is_answered else None,
    )


def refuse_rejected(state: str, error: str | None, code: int | None) -> None:
    """Raises: ApiFault with the engine's reason, if a row was rejected."""
    if state == "REJECTED":
        text = error or "it was rejected"
        lines = [Problem(where="", message=line) for line in text.splitlines()]
        raise ApiFault(code or int(Refusal.WRONG_STATE), text, lines)


def at_last(call: Call, say: Callable[[], Any], found: Any, path: str) -> Any:
    """What is said when the time to wait is over: what `say` says; else, or if nothing was waited for, 202 with `found`."""
    if longest_s(call) > 0 and (answer := say()) is not None:
        return answer
    return ApiAnswer(found, 202, why_not_yet(call), location(call, path))


def written(call: Call, path: str) -> ApiAnswer:
    """What is said of a write whose answer cannot be read, because the database is away."""
    return ApiAnswer(None, 202, "it is written, but what has become of it cannot be read now", location(call, path))


def longest_s(call: Call, otherwise: float | None = None) -> float:
    """How long a request waits for its answer: what it asks for, else what the route or the server does."""
    if call.wait_s is not None:
        return call.wait_s
    return call.config.wait if otherwise is None else otherwise


def location(call: Call, path: str) -> dict[str, str]:
    """The header that says where the answer will be."""
    return {"Location": f"{call.config.base_path}/api/v1/{path}"}


def why_not_yet(call: Call) -> str:
    """Why there is no answer yet."""
    if longest_s(call) == 0:
        return "it is written; the answer was not waited for"
    if not (daemons := len(call.client.daemons())):
        return "it is written, but no daemon is running; `qflowd run` starts one, which will carry it out"
    who = "the daemon is busy" if daemons == 1 else f"all {daemons} daemons are busy"
    return f"it is written, and has not been answered within {longest_s(call):g} s: {who}"


def _object(row: Mapping[str, Any], number: int) -> tuple[str, str]:
    """What a command is about, for the audit."""
    names = (("task_id", "task"), ("instance_id", "instance"), ("workflow", "workflow"), ("task", "definition"))
    for column, kind in names:
        if row[column] is not None:
            return kind, str(row[column])
    args = from_json(row["args"]) or {}
    return ("limit", str(args["limit"])) if "limit" in args else ("command", str(args.get("command", number)))


def _stored(write: Callable[[], Any]) -> Any:
    """Raises: ApiFault 42202 if the database refuses a value."""
    try:
        return write()
    except DataRefused as error:
        raise ApiFault(42202, f"the database refuses these values: {error}") from error
