"""What doctor looks at on this host: pools against cores and memory, folders and who can write to them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from qflowd.cli.finding import Finding, fault, note, ok, warning
from qflowd.cli.validate import workflow_paths
from qflowd.config.records import Config
from qflowd.define import workflow_file
from qflowd.model.durations import MB
from qflowd.model.errors import InvalidWorkflow
from qflowd.plugins.source import scan
from qflowd.workers.environment import env_remarks

WORKER_MB: Final = 30  # of a worker that has imported nothing of the user's
DAEMON_MB: Final = 60
PER_CORE: Final = 4  # processes that one core can feed, if they mostly wait


def check_pools(config: Config) -> Iterator[Finding]:
    """Slots against cores, processes against memory."""
    cores = len(os.sched_getaffinity(0))
    processes = sum(pool.processes for pool in config.pools.values())
    named = ", ".join(f"{name} {pool.processes}x{pool.threads}" for name, pool in config.pools.items())
    message = f"{processes} worker processes ({named}) on {cores} cores"
    if processes > PER_CORE * cores:
        yield warning(
            "pools", message, f"more than {PER_CORE} a core slow each other down; use threads for jobs that wait"
        )
    else:
        yield ok("pools", message)
    needed_mb, free_mb = DAEMON_MB + WORKER_MB * processes, _available_mb()
    message = f"{needed_mb} MB for daemon and bare workers, {free_mb} MB available"
    yield ok("memory", message) if needed_mb < free_mb / 2 else warning("memory", message, "lower [pools.…] processes")


def check_plugins(config: Config) -> Iterator[Finding]:
    """Plugin folders exist, and nobody else can write to them or to what is in them."""
    for folder in config.plugins.dirs:
        if not folder.is_dir():
            yield note("plugins", f"there is no folder {folder}", "make it, or change [plugins] dirs")
            continue
        files = scan([folder], (".py",), trusted_only=True)
        for path, error in files.errors.items():
            yield fault("plugins", error if path in error else f"{path}: {error}")
        if not files.errors:
            yield ok("plugins", f"{folder}: {_files(len(files.files))} that only this user and root can change")
    for remark in env_remarks(os.environ, config.plugins.env):
        yield warning("environment", remark)
    if "shell" in config.plugins.enable:
        yield note("plugins", "shell is enabled: whoever may submit can run any program as this user")


def check_workflows(config: Config) -> Iterator[Finding]:
    """Workflow folders exist and their files can be read."""
    for folder in config.workflows.dirs:
        if not folder.is_dir():
            yield note("workflows", f"there is no folder {folder}", "make it, or change [workflows] dirs")
            continue
        paths = list(workflow_paths([folder]))
        bad = 0
        for path in paths:
            try:
                workflow_file.parse_file(path)
            except InvalidWorkflow as error:
                bad += 1
                yield warning("workflows", str(error.faults[0]), f"qflowd validate {path}")
        if not bad:
            yield ok("workflows", f"{folder}: {_files(len(paths))}")


def check_file(file: Path) -> Iterator[Finding]:
    """The SQLite file: nobody else may read it, and its folder is ours to write."""
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o022:
        yield fault("database file", f"{file} has mode {mode:04o}: others could submit anything", f"chmod 600 {file}")
    elif mode & 0o044:
        yield note("database file", f"{file} has mode {mode:04o}: others can read params and logs")
    else:
        yield ok("database file", f"{file} has mode {mode:04o}, {file.stat().st_size / MB:.1f} MB")
    if not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        yield fault(
            "database file", f"this user cannot write to {file} and its folder", f"chown them, or run as {file.owner()}"
        )


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0
