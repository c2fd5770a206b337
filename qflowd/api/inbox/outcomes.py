"""What has become of submissions and commands: read, and waited for."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from qflowd.api.answers import ApiAnswer, ApiFault, Awaited, AwaitedRow, Item, Problem, Wait
from qflowd.api.call import Call
from qflowd.api.current_books import known_calendars
from qflowd.api.inbox.inboxes import AskedCommand, ask
from qflowd.api.inbox.waiting import POLL_AFTER
from qflowd.client.remarks import warnings_of
from qflowd.model.refusals import Refusal

NEW: Final = "NEW"
# Why a command, and why a submission may be rejected, besides what follows from the route.
REFUSALS: Final = (40302, 40901, 40905, 42201)
REJECTIONS: Final = (*REFUSALS, 40908, 42204, 42205, 42902)
# As the engine says it: `params: symbols[2]: …`, or `params: …` of all of them.
_OF_PARAMS: Final = re.compile(r"(params|args\.set|overrides\.tasks\.\S+\.params): (?:([^\s\"'{\[]\S*): )?(.+)")


class SubmissionAnswer(Item):
    """A submission, and what has become of it: `state` is NEW, ACCEPTED or REJECTED.

    `warnings`: to who has submitted it, that its business date is not a session of the workflow's calendar; it is taken.
    """

    submission_id: int
    instance_id: int | None
    state: str
    error: str | None = None
    error_code: int | None = None
    warnings: Sequence[str] = ()


class CommandAnswer(Item):
    """A command, and what has become of it: `state` is NEW, DONE or REJECTED. `result`: as the SQL contract has it."""

    command_id: int
    action: str
    state: str
    result: Any = None
    error: str | None = None
    error_code: int | None = None


class CommandList(Item):
    """Commands in the order in which they were given."""

    items: Sequence[CommandAnswer]


class SubmissionList(Item):
    """Submissions in the order in which they were given."""

    items: Sequence[SubmissionAnswer]


class Answerable(Protocol):
    """What is NEW until the engine has answered it."""

    state: str
    error: str | None
    error_code: int | None


CommandResult = Wait | CommandAnswer
A = TypeVar("A", bound=Answerable)
L = TypeVar("L", CommandList, SubmissionList)
T = TypeVar("T")


def shown(call: Call, kind: Awaited, number: int, read: Callable[[], A]) -> Wait:
    """What `read` finds of a row; with `?wait=`, when it has been answered."""

    def say() -> A | None:
        found = read()
        return None if found.state == NEW else found

    def otherwise() -> ApiAnswer:
        found = read()
        return ApiAnswer(found, headers=POLL_AFTER if found.state == NEW else {})

    return Wait(say, otherwise, longest_s(call, 0), AwaitedRow(kind, number, call.tenant))


def answered(
    call: Call,
    kind: Awaited,
    number: int,
    new: Item,
    read: Callable[[], A],
    path: str,
    answer: Callable[[A], Any] | None = None,
    shape: Callable[[Any], Item] = lambda found: found,
) -> Wait:
    """Wait until what was written is answered.

    Args:
        new: what is said of it if it cannot be read.
        answer: what is said of it if it was not rejected; else what was read.
        shape: makes what is said of it, `new` too, as long as there is no answer.

    Raises, when it is asked: ApiFault of the engine's reason, if it was rejected.
    """

    def say(found: A) -> Any:
        if found.state == NEW:
            return None
        refuse_rejected(found.state, found.error, found.error_code)
        return found if answer is None else answer(found)

    return _wait(call, AwaitedRow(kind, number, call.tenant), read, say, path, new, shape)


def submitted(
    call: Call,
    number: int,
    row: Mapping[str, Any],
    answer: Callable[[SubmissionAnswer], ApiAnswer] | None = None,
    shape: Callable[[SubmissionAnswer], Item] = lambda found: found,
) -> Wait:
    """Wait until a submission, which was written as `row`, is answered; as `answered`."""
    [warnings] = _warnings(call, [row])

    def admitted(found: SubmissionAnswer) -> ApiAnswer:
        return ApiAnswer(found, status=201, headers=location(call, f"instances/{found.instance_id}"))

    def read() -> SubmissionAnswer:
        return replace(read_submission(call, number), warnings=warnings)

    new, path = _new_submission(number, warnings), f"submissions/{number}"
    return answered(call, Awaited.SUBMISSION, number, new, read, path, answer or admitted, shape)


def asked(call: Call, action: str, *, path: str = "commands", **columns: Any) -> Wait:
    """Write a command and wait until it is answered; as `ask` and `answered`. `path`: where it is watched."""
    command = ask(call, action, **columns)
    number = command.number
    new = new_command(command)
    return answered(call, Awaited.COMMAND, number, new, lambda: read_command(call, number), f"{path}/{number}")


def all_submitted(call: Call, numbers: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> Wait:
    """Wait until all are answered, which were written as `rows`. One that was rejected says so in its item."""
    warnings = _warnings(call, rows)

    def read() -> SubmissionList:
        found = read_submissions(call, numbers)
        return SubmissionList(items=[replace(one, warnings=told) for one, told in zip(found, warnings, strict=True)])

    new = SubmissionList(items=list(map(_new_submission, numbers, warnings)))
    return _all_answered(call, AwaitedRow(Awaited.SUBMISSION, numbers[-1], call.tenant), read, new, "submissions", 201)


def all_asked(call: Call, commands: Sequence[AskedCommand]) -> Wait:
    """Wait until all are answered. One that was rejected says so in its item."""
    numbers = [command.number for command in commands]

    def read() -> CommandList:
        return CommandList(items=read_commands(call, numbers))

    new = CommandList(items=list(map(new_command, commands)))
    return _all_answered(call, AwaitedRow(Awaited.COMMAND, numbers[-1], call.tenant), read, new, "commands", 200)


def _warnings(call: Call, rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Of submissions that were written as `rows`."""
    asked = [(row["workflow"], row["business_date"]) for row in rows]
    return warnings_of(call.read, lambda: known_calendars(call), asked)


