"""Daemons, plugin files and jobs as rows, for pages that list what is there."""

from __future__ import annotations

from qflowd.store.clock import to_microseconds
from tests.support.lab import Lab


def daemon(lab: Lab, name: str, processes: int = 2, threads: int = 3) -> int:
    """A daemon that lives, with a pool and a plugin file."""
    about = {"name": name, "host": "secret-host", "pid": 4, "lock_file": "", "version": "1.0", "lease_s": 3600.0}
    number = int(lab.store.transact(lambda tx: tx.one("insert_daemon", now=tx.now, **about)).id)
    lab.sql(
        f"UPDATE qflow.daemon SET state = 1 WHERE id = {number}",
        f"INSERT INTO qflow.daemon_pool VALUES ({number}, 'default', {processes}, {threads})",
    )
    return number


def plugin(lab: Lab, number: int, file: str, jobs: str, error: str | None = None) -> None:
    now = {"sqlite": str(to_microseconds(lab.clock.now())), "postgres": "'2026-11-20 09:30:00+00'"}
    now = now.get(lab.store.dialect.name, "'2026-11-20 09:30:00'")
    text = "NULL" if error is None else f"'{error}'"
    lab.sql(f"INSERT INTO qflow.plugin VALUES ({number}, '{file}', 'h', '{jobs}', {text}, {now})")


def registered(lab: Lab, *names: str) -> None:
    now = {"sqlite": str(to_microseconds(lab.clock.now())), "postgres": "'2026-11-20 09:30:00+00'"}
    now = now.get(lab.store.dialect.name, "'2026-11-20 09:30:00'")
    for name in names:
        lab.sql(
            "INSERT INTO qflow.job (name, title, params_schema, settings, file, hash, doc, updated_at) "
            f"""VALUES ('{name}', 'T', '{{"type": "object"}}', '{{}}', '/secret/{name}.py', 'h', 'D', {now})"""
        )
