"""Spawner: checks what tasks have asked for by `context().spawn()`, before the group commit that makes it.

Lanes are made outside of transactions, and a request that cannot be granted fails its task alone.
"""

from dataclasses import replace
from functools import partial

import msgspec

from qflowd.engine.admission.walls import Walls
from qflowd.engine.caches import LaneIds, LaneKey, RegisteredJobs
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.manual_retries import find_manual
from qflowd.engine.finishing.outcome import FinalRow
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.expand import stored_priority
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.plan import spawned_settings
from qflowd.engine.refusal import Refused
from qflowd.engine.spawning.spawn import NewTask, SpawnGrant, SpawnRequest
from qflowd.jobs.spawning import SpawnCall, read_calls
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed, QflowdError, StoreUnavailable
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import TaskKind
from qflowd.model.workflow import MAX_SPAWN, Job
from qflowd.store.tx import Store, Tx

DEEPEST = 10  # tasks that spawn tasks that spawn tasks …


class Spawner:
    """Owned by the executor's thread."""

    def __init__(self, store: Store, instances: Instances, lanes: LaneIds, jobs: RegisteredJobs) -> None:
        self._store, self._instances, self._lanes, self._jobs = store, instances, lanes, jobs
        self._walls = Walls()

    def check(self, batch: Batch) -> Batch:
        """The batch with all requests checked; the tasks of those that are refused fail. Raises: StoreUnavailable."""
        rows = {row.id: row for row in batch.final}
        grants = list(batch.spawn_grants)
        refused: dict[int, str] = {}
        for request in batch.spawn_requests:
            try:
                keys, grant = self._store.read(partial(self._plan, request=request, spawner=rows[request.task_id]))
                self._lanes.ensure(keys)
                tasks = [task._replace(lane=self._lanes.id(key)) for task, key in zip(grant.tasks, keys, strict=True)]
                grants.append(grant._replace(tasks=tasks))
            except StoreUnavailable:
                raise
            except Refused as error:
                refused[request.task_id] = f"spawn: {error}"
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one, what others came to is written
                refused[request.task_id] = f"spawn: {type(error).__name__}: {error}"
        checked = replace(batch.without(set()), spawn_requests=[], spawn_grants=grants)
        failed = [row for number, row in rows.items() if number in refused]
        manual = self._store.read(lambda tx: find_manual(tx, self._instances, failed))
        for number, message in refused.items():
            failing = checked.without(checked.task_ids() - {number}).failing(message, self._store.clock.now(), manual)
            checked = checked.without({number}).with_more(failing)
        return checked

    def _plan(self, tx: Tx, request: SpawnRequest, spawner: FinalRow) -> tuple[list[LaneKey], SpawnGrant]:
        """Returns: the lane of each task, and the tasks without it. Raises: Refused."""
        number, calls = request.task_id, read_calls(request.text)
        self._instances.load(tx, [number])
        try:
            instance = self._instances[instance_of(number)]
        except QflowdError as error:
            raise Refused(str(error)) from None
        task = instance.plan.tasks[spawner.node]
        if spawner.kind == TaskKind.COMPENSATION:
            raise Refused("a compensation cannot spawn tasks")
        most = task.max_spawn or MAX_SPAWN
        if len(calls) > most:
            raise Refused(
                f"{len(calls):,} tasks were asked for; at most {most:,} are made (max_spawn of task {task.key})"
            )
        [row] = tx.run("load_instances", rows=[(instance.id,)])
        [taken] = tx.run("load_next_ordinals", rows=[(instance.id,)])
        if taken.next_ordinal + len(calls) > ORDINALS:
            raise Refused(
                f"{len(calls):,} tasks are too many: an instance has at most {ORDINALS:,} rows (ORDINALS), and "
                f"{taken.next_ordinal:,} are taken"
            )
        [above] = tx.run("load_spawners", rows=[(number,)])
        depth = 1 + (above.depth or 0)
        if depth > DEEPEST:
            raise Refused(
                f"tasks that spawn tasks are nested {DEEPEST} deep, which is the limit (DEEPEST); does job "
                f"{calls[0].job} spawn itself without end?"
            )
        name = above.label if above.label is not None else above.map_index
        prefix = "" if name is None else f"{name}/"
        jobs = {job: self._job(tx, job) for job in {call.job for call in calls}}
        keys = [self._lane(instance, call, jobs[call.job]) for call in calls]
        tasks = [_new_task(call, prefix, row.priority) for call in calls]
        if (wall := self._walls.known(tx, instance.tenant, taken.tenant_revision)) is not None:
            for key, new in zip(keys, tasks, strict=True):
                wall.check_task(key, -new.priority)
            for undone_by in {job.compensation for job in jobs.values() if job.compensation}:
                wall.check_job(undone_by)
        return keys, SpawnGrant(number, request.fence, depth, tasks)

    def _job(self, tx: Tx, name: str) -> Job:
        if (job := self._jobs.get(tx, name)) is None:
            names = sorted({row.name for row in tx.run("name_jobs")} | set(self._jobs.own))
            raise Refused(f"no job {name!r} is registered; there are {', '.join(names[:20])}")
        return job

    def _lane(self, instance: LoadedInstance, call: SpawnCall, job: Job) -> LaneKey:
        settings = spawned_settings(instance.plan, call.settings, job.settings, instance.outer)
        try:
            limits = lane_keys.rendered(settings.limits, instance.scope)
        except ExpressionFailed as error:
            raise Refused(str(error)) from None
        return LaneKey(instance.tenant, str(settings.pool), call.job, limits)


def _new_task(call: SpawnCall, prefix: str, of_instance: int) -> NewTask:
    priority = stored_priority(of_instance + (call.settings.priority or 0))
    settings = msgspec.json.encode(call.settings).decode()
    return NewTask(call.name, prefix + call.name, 0, priority, jsontext.dump(call.params), settings, call.after)
