"""What doctor looks at on this host: pools against cores and memory, folders and who can write to them."""

import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from qflowd.cli.file_check import check_files, workflow_paths
from qflowd.cli.finding import Finding, fault, judge, note, ok, warning
from qflowd.cli.known_jobs import KnownJobs
from qflowd.config.records import Config
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
    remedy = f"more than {PER_CORE} per core slow each other down; use threads for jobs that wait"
    yield judge(processes <= PER_CORE * cores, "pools", message, remedy)
    available = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text("ascii"))
    needed_mb, free_mb = DAEMON_MB + WORKER_MB * processes, int(available[1]) >> 10 if available else 0
    message = f"{needed_mb} MB for daemon and bare workers, {free_mb} MB available"
    yield judge(needed_mb < free_mb / 2, "memory", message, "lower [pools.…] processes")


def _check_folders(config: Config) -> Iterator[Finding]:
    """Plugin and workflow folders exist."""
    for about, folders in (("plugins", config.plugins.dirs), ("workflows", config.workflows.dirs)):
        for folder in itertools.filterfalse(Path.is_dir, folders):
            yield note(about, f"there is no folder {folder}", f"make it, or change [{about}] dirs")


def _check_plugins(config: Config) -> Iterator[Finding]:
    """Nobody else can write to plugin folders, or to what is in them."""
    for folder in filter(Path.is_dir, config.plugins.dirs):
        files = scan([folder], (".py",), trusted_only=True)
        for path, error in files.errors.items():
            yield fault("plugins", error if path in error else f"{path}: {error}")
        if not files.errors:
            yield ok("plugins", f"{folder}: {len(files.files)} files that only this user and root can change")
    for remark in env_remarks(os.environ, config.plugins.env):
        yield warning("environment", remark)
    if "shell" in config.plugins.enable:
        yield note("plugins", "shell is enabled: whoever may submit can run any program as this user")


def _check_workflows(config: Config) -> Iterator[Finding]:
    """Workflow files can be read; their jobs are left to `qflowd validate`."""
    folders = list(filter(Path.is_dir, config.workflows.dirs))
    paths = list(workflow_paths(folders))
    faults = check_files(paths, KnownJobs(), None).faults
    yield from (warning("workflows", str(each), "qflowd validate") for each in faults)
    if folders and not faults:
        yield ok("workflows", f"{len(paths)} files in {', '.join(map(str, folders))}")


CHECKS: Final[Sequence[Callable[[Config], Iterator[Finding]]]] = (
    _check_pools,
    _check_folders,
    _check_plugins,
    _check_workflows,
)
