"""The engine that a test drives: its services are ticked by hand until nothing is left to do."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final, Self

import msgspec

from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.client.instance import Instance
from qflowd.config.database_url import resolve
from qflowd.config.records import ConnectionConfig, PoolConfig
from qflowd.daemon.assembly import instance_services
from qflowd.daemon.program import store_workflow
from qflowd.define import workflow_file
from qflowd.define.builders import WorkflowBuilder
from qflowd.engine.admission.intake import Intake
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.definitions.fact_starts import FactStarts
from qflowd.engine.definitions.workflow_store import pool_of_task
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.executor import Executor
from qflowd.engine.running.logs import Logs
from qflowd.engine.service import Topics
from qflowd.engine.waits.file_waits import FileWaits
from qflowd.engine.waits.sql_waits import SqlWaits
from qflowd.jobs.decorators import JobSpec, describe
from qflowd.jobs.recorded import recorded_job
from qflowd.model.errors import InvalidRequest, Rejected
from qflowd.model.states import ENDED
from qflowd.model.workflow import BUILT_IN, Job, Workflow
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store, Tx
from qflowd.testing.clock import Clock
from qflowd.testing.run import Run, run_of
from qflowd.workers.backends import Backends
from qflowd.workers.job_loader import loaded
from qflowd.workers.threads import Threads

DAEMON_ID: Final = 1
ONE_AT_A_TIME: Final = PoolConfig(processes=1)
LOOK_S: Final = 60.0  # with a look for files, or into other databases, on a busy machine
QUIET_ROUNDS: Final = 3  # in a row: a lane that is new is claimed a round after it was seen, and a sweep has two steps

Function = Callable[..., Any]
Definition = Workflow | WorkflowBuilder | str | Path


class Harness:
    """An engine that a test drives: `with Harness([fetch], ["workflows/closes.yaml"]) as harness: …`.

    Args:
        jobs: functions, decorated or not; or by the name of the job, so that a stand-in takes the place of another.
        workflows: files, builders or workflows.
        clock: the one to run on; a new `Clock()` if not given.
        connections: URLs of databases, by the names with which `wait_for: {sql: …}` asks them.

    Raises: InvalidJob, InvalidWorkflow; ValueError for what is not a URL; InvalidRequest for a task whose job is not among `jobs`.

    `client` is a real one: submit and read by it. Here no daemon carries out its commands, so give them
    `timeout=0` and call `settle()`.
    """

    def __init__(
        self,
        jobs: Iterable[Function] | Mapping[str, Function] = (),
        workflows: Iterable[Definition] = (),
        clock: Clock | None = None,
        connections: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        named = jobs.items() if isinstance(jobs, Mapping) else ((None, function) for function in jobs)
        functions = [(_job(function, name), function) for name, function in named]
        by_name = {job.name: job for job, _ in functions}
        stored = [_workflow(definition) for definition in workflows]
        pools = {job.settings.pool or str(BUILT_IN.pool) for job in by_name.values()}
        for workflow in stored:
            for task in workflow.tasks:
                if task.workflow or task.only_waits:
                    continue
                if task.job not in by_name:
                    what = f"the job {task.job!r}: add it to jobs=" if task.job else f"{task.task!r}: name its job here"
                    raise InvalidRequest(f"task {task.key} of {workflow.key} runs {what}")
                pools.add(pool_of_task(task, workflow, lambda name: by_name[name].settings.pool))
        self.clock = clock or Clock()
        self._connections = {name: ConnectionConfig(resolve(url, Path.cwd())) for name, url in connections.items()}
        self._folder = TemporaryDirectory(prefix="qflowd-test-")
        self._store = Store(f"sqlite:///{self._folder.name}/qflow.db", clock=self.clock)
        migrate(self._store)
        self.client = Client(DatabaseTransport(self._store))
        for workflow in stored:
            store_workflow(self._store, workflow, (), lambda name: by_name[name].settings.pool)
        self._build(by_name, pools, Threads({job.name: loaded(function) for job, function in functions}, ONE_AT_A_TIME))

    def _build(self, by_name: Mapping[str, Job], pools: Iterable[str], threads: Threads) -> None:
        store, topics, plans, jobs = self._store, Topics(), Plans(), RegisteredJobs()
        jobs.own = by_name
        intake = _Intake(plans, LaneIds(store), jobs)
        has_pools = set(pools)
        self._backends = Backends(dict.fromkeys(has_pools, threads))
        self._executor = Executor(
            store,
            self._backends,
            Instances(plans, jobs),
            topics,
            daemon_id=lambda: DAEMON_ID,
            pools=dict.fromkeys(has_pools),
            holds_lease=lambda: True,
            timeout_s=None,
            write_logs=Logs(store, self._backends.read_logs).write_all,
            intake=intake,
            database_id="test",
            chance=lambda: 0.5,  # a retry's delay is the one that is asked for
        )
        self._executor.start(dict(by_name), b"")
        files = FileWaits(store, topics, [Path("/")], has_pools, "test", self._seconds, patience_s=LOOK_S)
        others = SqlWaits(store, topics, self._connections, "test", self._seconds, patience_s=LOOK_S)
        starts = FactStarts(store, topics, self._seconds)
        carrying = instance_services(store, topics, intake, lambda: DAEMON_ID, starts, self._seconds)
        self._services = [*carrying, files, others]

    def _seconds(self) -> float:
        """The set clock: nothing takes long here."""
        return self.clock.now().timestamp()

    def settle(self) -> None:
        """Do all that can be done without the clock moving."""
        quiet = 0
        while quiet < QUIET_ROUNDS:
            is_quiet = min(service.tick() for service in self._services) > 0
            if self._executor.is_idle:
                self._executor.wake()  # else it would wait for others to bring work
            self._executor.tick()
            quiet = quiet + 1 if is_quiet and self._executor.is_idle else 0

    def advance(self, duration: float | str) -> None:
        """Move the clock on by `duration`, and do what is due on the way at its instant."""
        until = self.clock.after(duration)
        self.settle()
        while (due := self._next_due()) is not None and due <= until:
            self.clock.set(due)
            self.settle()
        self.clock.set(until)
        self.settle()

    def finish(self, instance: Instance, within: float | str = "30d") -> Run:
        """Move the clock on, from one thing that is due to the next, until `instance` has ended.

        Raises: Rejected with what was wrong, if the engine refused it; TimeoutError if it has not ended `within` that
            time by the clock, or waits for something that no clock brings.
        """
        until = self.clock.after(within)
        self.settle()
        while (end := instance.state_and_error())[0] not in ENDED:
            if end[0] == "REJECTED":
                raise Rejected(end[1] or "the submission was rejected")
            due = self._next_due()
            if due is None or due > until:
                why = instance.wait_reason() or f"it is {end[0]}"
                raise TimeoutError(f"instance {instance.id} has not ended by {min(due or until, until)}: {why}")
            self.clock.set(due)
            self.settle()
        return run_of(instance, *end)

    def _next_due(self) -> datetime | None:
        def ask(tx: Tx) -> list[datetime | None]:
            return [tx.one("next_timer").due_at, tx.one("next_schedule", now=tx.now).next_fire_at]

        due: datetime | None = min(filter(None, self._store.read(ask)), default=None)
        return due

    def close(self) -> None:
        """Forget everything. A job that has run out of time may still be running; it is left alone."""
        self._executor.close()
        self._backends.close()
        self._store.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_job(
    function: Function, params: Mapping[str, Any] | None = None, *, clock: Clock | None = None, **submission: Any
) -> Run:
    """Run one job to its end, retries and deferrals included.

    Args:
        submission: as of `Client.submit`: `business_date`, `priority`, `run_at`, `overrides` …

    Raises: InvalidJob; Rejected for params that do not fit; TimeoutError as `Harness.finish`.
    """
    with Harness([function], clock=clock) as harness:
        name = _job(function, None).name
        return harness.finish(harness.client.submit(job=name, params=params, **submission))


def run_workflow(
    workflow: Definition,
    jobs: Iterable[Function] | Mapping[str, Function],
    params: Mapping[str, Any] | None = None,
    *,
    clock: Clock | None = None,
    **submission: Any,
) -> Run:
    """Run a workflow to its end.

    Args:
        workflow: a file, a builder or a workflow.
        jobs, submission: as of `Harness` and `run_job`.

    Raises: as `Harness` and `run_job`.
    """
    definition = _workflow(workflow)
    with Harness(jobs, [definition], clock) as harness:
        return harness.finish(harness.client.submit(definition.key, params=params, **submission))


class _Intake(Intake):
    """An inbox row has the instant of the database's clock; here it was submitted by the set one."""

    def _decide(self, tx: Tx, row: Any, largest: int, definitions: Any) -> Any:
        return super()._decide(tx, row._replace(created_at=tx.now), largest, definitions)


def _job(function: Function, name: str | None) -> Job:
    spec = getattr(function, "__qflowd_job__", None)
    spec = spec if isinstance(spec, JobSpec) else describe(function, name=name)
    # No thread has a memory limit of its own.
    settings = msgspec.structs.replace(spec.settings, memory=None)
    spec = replace(spec, name=name or spec.name, function=function, settings=settings)
    return recorded_job(spec, module="", file=spec.file, digest="")


def _workflow(definition: Definition) -> Workflow:
    if isinstance(definition, str | Path):
        return workflow_file.parse_file(Path(definition))
    return definition.build() if isinstance(definition, WorkflowBuilder) else definition
