"""The instances that this daemon is working on, as far as running their tasks needs them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from qflowd.define.rows import Override, read_overrides
from qflowd.engine.bounded_cache import BoundedCache
from qflowd.engine.caches import Plans, RegisteredJobs
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.plans.expand import Admission, instance_scope
from qflowd.engine.plans.items import Items
from qflowd.engine.plans.plan import Plan
from qflowd.model import jsontext
from qflowd.model.errors import QflowdError, StoreUnavailable, Unreadable
from qflowd.model.ids import ORDINALS
from qflowd.model.limits import Limits
from qflowd.model.quotas import limit_of
from qflowd.model.workflow import Json, Settings
from qflowd.store.tx import Tx
from qflowd.workers.wire import InstanceFacts


class TaskRow(Protocol):
    """A task row."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> int: ...


class ClaimedRow(TaskRow, Protocol):
    """A task row that is about to be sent."""

    @property
    def round(self) -> int: ...


Row = TypeVar("Row", bound=TaskRow)
InstanceRows = tuple["LoadedInstance", list[Row]]  # rows of one instance
REMEMBERED = REMEMBERED_OUTPUTS = 16 << 20  # characters, of all instances and of all outputs
REMEMBERED_ITEMS = 32 << 20  # bytes, of the lists of all maps
LARGEST_REMEMBERED = 4096  # of one output
CHILD_TRIGGER = "workflow"  # `trigger_type` of instances that a task has started
BACKFILL_TRIGGER = "backfill"  # and of those of a backfill
OVERHEAD = 800  # of an instance or an output, beside its text


@dataclass(slots=True)
class LoadedInstance:
    """One instance. It never changes, except its state, which is not kept here, and its overrides, with a new round."""

    id: int
    plan: Plan
    tenant: str
    params: Mapping[str, Json]
    scope: dict[str, Any]  # what expressions may ask, except outputs of tasks
    facts: InstanceFacts
    overrides: Mapping[str, Override]
    weight: int  # in memory, about
    default_pool: str | None = None  # of tasks that name none; None: the built-in one
    limits: Limits | None = None  # that all its tasks take a slot of: its tenant's
    # Parameters taken by name, of all tasks of a job together, and of each task with parameters of its own.
    rendered: dict[tuple[str, str], str] = field(default_factory=dict)
    round: int = 0  # the newest of the claimed rows that it was read for
    is_child: bool = False  # a task of another instance waits for its end
    is_of_backfill: bool = False

    @property
    def outer(self) -> Settings:
        """What counts where neither task, workflow nor job says anything."""
        return Settings(pool=self.default_pool, limits=self.limits)


