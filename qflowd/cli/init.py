"""`qflowd init`: a folder that works at once. Nothing that is there is overwritten."""

from pathlib import Path
from typing import Final

import click

from qflowd import resources
from qflowd.cli.exits import say
from qflowd.config import USUAL_NAMES, load
from qflowd.model.errors import RefusedPath
from qflowd.plugins.trust import check_folder
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store

NEXT: Final = """\
  qflowd run                                    # the daemon; leave it running
  qflowd submit hello -p name=you --wait        # in another terminal
  qflowd ps                                     # what ran; then: qflowd show 1, qflowd logs 1
or with plain SQL, from any program:
  sqlite3 -cmd '.timeout 20000' qflow.db "INSERT INTO submissions (workflow) VALUES ('hello')"
"""

FILES: Final = ("qflowd.toml", "plugins/hello.py", "workflows/hello.yaml")


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=Path())
def command(folder: Path) -> int:
    """Make DIR (default: here) with a configuration, a first job and workflow, and an embedded database.

    An existing folder is fine; nothing in it is overwritten.
    """
    for name in FILES:
        path = folder / name
        _make_folder(path.parent)
        if name in USUAL_NAMES and (config := _configuration(folder)):
            click.echo(f"  kept  {config}")
        else:
            _make_file(path, (resources.folder("starter") / name).read_text("utf-8"))
    _make_database(folder)
    _warn_of_untrusted(folder / "plugins")
    _tell_what_next(folder)
    return 0


def _configuration(folder: Path) -> Path | None:
    return next((folder / name for name in USUAL_NAMES if (folder / name).exists()), None)


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
    # The folder's own file, not what the environment points to.
    config = load(_configuration(folder), {})
    store = Store(config.database.url)
    file = store.dialect.file
    if file is None:
        click.echo(f"  left  {config.database.shown}: `qflowd migrate` or `qflowd run` makes its schema")
        return
    existed = file.exists()
    try:
        migrate(store)
    finally:
        store.close()
    click.echo(f"  {'kept' if existed else 'made'}  {file if file.parent != folder.absolute() else folder / file.name}")


def _warn_of_untrusted(plugins: Path) -> None:
    try:
        check_folder(plugins)
    except RefusedPath as error:
        say(f"the daemon will refuse this plugin folder: {error}")


def _tell_what_next(folder: Path) -> None:
    here = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    click.echo(f"\nNext:\n{here}{NEXT}", nl=False)
