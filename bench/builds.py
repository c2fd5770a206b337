"""Builds: the qflowd in this checkout, and an older one beside it, so that both are measured in one run."""

import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Build(NamedTuple):
    """A qflowd that can be started: `python -m qflowd`."""

    name: str
    python: str


CURRENT = Build("current", sys.executable)


@contextmanager
def checked_out(revision: str) -> Iterator[Build]:
    """The build of a git revision, in a temporary folder, with this environment's packages and what else it needs.

    Raises: SystemExit if there is no such revision, or its packages cannot be had.
    """
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        raise SystemExit(f"--versus {revision}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="qflowd-build-") as home:
        tree, environment = Path(home) / "tree", Path(home) / "venv"
        tree.mkdir()
        subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
        venv.create(environment, symlinks=True)
        packages = next(environment.glob("lib/python*/site-packages"))
        # The tree first. What lies in the second folder is importable, but its own .pth, which names ROOT, is not read.
        (packages / "build.pth").write_text(f"{tree}\n{sysconfig.get_path('purelib')}\n")
        python = str(environment / "bin" / "python")
        _install_dependencies(tree, python)
        command = [python, "-P", "-c", "import qflowd; print(qflowd.__file__)"]
        where = subprocess.run(command, capture_output=True, text=True, check=False)
        if not where.stdout.startswith(str(tree)):
            raise SystemExit(f"--versus {revision}: {where.stdout or where.stderr} would be measured, not {tree}")
        yield Build(revision, python)


def _install_dependencies(tree: Path, python: str) -> None:
    """What it needs and this environment lacks: without a library, its daemon would idle in error."""
    needed = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["dependencies"]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-qq", "--disable-pip-version-check", *needed]
    if subprocess.run(pip, check=False).returncode:
        raise SystemExit(f"{tree}: its dependencies could not be installed: {', '.join(needed)}")
