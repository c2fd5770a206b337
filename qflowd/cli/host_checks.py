"""What doctor looks at on this host: pools against cores and memory, folders and who can write to them."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from qflowd.cli.finding import Finding, fault, judge, note, ok, warning
from qflowd.cli.validate import workflow_paths
from qflowd.config.records import Config
from qflowd.define import workflow_file
from qflowd.model.errors import InvalidWorkflow
from qflowd.plugins.source import scan
from qflowd.workers.environment import env_remarks

WORKER_MB: Final = 30  # of a worker that has imported nothing of the user's
DAEMON_MB: Final = 60
PER_CORE: Final = 4  # processes that one core can feed, if they mostly wait


def _check_pools(config: Config) -> Iterator[Finding]:
    """Slots against cores, processes against memory."""
    cores = len(os.sched_getaffinity(0))
    processes = sum(pool.processes for pool in config.pools.values())
    named = ", ".join(f"{name} {pool.processes}x{pool.threads}" for name, pool in config.pools.items())
    message = f"{processes} worker processes ({named}) on {cores} cores"
    remedy = f"more than {PER_CORE} a core slow each other down; use threads for jobs that wait"
    yield judge(processes <= PER_CORE * cores, "pools", message, remedy)
    available = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text("ascii"))
    needed_mb, free_mb = DAEMON_MB + WORKER_MB * processes, int(available[1]) >> 10 if available else 0
    message = f"{needed_mb} MB for daemon and bare workers, {free_mb} MB available"
    yield judge(needed_mb < free_mb / 2, "memory", message, "lower [pools.…] processes")


def _check_plugins(config: Config) -> Iterator[Finding]:
    """Plugin folders exist, and nobody else can write to them or to what is in them."""
    for folder in config.plugins.dirs:
        files = scan([folder], (".py",), trusted_only=True)
        errors = [error if path in error else f"{path}: {error}" for path, error in files.errors.items()]
        yield from _folder("plugins", folder, files.files, (fault("plugins", error) for error in errors))
    for remark in env_remarks(os.environ, config.plugins.env):
        yield warning("environment", remark)
    if "shell" in config.plugins.enable:
        yield note("plugins", "shell is enabled: whoever may submit can run any program as this user")


def _check_workflows(config: Config) -> Iterator[Finding]:
    """Workflow folders exist and their files can be read."""
    for folder in config.workflows.dirs:
        paths = list(workflow_paths([folder]))
        yield from _folder("workflows", folder, paths, _unreadable(paths))


def _unreadable(paths: Iterable[Path]) -> Iterator[Finding]:
    for path in paths:
        try:
            workflow_file.parse_file(path)
        except InvalidWorkflow as error:
            yield warning("workflows", str(error.faults[0]), f"qflowd validate {path}")


def _folder(about: str, folder: Path, files: Collection[object], problems: Iterable[Finding]) -> Iterator[Finding]:
    """A folder that may be missing, with what is wrong in it."""
    if not folder.is_dir():
        yield note(about, f"there is no folder {folder}", f"make it, or change [{about}] dirs")
    else:
        well = ok(about, f"{folder}: {len(files)} file{'s' * (len(files) != 1)}")
        yield from list(problems) or [well]


CHECKS: Final[Sequence[Callable[[Config], Iterator[Finding]]]] = (_check_pools, _check_plugins, _check_workflows)
