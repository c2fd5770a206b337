"""`qflowd run`: the daemon in the foreground."""

import click

from qflowd.cli.session import configuration


@click.command()
@click.option("--until-idle", is_flag=True, help="Exit when nothing is left to do; exit code 1 if anything failed.")
def run(*, until_idle: bool) -> int:
    """Run the daemon: migrate, read plugins and workflows, then take what is submitted.

    On SIGTERM or Ctrl-C it takes no more, lets running tasks finish and gives back the rest; on a second one it stops
    at once.
    """
    from qflowd.daemon.main import main

    return main(configuration(), until_idle=until_idle)
