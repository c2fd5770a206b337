"""`qflowd api`: the HTTP server in the foreground."""

import dataclasses

import click

from qflowd.cli.session import configuration


@click.command()
@click.option("--bind", help="HOST:PORT or unix:/PATH, instead of [api] bind; port 0 is any free one.")
def api(*, bind: str | None) -> int:
    """Serve the HTTP API and the dashboard until SIGTERM or Ctrl-C; print the address once it answers.

    It listens on loopback unless [api] says otherwise. Any number may serve one database, on any host.
    """
    from qflowd.api.server import serve
    from qflowd.config.bind import Bind
    from qflowd.daemon import log

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
    return serve(config, when_ready=click.echo)
