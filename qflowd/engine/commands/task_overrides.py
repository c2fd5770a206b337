"""What commands change about single tasks of an instance: params that are set, tasks that are skipped.

They become overrides of the instance, as those of a submission are. The daemons read them with the next row of a new round.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from qflowd.define.rows import read_overrides
from qflowd.define.schema import schema_of_some
from qflowd.engine.commands.control import Caches
from qflowd.engine.refusal import Refused, UnfitParams
from qflowd.model import jsontext
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import Json, Task
from qflowd.store.tx import Tx


class TaskOverrides:
    """The overrides of an instance that is locked, while a command changes them."""

    def __init__(self, tx: Tx, caches: Caches, instance: Any) -> None:
        """`instance`: a row of `lock_instance`."""
        self._tx, self._caches, self._instance = tx, caches, instance
        self._all: dict[str, Any] = json.loads(instance.overrides) if instance.overrides else {}

    def set_params(self, task: Task, params: Mapping[str, Json]) -> None:
        """Let a task have these params, in place of or beside those that its workflow gives it.

        Raises: Refused if they do not fit its job.
        """
        job = self._caches.jobs.get(self._tx, task.job)
        schema = schema_of_some(job.params_schema if job else {})
        coerced = schema.coerce(params)
        if faults := schema.faults(coerced):
            raise UnfitParams("args.set", faults)
        self._of(task.key).setdefault("params", {}).update(coerced)

    def skip(self, task: Task, reason: str) -> None:
        """Let a task be skipped when its turn comes."""
        self._of(task.key)["skip"] = reason

    def unskip(self, tasks: Iterable[Task]) -> None:
        """Let these tasks run after all."""
        for task in tasks:
            if "skip" in self._all.get("tasks", {}).get(task.key, {}):
                del self._of(task.key)["skip"]

    def save(self) -> None:
        """Write them, if there is a change.

        Raises: Refused if there are too many.
        """
        text = jsontext.dump(self._all)
        if not self._all or text == self._instance.overrides:
            return
        try:
            read_overrides(text)
        except ValueError as error:
            raise Refused(f"together with what was overridden before, {error}", Refusal.FAULTY) from None
        self._tx.run("set_overrides", id=self._instance.id, overrides=text)

    def _of(self, key: str) -> dict[str, Any]:
        task: dict[str, Any] = self._all.setdefault("tasks", {}).setdefault(key, {})
        return task
