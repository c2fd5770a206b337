"""`qflowd run`: the daemon in the foreground."""

import click

from qflowd.cli.session import configuration


@click.command()
@click.option("--until-idle", is_flag=True, help="End when nothing is left to do; exit code 1 if anything failed.")
def run(*, until_idle: bool) -> int:
    """Run the daemon: migrate, read plugins and workflows, then take what is submitted.

    SIGTERM and Ctrl-C: take no more, let what runs finish, give back the rest. A second one: now.
    """
    from qflowd.daemon import main

    return main(configuration(), until_idle=until_idle)
