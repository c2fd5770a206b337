"""Rows of instances and tasks for tests of what the API shows, written as an engine would."""

from __future__ import annotations

from typing import Any

from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, TaskKind, TaskState
from tests.support.http import ApiServer
from tests.support.stand_in import StandIn


class Rows(StandIn):
    """A stand-in for the engine, whose workflows have tasks `t0`, `t1` …, and instances of them in any state."""

    def __init__(self, api: ApiServer) -> None:
        super().__init__(api.url)
        self.number = 0
        self._lanes: dict[str, int] = {}

    def flow(self, key: str, tasks: int = 1, tenant: str = "default", **about: Any) -> tuple[int, int]:
        """A workflow; its definition's id and its version's."""
        row = {"title": "", "description": "", "domain": "", "type": "", "tags": "[]", "source": "file"} | about
        row |= {"created_at": "NOW", "updated_at": "NOW"}
        self.sql(self.insert("workflow_definition", tenant=tenant, workflow=key, **row))
        [(definition,)] = self.sql(
            f"SELECT id FROM qflow.workflow_definition WHERE tenant = '{tenant}' AND workflow = '{key}'"
        )
        version = {"version": 1, "state": 1, "document": "{}", "format": "json", "hash": "h", "created_at": "NOW"}
        self.sql(self.insert("workflow_version", definition_id=definition, **version))
        [(number,)] = self.sql("SELECT MAX(id) FROM qflow.workflow_version")
        node = {"title": "", "job": "hello", "pool": "default"}
        for i in range(tasks):
            self.sql(self.insert("workflow_node", version_id=number, node=i, task=f"t{i}", **node))
        for i in range(1, tasks):
            self.sql(self.insert("workflow_edge", version_id=number, node=i, parent=i - 1, is_each=0))
        return definition, number

    def instance(
        self, flow: tuple[int, int] | None, state: str = "RUNNING", tasks: tuple[str, ...] = (), **more: Any
    ) -> int:
        """An instance of a workflow, or of job `hello`, with rows in the given states."""
        self.number += 1
        id = more.pop("id", self.number)
        row = {"id": id, "tenant": "default", "state": int(InstanceState[state]), "open_closers": 1, "priority": 0}
        row |= {
            "next_ordinal": len(tasks),
            "trigger_type": "sql",
            "params": "{}",
            "created_at": "NOW",
            "updated_at": "NOW",
        }
        row |= {"definition_id": flow[0], "version_id": flow[1]} if flow else {"job": "hello"}
        if InstanceState[state].is_final:
            row |= {"started_at": "NOW", "finished_at": "NOW"}
        statements = [self.insert("workflow_instance", **row | more)]
        statements += [self.row(id, i, word, node=i) for i, word in enumerate(tasks)]
        self.sql(*statements)
        return int(id)

    def row(self, instance: int, ordinal: int, state: str, **more: Any) -> str:
        """The statement that makes a row of a task."""
        task = {"id": instance * ORDINALS + ordinal, "node": ordinal, "state": int(TaskState[state]), "priority": 0}
        task |= {"lane": self.lane_of(), "open_parents": 0, "need": 0, "ready_at": "NOW", "kind": int(TaskKind.TASK)}
        ended = TaskState[state].is_final
        task |= dict.fromkeys(("started_at", "finished_at"), "NOW" if ended else None)
        task |= {"fence": 2 * ended, "done_fence": 1 if ended else None, "attempt": int(ended)}
        return self.insert("task_instance", **task | more)

    def lane_of(self, tenant: str = "default") -> int:
        """The lane of job `hello` in the pool `default`."""
        if tenant not in self._lanes:
            self.sql(self.insert("lane", tenant=tenant, pool="default", job="hello", limits=""))
            self._lanes[tenant] = int(self.sql(f"SELECT id FROM qflow.lane WHERE tenant = '{tenant}'")[0][0])
        return self._lanes[tenant]
