"""`qflowd migrate`: the only command besides `init` and `run` that changes the schema."""

import click

from qflowd.cli.printing import print_json
from qflowd.cli.session import configuration, json_option
from qflowd.store import migrate as schema
from qflowd.store.tx import Store


@click.command()
@click.option("--print-sql", is_flag=True, help="Print the whole schema for a DBA to run by hand; change nothing.")
@json_option
def migrate(*, print_sql: bool, as_json: bool) -> None:
    """Create the schema in the configured database, or bring it up to date. Safe beside running daemons."""
    store = Store(configuration().database.url)
    if print_sql:
        click.echo(schema.script(store.dialect), nl=False)
        return
    try:
        steps = schema.migrate(store)
    finally:
        store.close()
    if as_json:
        print_json({"database": store.dialect.describe(), "version": schema.newest(), "steps": steps})
        return
    done = f"{steps} steps run, now at" if steps else "already at"
    click.echo(f"{store.dialect.describe()}: {done} version {schema.newest()}")
