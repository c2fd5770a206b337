"""Assembly: the backends of a daemon, and the services that a daemon and a test have in common."""

import logging
import os
from collections.abc import Callable, Mapping

from qflowd.config.records import Config, PoolConfig
from qflowd.engine.admission.admit import Admitter
from qflowd.engine.admission.intake import Intake
from qflowd.engine.backfills.backfills import Backfills
from qflowd.engine.child_workflows.children import Children
from qflowd.engine.commands.inbox import Commands
from qflowd.engine.commands.sweep import Sweep
from qflowd.engine.concurrency.turns import Turns
from qflowd.engine.definitions.fact_starts import FactStarts
from qflowd.engine.definitions.schedules import Schedules
from qflowd.engine.finishing.timers import Timers
from qflowd.engine.sagas.saga import Sagas
from qflowd.engine.service import Service, Topics
from qflowd.engine.waits.waits import Waits
from qflowd.model.instruments import Instruments
from qflowd.store.clock import boottime
from qflowd.store.tx import Store
from qflowd.workers.backends import Backend, Backends
from qflowd.workers.environment import env_remarks, worker_env
from qflowd.workers.processes import Processes

log = logging.getLogger("qflowd")
MakeBackend = Callable[[PoolConfig], Backend]


def build_backends(
    config: Config, others: Mapping[str, MakeBackend], run_dir: str, lock_fd: int, instruments: Instruments
) -> Backends:
    """What runs the tasks of each pool: what `others` make by its name, worker processes for all other pools."""
    for remark in env_remarks(os.environ, config.plugins.env):
        log.warning(remark)
    made = {pool: make(config.pools[pool]) for pool, make in others.items()}
    processes = Processes(
        {pool: size for pool, size in config.pools.items() if pool not in made},
        env=worker_env(os.environ, config.plugins.env),
        cwd=str(config.folder),
        run_dir=run_dir,
        lock_fd=lock_fd,
        grace_s=config.daemon.grace,
        instruments=instruments,
    )
    return Backends({**dict.fromkeys(config.pools, processes), **made})


def instance_services(
    store: Store,
    topics: Topics,
    intake: Intake,
    daemon_id: Callable[[], int],
    fact_starts: FactStarts,
    seconds: Callable[[], float] = boottime,
) -> list[Service]:
    """The services that carry instances from submission to end, but for the executor; with the caches of `intake`.

    Args:
        fact_starts: one of them, which others ask too.
        seconds: a clock that nobody sets.
    """
    plans, lanes, jobs = intake.plans, intake.lanes, intake.jobs
    return [
        Schedules(store, topics),
        fact_starts,
        Backfills(store, topics),
        Commands(store, plans, lanes, jobs, topics),
        Timers(store, topics),
        Admitter(store, intake, topics),
        Sweep(store, topics),
        Turns(store, plans, lanes, jobs, topics),
        Children(store, plans, topics, daemon_id),
        Waits(store, plans, lanes, jobs, topics, daemon_id, seconds),
        Sagas(store, plans, lanes, jobs, topics),
    ]
