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
    found = {"qflowd": qflowd.__version__, "python": platform.python_version()}
    for name in DRIVERS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if as_json:
        print_json(found)
        return
    for name, version in found.items():
        click.echo(f"{name} {version}")
