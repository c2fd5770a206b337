"""`qflowd api`: the HTTP server in the foreground."""

import dataclasses
import sys

import click

from qflowd.cli.printing import is_terminal
from qflowd.cli.session import configuration


@click.command()
@click.option("--bind", help="HOST:PORT or unix:/PATH, instead of [api] bind; port 0 is any free one.")
@click.option("--until-stdin-ends", is_flag=True, hidden=True, help="Of `qflowd run`, whose child this is.")
def api(*, bind: str | None, until_stdin_ends: bool) -> int:
    """Serve the HTTP API and the dashboard until SIGTERM or Ctrl-C; print the address once it answers.

    It listens on loopback unless [api] says otherwise. Any number may serve one database, on any host.
    """
    from qflowd.api.http.server import serve
    from qflowd.config.bind import Bind
    from qflowd.daemon import log
    from qflowd.workers import linux

    config = configuration()
    if bind is not None:
        try:
            settings = dataclasses.replace(config.api, bind=Bind.parse(bind))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--bind") from None
        if fault := settings.fault():
            raise click.UsageError(fault)
        config = dataclasses.replace(config, api=settings)
    log.set_up(config.log.format, config.log.level)
    linux.hide_from_peers()  # a worker of the daemon runs as the same user, and must not read the password here
    show_link = click.echo if is_terminal() else None  # not to a file or a journal, where it would stay
    if until_stdin_ends:
        return serve(config, show_link=show_link, ends_with=sys.stdin.fileno())
    return serve(config, when_ready=click.echo, show_link=show_link)
