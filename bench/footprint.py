"""Footprint: start, command line, memory and idleness."""

import compileall
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from bench.rig import Rig, rigs

IDLE_S = 20.0


def main(databases: Iterable[str], args: Namespace) -> None:
    package = Path(__file__).parents[1] / "qflowd"
    compileall.compile_dir(package, quiet=1)  # as installers do; a developer may have forbidden Python to do it
    took = [_seconds([sys.executable, "-m", "qflowd", "--help"]) for _ in range(args.runs * 3)]
    print(f"`qflowd --help`: {median(took) * 1e3:.0f} ms")
    print("start: seconds to ready, shipped plugins only; RSS in MB; idle: % of a core and statements a second")
    print(f"{'database':10}{'start':>8}{'daemon':>8}{'nursery':>9}{'worker':>8}{'idle %':>8}{'stmt/s':>8}")
    for database in databases:
        with rigs(database) as make:
            starts = []
            for _ in range(args.runs):
                rig = make()
                starts.append(rig.start())
            _count_statements(rig)
            time.sleep(2.0)
            assert rig.daemon is not None
            before, counted = _cpu(rig.daemon.pid), _statements(rig)
            time.sleep(IDLE_S)
            cpu = (_cpu(rig.daemon.pid) - before) / IDLE_S * 100
            statements = (_statements(rig) - counted) / IDLE_S
            [nursery] = _children(rig.daemon.pid)
            workers = [_rss(pid) for pid in _children(nursery)]
            print(
                f"{database:10}{median(starts):8.2f}{_rss(rig.daemon.pid):8.1f}{_rss(nursery):9.1f}{max(workers):8.1f}"
                f"{cpu:8.2f}{statements:8.1f}",
                flush=True,
            )


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def _cpu(pid: int) -> float:
    """Seconds on a core; to the nanosecond, where `stat` samples a hundred times a second and misses short waking."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def _count_statements(rig: Rig) -> None:
    """Have PostgreSQL log them: its own figure is of transactions, those of autovacuum among them."""
    if rig.store.dialect.name == "postgres":
        rig.ask("ALTER SYSTEM SET log_statement = 'all'")
        rig.ask("SELECT pg_reload_conf()")


def _statements(rig: Rig) -> int:
    """Statements the server has been sent so far; 0 for SQLite."""
    if rig.store.dialect.name == "mysql":
        return int(rig.ask("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
    log = rig.server_log.read_bytes() if rig.server_log.exists() else b""
    return log.count(b"LOG:  statement: ") + log.count(b"LOG:  execute ")