def _new_submission(number: int, warnings: Sequence[str]) -> SubmissionAnswer:
    return SubmissionAnswer(submission_id=number, instance_id=None, state=NEW, warnings=warnings)


def new_command(command: AskedCommand) -> CommandAnswer:
    """A command of which nothing has become yet."""
    return CommandAnswer(command_id=command.number, action=command.action, state=NEW)


def read_submission(call: Call, number: int) -> SubmissionAnswer:
    """Raises: ApiFault 40401."""
    return read_submissions(call, [number])[0]


def read_submissions(call: Call, numbers: Sequence[int]) -> list[SubmissionAnswer]:
    """In the order of their numbers, by one statement. Raises: ApiFault 40401."""
    return [
        SubmissionAnswer(
            submission_id=row.id,
            instance_id=row.instance_id if row.is_open == 0 else None,
            state=NEW if row.is_open else row.state,
            error=None if row.is_open else row.error,
            error_code=None if row.is_open else row.error_code,
        )
        for row in _rows(call, "show_submission_answers", "submission", numbers)
    ]


def read_command(call: Call, number: int) -> CommandAnswer:
    """Raises: ApiFault 40401."""
    return read_commands(call, [number])[0]


def read_commands(call: Call, numbers: Sequence[int]) -> list[CommandAnswer]:
    """As `read_submissions`."""
    return [
        CommandAnswer(
            command_id=row.id,
            action=row.action,
            state=NEW if row.is_open else row.state,
            result=row.result if row.is_batch or not row.is_open else None,
            error=None if row.is_open else row.error,
            error_code=None if row.is_open else row.error_code,
        )
        for row in _rows(call, "show_command_answers", "command", numbers)
    ]


def _rows(call: Call, statement: str, what: str, numbers: Sequence[int]) -> list[Any]:
    rows = call.read(statement, rows=[(number,) for number in sorted(set(numbers))])
    found = {row.id: row for row in rows}
    if missing := [number for number in numbers if number not in found]:
        raise ApiFault(40401, f"there is no {what} {missing[0]}")
    return [found[number] for number in numbers]


def refuse_rejected(state: str, error: str | None, code: int | None) -> None:
    """Raises: ApiFault with the engine's reason, if a row was rejected."""
    if state == "REJECTED":
        text = error or "it was rejected"
        raise ApiFault(code or int(Refusal.WRONG_STATE), text, [_problem(line, code) for line in text.splitlines()])


def _problem(line: str, code: int | None) -> Problem:
    found = _OF_PARAMS.fullmatch(line) if code == Refusal.PARAMS else None
    if found is None:
        return Problem(where="", message=line)
    return Problem(where=found[1] if found[2] is None else f"{found[1]}.{found[2]}", message=found[3])


def written(call: Call, path: str, new: Item) -> ApiAnswer:
    """What is said of a write whose answer cannot be read: who wrote it must know its number, and not write it again."""
    return ApiAnswer(new, 202, "it is written, but what has become of it cannot be read now", location(call, path))


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


def _all_answered(call: Call, last: AwaitedRow, read: Callable[[], L], new: Item, path: str, status: int) -> Wait:
    def say(found: L) -> ApiAnswer | None:
        return None if any(item.state == NEW for item in found.items) else ApiAnswer(found, status)

    # The engine takes them in the order of their ids.
    return _wait(call, last, read, say, f"{path}/{last.id}", new)


def _wait(
    call: Call,
    row: AwaitedRow,
    read: Callable[[], T],
    say: Callable[[T], Any],
    path: str,
    new: Item,
    shape: Callable[[Any], Item] = lambda found: found,
) -> Wait:
    """Wait until `say` has an answer; without one in time, or if nothing was to be waited for, 202 with what was read."""

    def otherwise() -> Any:
        found = read()
        if longest_s(call) > 0 and (answer := say(found)) is not None:
            return answer
        return ApiAnswer(shape(found), 202, why_not_yet(call), location(call, path))

    return Wait(lambda: say(read()), otherwise, longest_s(call), row, written(call, path, shape(new)))
