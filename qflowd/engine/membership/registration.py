"""Registration: the rows that describe a daemon (its jobs, plugin files and pools), and the mark that it is gone."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from qflowd import __version__
from qflowd.config.records import PoolConfig
from qflowd.define.writing import dump_settings
from qflowd.engine.definitions.needs import judge_users
from qflowd.model import jsontext
from qflowd.model.errors import QflowdError
from qflowd.model.states import DaemonState
from qflowd.model.workflow import Job
from qflowd.plugins.registry import Registry
from qflowd.store.tx import Store, Tx

log = logging.getLogger(__name__)


class StillAlive(QflowdError):
    """The daemon that was about to be marked dead has renewed its lease."""


def register(
    store: Store, daemon_id: int, registry: Registry, pools: Mapping[str, PoolConfig], *, is_ready: bool
) -> None:
    """Write the jobs, pools and plugin files of this daemon. Jobs that are gone stay as rows, withdrawn."""
    of_pools = [(name, pool.processes, pool.threads) for name, pool in sorted(pools.items())]

    def save_registration(tx: Tx) -> None:
        registered = {row.name: row for row in tx.run("list_registered_jobs")}
        changed = [row for job in registry.jobs.values() if not _is_same(registered.get(job.name), row := _row(job))]
        if changed:
            tx.run("save_jobs", rows=sorted(changed), now=tx.now)
            judge_users(tx, _new_schemas(changed, registered))
        tx.run("forget_daemon_jobs", id=daemon_id)
        tx.run("forget_daemon_plugins", id=daemon_id)
        if registry.jobs:
            tx.run("insert_daemon_jobs", rows=[(name,) for name in sorted(registry.jobs)], id=daemon_id)
        if files := _files(registry):
            tx.run("insert_plugins", rows=files, id=daemon_id, now=tx.now)
        tx.run("insert_daemon_pools", rows=of_pools, id=daemon_id)
        if is_ready:
            tx.run("set_daemon_state", id=daemon_id, state=int(DaemonState.READY))

    store.transact(save_registration)


def save_domains(store: Store, configured: Mapping[str, str]) -> None:
    """Write the pools of domains that a configuration names; others stay as they are."""

    def save_domain_pools(tx: Tx) -> None:
        there = {row.domain: row.pool for row in tx.run("list_domain_pools")}
        changed = sorted(configured.items() - there.items())
        if changed:
            tx.run("save_domain_pools", rows=changed, now=tx.now)
        for domain, pool in changed:
            if was := there.get(domain):
                log.warning("domain %s: tasks that name no pool run in pool %s, no longer in %s", domain, pool, was)

    if configured:
        store.transact(save_domain_pools)


def mark_stopping(store: Store, daemon_id: int) -> None:
    """This daemon is stopping: others no longer wait for its jobs and pools."""

    def set_daemon_state(tx: Tx) -> None:
        tx.run("set_daemon_state", id=daemon_id, state=int(DaemonState.STOPPING))

    store.transact(set_daemon_state, single=True)


def mark_gone(tx: Tx, daemon_id: int, *, has_expired: bool = False) -> None:
    """Mark a daemon as gone and delete what it registered. `has_expired`: only if its lease is over.

    Raises: StillAlive if it has renewed the lease.
    """
    # First of all: from here on its heartbeat hits no row, and it knows.
    if not tx.count("mark_daemon_gone", id=daemon_id, has_expired=int(has_expired)) and has_expired:
        raise StillAlive(f"daemon {daemon_id} has renewed its lease")
    for statement in ("forget_daemon_jobs", "forget_daemon_pools", "forget_daemon_plugins", "forget_waker"):
        tx.run(statement, id=daemon_id)


def has_newer_daemon(tx: Tx) -> bool:
    """Is there a living daemon of a newer release than this one?"""
    return any(_release(row.version) > _release(__version__) for row in tx.run("list_living_releases"))


def _release(version: str) -> tuple[list[int], bool, list[int]]:
    """By what releases are ordered: one under development, or a candidate, comes before the release itself."""
    release, suffix = re.fullmatch(r"([\d.]*)(.*)", version, re.DOTALL).groups()  # type: ignore[union-attr]
    return _numbers(release), not suffix.startswith(("dev", "a", "b", "rc")), _numbers(suffix)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _row(job: Job) -> tuple[str, ...]:
    about = dump_settings(job.settings) | ({"compensation": job.compensation} if job.compensation else {})
    schema, settings = jsontext.dump(dict(job.params_schema)), jsontext.dump(about)
    title, file, doc = map(jsontext.clean_text, (job.title, job.file, job.doc))
    return job.name, title, schema, settings, file, job.hash, doc


def _is_same(registered: object, row: tuple[str, ...]) -> bool:
    # Schema and settings too: an installed plugin's file may stay while its helpers change.
    return registered is not None and tuple(registered)[1:] == (row[5], row[3], row[2])  # type: ignore[arg-type]


def _new_schemas(changed: Iterable[tuple[str, ...]], registered: Mapping[str, Any]) -> dict[str, Any]:
    """By job, the schemas of params that differ from those registered before."""
    schemas = {name: schema for name, _, schema, *_ in changed}
    return {
        name: json.loads(schema)
        for name, schema in schemas.items()
        if name not in registered or registered[name].params_schema != schema
    }


def _files(registry: Registry) -> list[tuple[str, str, str, str | None]]:
    by_file: dict[str, list[Job]] = {file: [] for file in registry.errors}
    for job in registry.jobs.values():
        by_file.setdefault(job.file, []).append(job)
    rows = {}
    for file, jobs in sorted(by_file.items()):
        # Names and errors hold whatever users and exceptions write, and may be equal once they are fit for a database.
        name, error = jsontext.clean_text(file)[:600], registry.errors.get(file)
        text = None if error is None else jsontext.clean_text(error)
        source = registry.sources.get(file, jobs[0]) if jobs else None
        rows[name] = (name, source.hash if source else "", json.dumps(sorted(job.name for job in jobs)), text)
    return list(rows.values())
