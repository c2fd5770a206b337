"""`qflowd why ID`: what an instance or a task waits for."""

import click

from qflowd.cli.printing import echo, in_zone, print_json
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import hint_at_instance
from qflowd.model.errors import NotFound


@click.command()
@click.argument("id", type=int)
@click.option(
    "--task", metavar="KEY", help="Of this task of instance ID; an item of a map is KEY[LABEL] or KEY[INDEX]."
)
@json_option
def why(*, id: int, task: str | None, as_json: bool) -> None:
    """Say why the instance or task ID does not continue: for what, whom, or until when it waits."""
    with open_client() as client:
        try:
            answer = client.why(id, task)
        except NotFound as error:
            raise NotFound(f"{error}{hint_at_instance(client, id)}") from None
    if as_json:
        print_json(answer)
    else:
        echo(in_zone(str(answer)))
