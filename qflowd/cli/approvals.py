"""`qflowd approvals`, `approve` and `reject`: what waits for a person, and the answers."""

from typing import Any, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, carry_out, command_options
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client

COLUMNS = (
    "INSTANCE>:instance_id | workflow | task | DATE:business_date | QUESTION:subject | ASKED (UTC):asked_at"
    " | DEADLINE (UTC):deadline_at | THEN:default_answer"
)


@click.command(help=COMMANDS["approvals"])
@json_option
def approvals(*, as_json: bool) -> None:
    """See `help` above."""
    with open_client() as client:
        rows = client.approvals()
    print_list(rows, COLUMNS, "nothing waits for an approval", as_json=as_json)


def _answer(action: str) -> click.Command:
    @click.command(action, help=f"{COMMANDS[action]}\n\nExit code 1 if it is refused, or no daemon answers.")
    @click.argument("instance", type=int)
    @click.argument("task", required=False)
    @command_options
    def command(*, instance: int, task: str | None, **options: Unpack[CommandOptions]) -> int:
        target: dict[str, Any] = {"instance_id": instance} | ({"task": task} if task else {})
        what = f"{action} {instance}{f' {task}' if task else ''}"
        return carry_out(action, [(what, target)], is_one=True, **options)

    return command


approve = _answer("approve")
reject = _answer("reject")
