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
  qflowd api                                    # the dashboard: prints its address, and a link that signs you in
or with plain SQL, from any program:
  sqlite3 -cmd '.timeout 20000' qflow.db "INSERT INTO submissions (workflow) VALUES ('hello')"
"""


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Create DIR (default: here) with a configuration, a first job and workflow, and an embedded database.

    An existing folder is fine; nothing in it is overwritten.
    """
    configuration = next((folder / name for name in USUAL_NAMES if (folder / name).exists()), folder / USUAL_NAMES[0])
    files = {configuration: "qflowd.toml"} | {folder / f: f for f in ("plugins/hello.py", "workflows/hello.yaml")}
    try:
        for path, name in files.items():
            _make_folder(path.parent)
            _make_file(path, (resources.folder("starter") / name).read_text("utf-8"))
    except OSError as error:
        raise click.ClickException(f"cannot make {error.filename}: {error.strerror}") from None
    _make_database(folder, configuration)
    try:
        check_folder(folder / "plugins")
    except RefusedPath as error:
        say(f"the daemon will refuse this plugin folder: {error}")
    here = "" if folder.resolve() == Path.cwd() else f"  cd {folder}\n"
    click.echo(f"\nNext:\n{here}{NEXT}", nl=False)


def _make_folder(path: Path) -> None:
    """Readable by all and writable by us alone, whatever the umask: the daemon trusts no other plugin folder."""
    if path.is_dir():
        return
    for missing in reversed([path, *path.parents]):
        if not missing.exists():
            missing.mkdir()
            missing.chmod(0o755)
    click.echo(f"  made  {path}/")


def _make_file(path: Path, text: str) -> None:
    is_new = not path.exists()
    if is_new:
        path.write_text(text, "utf-8")
        path.chmod(0o644)
    click.echo(f"  {'made' if is_new else 'kept'}  {path}")


def _make_database(folder: Path, configuration: Path) -> None:
    config = load(configuration, {})  # the folder's own, not what the environment points to
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
