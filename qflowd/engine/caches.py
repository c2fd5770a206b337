"""Caches of tables that hardly change: plans, lanes, jobs, code. All of it can be read again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from qflowd.define import stored
from qflowd.engine.bounded_cache import BoundedCache
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.limits.limit_settings import make_limits
from qflowd.engine.plans.plan import Plan, compile_plan, single_job
from qflowd.model.errors import NotFound
from qflowd.model.limits import of_lane
from qflowd.model.workflow import Job
from qflowd.store.tx import Store, Tx

LARGEST_PLANS = 16 << 20  # characters of the documents of all that are remembered


class LaneKey(NamedTuple):
    """A lane is the queue of these; `limits`: what each of its rows takes of them (`model/limits.py`)."""

    tenant: str
    pool: str
    job: str
    limits: str = ""


class Plans:
    """Compiled versions by their id; versions never change. `calendars`: what their expressions ask."""

    def __init__(self) -> None:
        self.calendars = CalendarBooks()
        # With the length of its document; what is made of it takes some ten times as much.
        self._by_version: BoundedCache[int, tuple[Plan, int]] = BoundedCache(LARGEST_PLANS, lambda cached: cached[1])
        self._by_job: dict[str, Plan] = {}

    def of_version(self, tx: Tx, version_id: int) -> Plan:
        """The plan of a stored version. Raises: NotFound; InvalidWorkflow if a newer release has stored it."""
        cached = self._by_version.get(version_id)
        if cached is None:
            row = tx.one("load_version", id=version_id)
            if row is None:
                raise NotFound(f"workflow version {version_id} is gone from the database")
            workflow = stored.read(row.document, f"version {version_id} of {row.workflow}")
            cached = compile_plan(version_id, workflow, row.definition_id), len(row.document)
            self._by_version.remember([(version_id, cached)])
        return cached[0]

    def of_instance(self, tx: Tx, row: Any) -> Plan:
        """The plan of an instance (a row of `load_instances`): of its version, or of its single job."""
        return self.of_job(row.job) if row.version_id is None else self.of_version(tx, row.version_id)

    def of_job(self, job: str) -> Plan:
        """The plan of a job submitted by itself."""
        if job not in self._by_job:
            self._by_job[job] = single_job(job)
        return self._by_job[job]


class LaneIds:
    """Lane ids by key and back. Lanes are made when first needed and never deleted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: dict[LaneKey, int] = {}
        self._keys: dict[int, LaneKey] = {}

    def ensure(self, keys: Iterable[LaneKey]) -> None:
        """Make those that are missing, in a separate transaction; call it outside any other."""
        missing = sorted(set(keys) - self._ids.keys())
        if not missing:
            return
        # Others may have made them: an INSERT that is ignored takes a number all the same.
        self._learn(self._store.read(lambda tx: tx.run("find_lanes", rows=missing)))
        if not (missing := [key for key in missing if key not in self._ids]):
            return

        def make_lanes(tx: Tx) -> None:
            tx.run("insert_lane", rows=missing)
            if limits := [(*key, *limit) for key in missing for limit in of_lane(key.limits)]:
                tx.run("insert_lane_limits", rows=limits)
                make_limits(tx, {name for *_, name, _ in limits})

        self._store.transact(make_lanes)
        self._learn(self._store.read(lambda tx: tx.run("find_lanes", rows=missing)))

    def has(self, key: LaneKey) -> bool:
        return key in self._ids

    def id(self, key: LaneKey) -> int:
        """The id of a lane that `ensure` was called for."""
        return self._ids[key]

    def key(self, lane: int) -> LaneKey | None:
        """The key of a lane; None if it is not known here yet (see `load`)."""
        return self._keys.get(lane)

    def load(self, lanes: Iterable[int]) -> None:
        """Read the keys of lanes that other daemons made."""
        missing = [(lane,) for lane in set(lanes) - self._keys.keys()]
        if missing:
            self._learn(self._store.read(lambda tx: tx.run("load_lanes", rows=missing)))

    def _learn(self, rows: Iterable[tuple[int, str, str, str, str]]) -> None:
        for lane, *columns in rows:
            key = LaneKey(*columns)
            self._ids[key] = lane
            self._keys[lane] = key


class RegisteredJobs:
    """Jobs that were ever registered: this daemon's own, and what others wrote into the table `job`."""

    def __init__(self) -> None:
        self.own: Mapping[str, Job] = {}

    def get(self, tx: Tx, name: str) -> Job | None:
        """The job as this daemon has it, else as another registered it last; None if none ever did."""
        if (job := self.own.get(name)) is not None:
            return job
        row = tx.one("find_job", name=name)
        if row is None:
            return None
        return stored.registered_job(name, row.file, row.hash, json.loads(row.params_schema), json.loads(row.settings))


class CodeIds:
    """Ids of the table `code`: which content of which file an attempt ran."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}

    def id(self, tx: Tx, job: Job) -> int:
        """The id of a job's code; its row is made if it is missing."""
        key = (job.hash, job.file)
        if key not in self._ids:
            row = tx.one("find_code", hash=job.hash, file=job.file)
            if row is None:
                tx.run("insert_code", hash=job.hash, file=job.file)
                row = tx.one("find_code", hash=job.hash, file=job.file)
            self._ids[key] = row.id
        return self._ids[key]

    def known(self, job: Job) -> int | None:
        """The same, where the database need not be asked for it; else None."""
        return self._ids.get((job.hash, job.file))
