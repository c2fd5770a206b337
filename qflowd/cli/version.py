"""`qflowd version`: of qflowd, Python and the drivers, for reports of faults."""

import platform
from importlib import metadata

import click

import qflowd
from qflowd.cli.printing import print_json
from qflowd.cli.session import json_option

DRIVERS = ("apsw", "psycopg", "PyMySQL")


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Show the versions of qflowd, Python and the database drivers."""
    versions = {"qflowd": qflowd.__version__, "python": platform.python_version()}
    versions |= {name: metadata.version(name) for name in DRIVERS}
    if as_json:
        print_json(versions)
        return
    for name, version in versions.items():
        click.echo(f"{name} {version}")