class Instances:
    """A bounded memory of instances, and of small outputs that were accepted here a moment ago."""

    def __init__(self, plans: Plans, jobs: RegisteredJobs) -> None:
        self._plans = plans
        self.jobs = jobs
        self._loaded: BoundedCache[int, LoadedInstance] = BoundedCache(REMEMBERED, lambda instance: instance.weight)
        self._unreadable: dict[int, str] = {}  # of those that were loaded last: why
        # By task id and round: what a person had start anew, here or elsewhere, has another output than before.
        self.outputs: BoundedCache[tuple[int, int], str | None] = BoundedCache(
            REMEMBERED_OUTPUTS, lambda output: OVERHEAD // 2 + len(output or "")
        )
        # Lists of maps, by the id that their first item has.
        self.items: BoundedCache[int, Items] = BoundedCache(REMEMBERED_ITEMS, lambda items: items.weight)

    @property
    def calendars(self) -> CalendarBooks:
        """What expressions ask."""
        return self._plans.calendars

    def __getitem__(self, instance_id: int) -> LoadedInstance:
        """An instance that `load` was called for. Raises: Unreadable."""
        instance = self._loaded.get(instance_id)
        if instance is None:
            raise Unreadable(f"instance {instance_id}: {self._unreadable.get(instance_id, 'gone from the database')}")
        return instance

    def by_instance(self, rows: Iterable[Row]) -> list[InstanceRows[Row]]:
        """Rows with their instance; neighbours of one instance and one kind are one item.

        `load` was called for all of them. Raises: Unreadable.
        """
        groups: list[InstanceRows[Row]] = []
        group: list[Row] = []
        last = kind = -1
        for row in rows:
            instance_id = row.id // ORDINALS
            if instance_id != last or row.kind != kind:
                last, kind, group = instance_id, row.kind, []
                groups.append((self[instance_id], group))
            group.append(row)
        return groups

    def load(self, tx: Tx, task_ids: Iterable[int]) -> None:
        """Load the instances of these tasks. Asking for one that cannot be read raises Unreadable with the reason."""
        self.calendars.refresh(tx)
        wanted = {number // ORDINALS for number in task_ids}
        missing = [number for number in wanted if number not in self._loaded]
        if missing:
            self._unreadable.clear()
            loaded: list[tuple[int, LoadedInstance]] = []
            for row in tx.run("load_instances", rows=[(number,) for number in sorted(missing)]):
                try:
                    loaded.append((row.id, self._read(tx, row)))
                except StoreUnavailable:
                    raise
                except (QflowdError, LookupError, TypeError, ValueError) as error:
                    self._unreadable[row.id] = str(error)
            self._loaded.remember(loaded, keep=wanted)

    def load_claimed(self, tx: Tx, rows: Sequence[ClaimedRow]) -> None:
        """As `load`, of claimed rows: where one has a new round, params may have been set, and its instance is read again."""
        rounds: dict[int, int] = {}
        for row in rows:
            if row.round:
                number = row.id // ORDINALS
                rounds[number] = max(row.round, rounds.get(number, 0))
        loaded = {number: instance for number in rounds if (instance := self._loaded.get(number)) is not None}
        self._loaded.forget([number for number, instance in loaded.items() if instance.round < rounds[number]])
        self.load(tx, [row.id for row in rows])
        for number, round_ in rounds.items():
            if (instance := self._loaded.get(number)) is not None:
                instance.round = max(instance.round, round_)

    def remember(self, admissions: Iterable[Admission]) -> None:
        """Keep instances that this transaction inserts; `forget` them if it is rolled back."""
        instances = []
        for admission in admissions:
            request, params = admission.request, admission.params
            size = len(jsontext.dump(params)) + len(request.overrides_text or "")
            instance = self._instance(request, admission.fire_at, admission.plan, params, request.overrides, size)
            instance.default_pool, instance.limits = admission.default_pool, admission.limits
            instances.append((request.id, instance))
        self._loaded.remember(instances)

    def remember_outputs(self, outputs: Iterable[tuple[tuple[int, int], str | None]]) -> None:
        """Keep outputs, by task id and round, for the tasks that come after them: small ones."""
        self.outputs.remember([item for item in outputs if item[1] is None or len(item[1]) <= LARGEST_REMEMBERED])

    def awaited_by(self, instance_ids: Iterable[int]) -> set[str]:
        """The topics of those who may wait for the end of one of these. For one that is no longer loaded all may."""
        topics = set()
        for instance in map(self._loaded.get, instance_ids):
            if instance is None or instance.is_child or instance.plan.workflow.concurrency is not None:
                topics.add("turn")
            if instance is None or instance.is_of_backfill:
                topics.add("backfill")
        return topics

    def forget(self, instance_ids: Iterable[int]) -> None:
        """They have ended."""
        self._loaded.forget(instance_ids)

    def _read(self, tx: Tx, row: Any) -> LoadedInstance:
        overrides = read_overrides(row.overrides) if row.overrides else {}
        plan, size = self._plans.of_instance(tx, row), len(row.params) + len(row.overrides or "")
        instance = self._instance(row, row.fire_at, plan, json.loads(row.params), overrides, size)
        instance.default_pool, instance.limits = row.default_pool, limits_of(row)
        return instance

    def _instance(
        self,
        row: Any,
        fire_at: datetime | None,
        plan: Plan,
        params: Mapping[str, Json],
        overrides: Mapping[str, Override],
        size: int,
    ) -> LoadedInstance:
        """`row`: of `load_instances`, or the Request that will be one. `size`: characters of params and overrides."""
        scope = instance_scope(row, plan.workflow, fire_at, self.calendars.of(row.tenant))
        facts = InstanceFacts(
            workflow=plan.workflow.key if plan.version_id is not None else "",
            tenant=row.tenant,
            business_date=None if row.business_date is None else str(row.business_date),
            calendar=plan.workflow.calendar,
        )
        waiting = {
            "is_child": row.trigger_type == CHILD_TRIGGER,
            "is_of_backfill": row.trigger_type == BACKFILL_TRIGGER,
        }
        scope |= {"params": params}
        return LoadedInstance(row.id, plan, row.tenant, params, scope, facts, overrides, OVERHEAD + size, **waiting)


def limits_of(row: Any) -> Limits | None:
    """Of an instance (a row of `load_instances`): what all its tasks take a slot of."""
    return None if row.running_quota is None else ((limit_of(row.tenant), 1),)
