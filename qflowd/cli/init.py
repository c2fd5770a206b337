"""`qflowd init`: a folder that works at once. Nothing that is there is overwritten."""

from pathlib import Path
from typing import Final

import click

from qflowd.cli.exits import say
from qflowd.config import USUAL_NAMES

CONFIG: Final = """\
# qflowd: the configuration. Paths are relative to this file; what is commented out shows the default.
# docs/configuration.md explains every key. $QFLOWD_DATABASE_URL stands in for [database] url.

[database]
url = "sqlite:///qflow.db"              # or postgresql://user@host/name, mysql://user@host

[plugins]
dirs = ["plugins"]                      # Python files with @job functions; only you may be able to write to them
# enable = ["shell"]                    # jobs that ship with qflowd and are off until named

[workflows]
dirs = ["workflows"]                    # YAML, TOML or JSON files

[pools.default]
# processes = 4                         # worker processes; default: cores, at least 2

# [pools.io]                            # another pool, for jobs with @job(pool="io")
# processes = 1
# threads = 16

# [daemon]
# lease = "30s"                         # how long other hosts wait before they take over this one's work
# grace = "10s"                         # between asking a task to stop and killing it
# timeout = "1h"                        # of tasks that name none; default: none

# [log]
# format = "console"                    # or "json"; default: console on a terminal
# level = "info"
"""

PLUGIN: Final = '''\
"""Jobs are functions with a decorator; save this file, and a running daemon has the change."""

from qflowd import context, job


@job
def hello(name: str = "world") -> dict:
    """Greet somebody. What is returned is the task's output."""
    context().logger.info("about to greet %s", name)
    print(f"Hello, {name}!")
    return {"greeting": f"Hello, {name}!", "letters": len(name)}


@job(retries=2, retry_delay="1s")
def report(greeting: str) -> str:
    """Use what another task returned."""
    return greeting.upper()
'''

WORKFLOW: Final = """\
workflow: hello
title: A first workflow
params:
  name: {type: string, default: world}
tasks:
  greet:
    job: hello                          # takes the workflow's param `name`
  shout:
    job: report
    after: greet
    params: {greeting: "{{ greet.output.greeting }}"}
# schedule: {cron: "0 17 * * mon-fri", timezone: Asia/Shanghai}
"""

NEXT: Final = """\
  qflowd run                                    # the daemon; leave it running
  qflowd submit hello -p name=you --wait        # in another terminal
  qflowd ps                                     # what ran; then: qflowd show 1, qflowd logs 1
or with plain SQL, from any program:
  sqlite3 -cmd '.timeout 20000' qflow.db "INSERT INTO submissions (workflow) VALUES ('hello')"
"""

FILES: Final = {"qflowd.toml": CONFIG, "plugins/hello.py": PLUGIN, "workflows/hello.yaml": WORKFLOW}


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=Path())
def command(folder: Path) -> int:
    """Make DIR (default: here) with a configuration, a first job and workflow, and an embedded database.

    An existing folder is fine; nothing in it is overwritten.
    """
    _make_folder(folder)
    for name in ("plugins", "workflows"):
        _make_folder(folder / name)
    for name, text in FILES.items():
        if name == "qflowd.toml" and (there := [other for other in USUAL_NAMES if (folder / other).exists()]):
            click.echo(f"  kept  {folder / there[0]}")
        else:
            _make_file(folder / name, text)
    _make_database(folder)
    _warn_of_untrusted(folder / "plugins")
    _tell_what_next(folder)
    return 0


def _make_folder(path: Path) -> None:
    """Readable by all and writable by us alone, whatever the umask: the daemon trusts no other plugin folder."""
    if path.is_dir():
        return
    try:
        for missing in reversed([path, *path.parents]):
            if not missing.exists():
                missing.mkdir()
                missing.chmod(0o755)
    except OSError as error:
        raise click.ClickException(f"cannot make the folder {path}: {error.strerror}") from None
    click.echo(f"  made  {path}/")


def _make_file(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        path.chmod(0o644)
    except FileExistsError:
        click.echo(f"  kept  {path}")
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    else:
        click.echo(f"  made  {path}")


def _make_database(folder: Path) -> None:
    from qflowd.config import load
    from qflowd.store import migrate
    from qflowd.store.tx import Store

    # The folder's own file, not what the environment points to.
    config = load(next(folder / name for name in USUAL_NAMES if (folder / name).exists()), {})
    store = Store(config.database.url)
    file = store.dialect.file
    if file is None:
        click.echo(f"  left  {config.database.shown}: `qflowd migrate` or `qflowd run` makes its schema")
        return
    existed = file.exists()
    try:
        migrate.migrate(store)
    finally:
        store.close()
    click.echo(f"  {'kept' if existed else 'made'}  {file if file.parent != folder.absolute() else folder / file.name}")


def _warn_of_untrusted(plugins: Path) -> None:
    from qflowd.model.errors import RefusedPath
    from qflowd.plugins.trust import check_folder

    try:
        check_folder(plugins)
    except RefusedPath as error:
        say(f"the daemon will refuse this plugin folder: {error}")


def _tell_what_next(folder: Path) -> None:
    here = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    click.echo(f"\nNext:\n{here}{NEXT}", nl=False)
