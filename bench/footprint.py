"""Footprint: start, command line, memory and idleness."""

import subprocess
import time
from argparse import Namespace
from pathlib import Path
from statistics import median

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s, nursery_and_workers, resident_mb
from bench.served import served

IDLE_S = 20.0
HELPS = 9
ABOUT = f"command line, start with the shipped plugins, memory, and {IDLE_S:.0f} s of idleness"


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    _compile(build)
    help_s = median(_seconds([build.python, "-m", "qflowd", "--help"]) for _ in range(HELPS))
    rig = make(build)
    with served(rig) as api:
        time.sleep(2.0)
        api_mb = resident_mb(api.pid)
    start_s = rig.start()
    _count_statements(rig)
    time.sleep(2.0)
    before, counted = cpu_s(rig.pid), _statements(rig)
    time.sleep(IDLE_S)
    idle_s, statements = cpu_s(rig.pid) - before, _statements(rig) - counted
    nursery, workers = nursery_and_workers(rig.pid)
    return {
        "qflowd --help, ms": help_s * 1e3,
        "start to ready, s": start_s,
        "API nobody asks, MB": api_mb,
        "daemon, MB": resident_mb(rig.pid),
        "nursery, MB": resident_mb(nursery),
        "worker, MB": max(map(resident_mb, workers)),
        "idle, % of a core": idle_s / IDLE_S * 100,
        "idle, statements/s": statements / IDLE_S,
    }


def _compile(build: Build) -> None:
    """As installers do; a developer may have forbidden Python to do it."""
    where = "import qflowd; print(qflowd.__path__[0])"
    folder = subprocess.run(
        [build.python, "-P", "-c", where], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run([build.python, "-m", "compileall", "-q", folder], check=True)


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _count_statements(rig: Rig) -> None:
    """Have PostgreSQL log them: its own figure is of transactions, those of autovacuum among them."""
    if rig.dialect == "postgres":
        rig.ask("ALTER SYSTEM SET log_statement = 'all'")
        rig.ask("SELECT pg_reload_conf()")


def _statements(rig: Rig) -> int:
    """Statements the server has been sent so far; 0 for SQLite."""
    if rig.dialect == "mysql":
        return int(rig.ask("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
    log = Path(rig.server_log).read_bytes() if rig.server_log.exists() else b""
    return log.count(b"LOG:  statement: ") + log.count(b"LOG:  execute ")
