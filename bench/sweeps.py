"""Sweeps: an instance of 100,000 ready rows is paused, another one terminated, while others run."""

import time
from argparse import Namespace
from typing import Any

from msgspec.structs import replace

from bench.builds import Build
from bench.rig import NOOP, MakeRig, Rig
from bench.throughput import noop_task
from qflowd import TaskBuilder, WorkflowBuilder
from qflowd.engine.definitions.workflow_store import store_workflow
from qflowd.model.states import InstanceState, TaskState
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import Tx

ROWS = 100_000
SIZE, OTHERS = 5_000, 160  # tasks, and instances, that run beside it: more than can be done meanwhile
BEFORE_S = 2.0  # of undisturbed work
ABOUT = f"pause and terminate of an instance of {ROWS:,} ready rows while others run no-op tasks: answer, all rows, their share"


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:  # noqa: ARG001 - all are called alike
    swept = {
        "pause": f"state = {InstanceState.PAUSED:d} AND intent = 0",
        "terminate": f"state = {InstanceState.TERMINATED:d}",
    }
    figures: dict[str, float] = {}
    for action, ended in swept.items():
        rig = make(build)
        rig.store.transact(_store_wide)
        rig.workflow("others", {f"t{i}": noop_task() for i in range(SIZE)})
        rig.start()
        rig.submit(workflow="wide")
        rig.submit(OTHERS, workflow="others")
        ready = f"SELECT COUNT(*) FROM qflow.task_instance WHERE state = {TaskState.READY:d}"
        rig.wait_for(lambda rig=rig, ready=ready: rig.ask(ready)[0][0] == ROWS + OTHERS * SIZE, "all rows")
        rig.plugin("noop.py", NOOP)
        [(number,)] = rig.ask("SELECT MIN(id) FROM qflow.workflow_instance")
        figures |= _command(rig, action, number, ended)
        rig.stop()
    return figures


def _command(rig: Rig, action: str, number: int, ended: str) -> dict[str, float]:
    clock = f"SELECT {rig.store.dialect.renderer.words['clock']}"
    rig.wait_for(lambda: _done_since(rig, _text(rig.ask(clock)[0][0]), 0.5) > 0, "others that run")
    begins = rig.ask(clock)[0][0]
    time.sleep(BEFORE_S)
    row = COMMAND | {"action": action, "instance_id": number}
    asked_at, asked = time.monotonic(), rig.ask(clock)[0][0]
    command = rig.store.transact(lambda tx: int(tx.one("insert_command", **row).id))
    rig.wait_for(lambda: not rig.ask(f"SELECT is_open FROM qflow.commands WHERE id = {command}")[0][0], "an answer")
    answered_s = time.monotonic() - asked_at
    is_swept = f"SELECT COUNT(*) FROM qflow.workflow_instance WHERE id = {number} AND {ended}"
    rig.wait_for(lambda: bool(rig.ask(is_swept)[0][0]), f"the end of the {action}")
    swept_s, swept = time.monotonic() - asked_at, rig.ask(clock)[0][0]
    if rig.closed() == OTHERS:
        raise SystemExit("the others had too little to do")
    before = _done(rig, begins, asked) / BEFORE_S
    meanwhile = _done(rig, asked, swept) / swept_s
    return {
        f"{action}: answered, s": answered_s,
        f"{action}: all rows, s": swept_s,
        f"{action}: others, of before": meanwhile / before,
        f"{action}: others before, tasks/s": before,
    }


def _done(rig: Rig, begins: Any, ends: Any) -> int:
    """How many tasks of others succeeded between two instants of the server's clock."""
    between = f"finished_at BETWEEN {_text(begins)} AND {_text(ends)}"
    return int(
        rig.ask(f"SELECT COUNT(*) FROM qflow.task_instance WHERE state = {TaskState.SUCCESS:d} AND {between}")[0][0]
    )


def _done_since(rig: Rig, begins: str, seconds: float) -> int:
    time.sleep(seconds)
    sql = f"SELECT COUNT(*) FROM qflow.task_instance WHERE state = {TaskState.SUCCESS:d} AND finished_at > {begins}"
    return int(rig.ask(sql)[0][0])


def _text(instant: Any) -> str:
    return str(instant) if isinstance(instant, int) else f"'{instant}'"


def _store_wide(tx: Tx) -> None:
    """A workflow of so many tasks of a job that no daemon knows. No file may be so large: what it would be is stored."""
    workflow = WorkflowBuilder("wide").with_task(TaskBuilder("t", job="later")).build()
    tasks = tuple(replace(workflow.tasks[0], key=f"t{number}") for number in range(ROWS))
    workflow = replace(workflow, tasks=tasks)
    store_workflow(tx, workflow, source="too large for a file", format="json", file=None, pool_of=lambda _: None)
