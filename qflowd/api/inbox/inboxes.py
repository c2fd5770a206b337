"""Writing submissions and commands, in the caller's name.

Row, audit and idempotency key are one transaction, so what was acknowledged is there whatever crashes afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qflowd.api.answers import ApiFault, Problem
from qflowd.api.call import Call
from qflowd.api.inbox.idempotency import key_of, write_once
from qflowd.client import requests
from qflowd.client.records import from_json
from qflowd.define import rows
from qflowd.engine.access.audit import record
from qflowd.model.workflow import Json
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import DataRefused, Tx

TRIGGER_TYPE: Final = "api"
# What the audit calls actions whose own word says less.
AUDITED_AS: Final[Mapping[str, str]] = {"terminate": "CANCEL", "stop": "CANCEL", "start": "TRIGGER"}


class AskedCommand(NamedTuple):
    """A command that was written."""

    number: int
    action: str


def submission_row(call: Call, **columns: Any) -> dict[str, Any]:
    """The row of a submission as an API client means it; JSON columns are mappings.

    Raises: InvalidRequest with every fault.
    """
    given = {name: columns.pop(name, None) for name in ("params", "overrides", "business_date", "run_at", "name")}
    about: dict[str, Any] = {
        "workflow": None,
        "job": None,
        "version": None,
        "priority": 0,
        "hold": 0,
        "allow_duplicates": 0,
    }
    about |= {"idempotency_key": None, "trigger_type": TRIGGER_TYPE, "tenant": call.tenant} | columns
    return requests.submission(**given, **about) | {"submitted_by": call.caller.principal}


def command_row(call: Call, action: str, **columns: Any) -> dict[str, Any]:
    """The row of a command; `filter` and `args` are mappings.

    Raises: InvalidRequest with every fault.
    """
    for name in ("filter", "args"):
        columns[name] = requests.json_text(columns.get(name) or None, name)
    row = COMMAND | columns | {"action": action, "tenant": call.tenant, "requested_by": call.caller.principal}
    requests.refuse(rows.read_command(row)[1])
    return row


def submit(call: Call, row: Mapping[str, Any]) -> int:
    """Write a submission; its number. With an Idempotency-Key, which becomes that of the row, once: as `write_once`.

    Raises: ApiFault 42202 where the row has another key.
    """
    if (key := key_of(call)) is not None:
        if row["idempotency_key"] not in (None, key):
            message = f"is another one than the header Idempotency-Key, {key!r}; send one of them"
            raise ApiFault(42202, f"idempotency_key {message}", [Problem(where="idempotency_key", message=message)])
        row = {**row, "idempotency_key": key}

    def write(tx: Tx) -> dict[str, Json]:
        return {"submission": insert_submission(tx, call, row)}

    return int(_stored(lambda: write_once(call, write))["submission"])


def insert_submission(tx: Tx, call: Call, row: Mapping[str, Any]) -> int:
    """Add a submission, with its audit, to a transaction; its number."""
    number = int(tx.one("insert_submission", **row).id)
    target = ("workflow", row["workflow"]) if row["workflow"] else ("job", row["job"])
    record(tx, call.actor, "TRIGGER", *target, outcome="asked", submission_id=number)
    return number


def ask(call: Call, action: str, **columns: Any) -> AskedCommand:
    """Write a command. As `ask_all`."""
    return ask_all(call, [command_row(call, action, **columns)])[0]


def ask_all(call: Call, wanted: Sequence[Mapping[str, Any]]) -> list[AskedCommand]:
    """Write commands in one transaction. With an Idempotency-Key that was used before: the first ones."""

    def write(tx: Tx) -> dict[str, Json]:
        return {"commands": [insert_command(tx, call, row) for row in wanted]}

    numbers = _stored(lambda: write_once(call, write))["commands"]
    return [AskedCommand(int(number), row["action"]) for number, row in zip(numbers, wanted, strict=True)]


def insert_command(tx: Tx, call: Call, row: Mapping[str, Any]) -> int:
    """Add a command, with its audit, to a transaction; its number."""
    number = int(tx.one("insert_command", **row).id)
    if row["filter"] is not None:
        tx.run("mark_batch", id=number)
    word = AUDITED_AS.get(row["action"], row["action"].upper())
    after = {name: row[name] for name in ("task", "filter", "args", "reason") if row[name] is not None}
    if (from_json(row["args"]) or {}).get("dry_run") is not True:  # that does nothing
        record(tx, call.actor, word, *_object(row, number), after=after, outcome="asked", command_id=number)
    return number


def send_signal(call: Call, row: Mapping[str, Any]) -> int:
    """Write a signal; its number. With an Idempotency-Key, once."""

    def write(tx: Tx) -> dict[str, Json]:
        number = int(tx.one("insert_signal", **{**row, "sent_by": call.caller.principal}).id)
        after = {name: row[name] for name in ("payload", "business_date") if row[name] is not None}
        record(tx, call.actor, "SIGNAL", "signal", str(row["name"]), after=after, outcome="done")
        return {"signal": number}

    return int(_stored(lambda: write_once(call, write))["signal"])


def _object(row: Mapping[str, Any], number: int) -> tuple[str, str]:
    """What a command is about, for the audit."""
    names = (("task_id", "task"), ("instance_id", "instance"), ("workflow", "workflow"), ("task", "definition"))
    for column, kind in names:
        if row[column] is not None:
            return kind, str(row[column])
    args = from_json(row["args"]) or {}
    for kind in ("limit", "backfill"):
        if kind in args:
            return kind, str(args[kind])
    return "command", str(args.get("command", number))


def _stored(write: Callable[[], Any]) -> Any:
    """Raises: ApiFault 42202 if the database refuses a value."""
    try:
        return write()
    except DataRefused as error:
        raise ApiFault(42202, f"the database refuses these values: {error}") from error
