"""The daemon: it comes up, runs, and ends in good order. With `assembly.py` the only place that knows all concrete things."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from qflowd.config.records import Config
from qflowd.daemon.assembly import MakeBackend, build_backends, instance_services
from qflowd.daemon.plugins import Plugins, reloader_for
from qflowd.engine.access.usage import Usage
from qflowd.engine.admission.intake import Intake
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.calendars.horizons import Horizons
from qflowd.engine.calendars.session_rows import SessionRows
from qflowd.engine.definitions.fact_starts import FactStarts
from qflowd.engine.definitions.workflow_files import WorkflowFiles
from qflowd.engine.late.late_dates import LateDates
from qflowd.engine.limits.limit_repair import LimitRepair
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.membership import registration
from qflowd.engine.membership.heartbeat import Heartbeat
from qflowd.engine.membership.identity import Identity, run_dir_for
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.lease_watch import LeaseWatch
from qflowd.engine.membership.recovery import Recovery
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.executor import Executor
from qflowd.engine.running.logs import Logs
from qflowd.engine.service import Service, ServiceThread, Topics, back_off
from qflowd.engine.waits.file_waits import FileWaits
from qflowd.engine.waits.sql_waits import SqlWaits
from qflowd.engine.watch import Watch
from qflowd.model.errors import QflowdError, StoreUnavailable
from qflowd.model.instruments import Instruments, PluginsReloaded
from qflowd.model.workflow import NO_POOL, WAIT_POOL, Job, Workflow
from qflowd.plugins.registry import Registry
from qflowd.plugins.reload import Reloader
from qflowd.store.clock import boottime
from qflowd.store.migrate import migrate
from qflowd.store.probe import probe_skip_locked
from qflowd.store.tx import Fault, Store
from qflowd.workers.backends import Backends

if TYPE_CHECKING:
    from qflowd.daemon.program import Program

log = logging.getLogger("qflowd")
END_S = 10.0  # for services to end their round
STOP_CHECK_S = 0.05
DRAIN_CHECK_S = 0.01


class Daemon:
    """One daemon. `start` makes it ready, `stop` ends it in good order; everything else runs in its threads."""

    # Built by `start`, once the schema is there and this daemon is known.
    registry: Registry
    executor: Executor
    lease: Lease
    workflow_files: WorkflowFiles
    fact_starts: FactStarts
    watch: Watch
    _backends: Backends
    _logs: Logs

    def __init__(
        self,
        config: Config,
        *,
        reloader: Reloader | None = None,
        program: "Program | None" = None,
        fault: Fault | None = None,
        backends: Mapping[str, MakeBackend] | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        """Wire it up.

        Args:
            reloader: on the plugin folders, where it has begun already.
            program: jobs and workflows of the program around it.
            instruments: get the events.
            backends: by pool, what makes the backend that runs it; all other pools consist of worker processes.
        """
        self._config = config
        self._program = program
        self._make_backends = dict(backends or {})
        self.instruments = instruments or Instruments()
        self.store = Store(config.database.url, fault=fault, lease_s=config.daemon.lease, instruments=self.instruments)
        self.topics = Topics()
        self._run_dir = run_dir_for(config.database.url, config.daemon.run_dir)
        self.identity = Identity(self.store, config.daemon.name, self._run_dir, config.daemon.lease)
        self._jobs = RegisteredJobs()
        self._intake = Intake(Plans(), LaneIds(self.store), self._jobs)
        self._reloader = reloader or reloader_for(config)
        self._reloader.on_change = self._adopt
        self._runners: list[ServiceThread] = []
        self._stopping = threading.Event()
        self._has_executor = False
        self.is_up = False  # all services run
        self._announced_as = 0  # the id under which this daemon is registered
        self.start_again: Callable[[], None] | None = None  # where the database is another file; called by any thread

    # -- start

    def start(self) -> None:
        """Come up: schema, plugins, workflows, workers; then be ready. Waits as long as the database is away.

        Raises: SchemaTooNew, StoreUnsupported, a QflowdError that waiting does not fix.
        """
        self._reloader.poll()  # first: the process that tries the files works while the schema is looked at
        self._when_reachable(lambda: migrate(self.store))
        self._when_reachable(lambda: probe_skip_locked(self.store))
        self._when_reachable(self.identity.register)
        self._backends = build_backends(
            self._config, self._make_backends, str(self._run_dir), self.identity.lock_fd, self.instruments
        )
        self._logs = Logs(self.store, self._backends.read_logs)
        self.lease = Lease(self._config.daemon.lease, self._live_until)
        self.executor = self._build_executor(Instances(self._intake.plans, self._jobs))
        self.watch = Watch(self.store, self.topics, lambda: self.identity.id)
        self.fact_starts = FactStarts(self.store, self.topics)
        self.workflow_files = WorkflowFiles(self.store, self.topics, self._config.workflows.dirs, self._pool_of)
        self._has_executor = True
        # They run from the first moment on: plugins may take a minute.
        heartbeat = Heartbeat(self.store, self.topics, self.lease, self.identity, self.executor)
        self._run(
            [
                heartbeat,
                LeaseWatch(self.store, self.lease, self.executor, sever=self._sever, leave=self._leave_database),
            ]
        )
        while not (self._stopping.is_set() or self._reloader.is_ready):
            self._reloader.wait_s(STOP_CHECK_S)
        if self._stopping.is_set():  # perhaps while the database was away: then this daemon is not registered
            return
        jobs, manifest = self._take_registry()
        self._when_reachable(partial(registration.save_domains, self.store, self._config.domains))
        self._when_reachable(self.workflow_files.read_all)
        for workflow in self._program.workflows.values() if self._program else ():
            self._when_reachable(partial(self.store_workflow, workflow))
        try:
            self.executor.start(jobs, manifest)
        except OSError as error:
            raise QflowdError(f"cannot start workers: {error}; [daemon] run_dir is {self._run_dir}") from error
        self._when_reachable(self.announce)
        self._run(self._build_services())
        self.is_up = True

    def _take_registry(self) -> tuple[dict[str, Job], bytes]:
        """The registry in use from now on, as jobs by name and as a manifest."""
        plugins = self._reloader.registry
        self.registry = self._program.registry(plugins) if self._program else plugins
        self._jobs.own = jobs = dict(self.registry.jobs)
        return jobs, self.registry.manifest.encode()

    def _build_executor(self, instances: Instances) -> Executor:
        return Executor(
            self.store,
            self._backends,
            instances,
            self.topics,
            daemon_id=lambda: self.identity.id,
            pools=self._config.pools,
            holds_lease=lambda: self.lease.is_held,
            timeout_s=self._config.daemon.timeout,
            intake=self._intake,
            write_logs=self._logs.write_all,
            database_id=self.identity.database_id,
        )

    def _build_services(self) -> list[Service]:
        store, topics, identity = self.store, self.topics, self.identity
        instances = Instances(self._intake.plans, self._jobs)  # the executor's belong to the executor's thread
        return [
            self.executor,
            *instance_services(store, topics, self._intake, lambda: identity.id, self.fact_starts),
            FileWaits(store, topics, self._config.waits.folders, self._config.pools, self._config.daemon.name),
            SqlWaits(store, topics, self._config.connections, self._config.daemon.name),
            Recovery(store, instances, identity, topics, self.lease),
            LimitRepair(store, topics),
            SessionRows(store),
            Horizons(store),
            LateDates(store, topics),
            Usage(store, topics, timedelta(seconds=self._config.retention.audit)),
            self._logs,
            Plugins(self._reloader, self.announce),
            self.workflow_files,
            self.watch,
        ]

    def _run(self, services: Sequence[Service]) -> None:
        runners = [ServiceThread(service, self.topics) for service in services]
        self._runners += runners
        for runner in runners:
            runner.start()

    # -- while it runs

    def reload_plugins(self) -> None:
        """Read all plugins again, installed ones too (SIGHUP)."""
        self._reloader.reload()
        self.topics.publish("plugins")

    def _adopt(self, _plugins: Registry) -> None:
        """A new registry is live: new workers get it, and it is written to the database."""
        if not self.is_up:
            return
        self.executor.set_jobs(*self._take_registry())
        self._announced_as = 0
        self.instruments.emit(PluginsReloaded(len(self.registry.jobs), len(self.registry.errors)))
        self._when_reachable(self.announce)
        self.topics.publish("ready")

    def _live_until(self, until: float) -> None:
        self._backends.keep_alive(round(until * 1e6))
        self.identity.prove(until)

    def _sever(self) -> None:
        self.store.sever()
        self.watch.sever()

    def _leave_database(self) -> None:
        """Nothing that is held or known here belongs to the database that is there now."""
        remedy = "restarting with it" if self.start_again else "stop this Engine and start it again"
        log.error("%s; its tasks are killed: %s", self.store.loss(), remedy)
        self.executor.forget_all()
        self.stop()
        if self.start_again:
            self.start_again()

    def announce(self) -> None:
        """Register the jobs and pools of this daemon, and that it is ready; once for each incarnation and registry."""
        number = self.identity.id
        if self._announced_as == number:
            return
        is_ready, pools = not self._stopping.is_set(), self._config.pools
        save_configured(self.store, self._config.limits)
        registration.register(self.store, number, self.registry, pools, is_ready=is_ready)
        self._announced_as = number

    def store_workflow(self, workflow: Workflow) -> None:
        """Raises: as `program.store_workflow`."""
        from qflowd.daemon import program

        if program.store_workflow(self.store, workflow, self._config.workflows.dirs, self._pool_of):
            self.topics.publish("schedule")

    def can_run(self, job: str, pool: str) -> bool:
        """Does this daemon know the job, and have the pool?"""
        return pool in (NO_POOL, WAIT_POOL) or (job in self._jobs.own and pool in self._config.pools)

    def _pool_of(self, job: str) -> str | None:
        registered = self._jobs.own.get(job)
        return registered.settings.pool if registered else None

    def _when_reachable(self, work: Callable[[], Any]) -> None:
        """Do it as soon as the database can be reached."""
        failures = 0
        while not self._stopping.is_set():
            try:
                work()
            except StoreUnavailable as error:
                failures += 1
                pause_s = back_off(failures)
                log.warning("%s; trying again in %.1f s", error, pause_s)
                self._stopping.wait(pause_s)
            else:
                return

    # -- end

    def stop(self, *, now: bool = False) -> None:
        """End in good order: claim nothing more, let what has begun end, give back the rest. `now`: kill the workers."""
        self._stopping.set()
        if not self._has_executor:
            return
        self.executor.stop_claiming()
        if now:  # last, else what was killed would be claimed and begun again in between
            self.executor.fence()

    def drain(self, is_over: Callable[[], bool], *, now: bool = False) -> bool:
        """Stop, and wait until all that was held is written. False if `is_over` before that."""
        self.stop(now=now)
        if not self.store.is_replaced:
            try:
                registration.mark_stopping(self.store, self.identity.id)
            except StoreUnavailable as error:
                log.warning("%s", error)
        while not self.is_drained():
            if is_over():
                return False
            time.sleep(DRAIN_CHECK_S)
        return True

    def is_drained(self) -> bool:
        """Has everything that was held been written?"""
        return not self.is_up or self.executor.is_idle

    def close(self) -> None:
        """After `stop`: end services and workers, and sign off."""
        for runner in self._runners:
            runner.stop()
        if self._has_executor:
            self._backends.wake()
            self.watch.wake()
            # One deadline for all: threads that wait for a database that hangs must not be waited for in turn.
            until = boottime() + END_S
            have_ended = [runner.join(max(0.0, until - boottime())) for runner in self._runners]
            self.executor.close()
            if all(have_ended):
                self.watch.close()
        self._reloader.stop()
        if self._has_executor:
            self._backends.close()
            if self.is_up:
                with contextlib.suppress(StoreUnavailable):
                    self._logs.tick()  # what is left, now that all workers are gone
        is_settled = not self._has_executor or self._sign_off()
        self.identity.release(is_settled=is_settled and self.is_drained())
        self.store.close()

    def _sign_off(self) -> bool:
        if self.store.is_replaced:
            return True  # the lock file names an id that another daemon may have in the new file
        try:
            self.store.transact(lambda tx: registration.mark_gone(tx, self.identity.id), name="leave")
        except StoreUnavailable as error:
            log.warning("could not sign off, so other daemons take back its tasks: %s", error)
            return False
        return True
