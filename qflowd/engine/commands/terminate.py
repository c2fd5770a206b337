"""Terminate: an instance is flagged, and the sweep cancels its rows until none is left.

What a daemon holds is ended by that daemon: it sees the flag, stops the workers, and the results arrive as CANCELLED, or
as SUCCESS where they were quicker. The sweep never counts closers down: an instance that is being terminated ends when
it has no open row left.

Tasks with `run_on: terminate` are cancelled as well, unless they run already. When no row is open they are made READY and
the intent becomes FINALLY: they run as all tasks do, those that wait for others of them after these, and the instance ends
after them. A second termination spares nothing.
"""

from typing import Any

from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_instance, state_name, verb
from qflowd.engine.finishing import close
from qflowd.engine.spawning.spawn_tree import forget_spawned, load_tree
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState, Intent, TaskState
from qflowd.store.tx import Tx


@verb(
    "terminate",
    needs=one_instance,
    states=(InstanceState.READY, InstanceState.RUNNING, InstanceState.PAUSED),
    batch=100,
    not_possible="instance {id} has already ended: it is {state}",
)
def terminate(tx: Tx, _: Command, target: Any, __: Caches) -> Reply:
    """Have an instance end: flag it; the sweep follows. One that has not begun is TERMINATED at once.

    Raises: NotPossible if it has ended already.
    """
    number = target.id
    if tx.count("terminate_held_instance", id=number, now=tx.now):
        return Reply({"instance_id": number, "state": state_name(InstanceState.TERMINATED)})
    if not tx.count("flag_terminate", id=number):
        instance = tx.one("lock_instance", id=number)
        if InstanceState(instance.state).is_final:
            raise NotPossible(instance)
        return Reply({"instance_id": number, "already": f"instance {number} is already being terminated"})
    return Reply({"instance_id": number, "intent": Intent.TERMINATE.name}, ("intent",))


def expire(tx: Tx, instance_id: int) -> None:
    """The deadline of an instance is over: if it runs, it is terminated, and ends FAILED with the reason timeout."""
    tx.run("flag_expired", id=instance_id, now=tx.now)


def cancel_rows(tx: Tx, first: int, last: int) -> None:
    """Cancel all rows of a range of task ids, except those that a daemon holds."""
    tx.run("cancel_tasks", first=first, last=last, now=tx.now)
    tx.run("delete_instance_timers", first=first, last=last)


def start_finally_rows(tx: Tx, first: int, _: int) -> None:
    """Make the tasks ready that run after a termination and have not yet, or wait for others of them.

    A daemon may have ended one as CANCELLED: rows that stay as they ended are told of it once more, so they count it back.
    """
    instance_id = instance_of(first)
    waits = {row.id: row.waits for row in close.find_finally_rows(tx, instance_id)}
    if not waits:
        return
    behind = {row.id: row.arrivals for row in tx.run("find_behind_finally_rows", id=instance_id)}
    states = {number: tx.one("lock_task", id=number).state for number in sorted(waits.keys() | behind.keys())}
    rows = []
    for number, waiting in sorted(waits.items()):
        if states[number] != TaskState.CANCELLED:  # another daemon may have started it since
            continue
        state, ready_at = (TaskState.PENDING, None) if waiting else (TaskState.READY, tx.now)
        rows.append((number, int(state), waiting, waiting, 0, ready_at, None))
    if rows:
        if spawners := {number % ORDINALS for number, *_ in rows} & (tree := load_tree(tx, instance_id)).spawned.keys():
            forget_spawned(tx, instance_id, tree, spawners)
        newest = tx.one("newest_round", **key_range(instance_id))
        tx.run("forget_task_stops", **key_range(instance_id))
        tx.run("restart_tasks", rows=rows, round=int(newest.round) + 1)
        if behind:
            # One more than comes, for those that did not run: at zero they would be taken to end only now.
            counts = {
                number: count + (states[number] in (TaskState.SKIPPED, TaskState.UPSTREAM_FAILED))
                for number, count in sorted(behind.items())
            }
            tx.run("advance_tasks", rows=[(number, -count, -count, 0) for number, count in counts.items()], now=tx.now)


def end_terminated(tx: Tx, instance: Any) -> int:
    """End an instance if no row of it is open and no task runs after it. Returns how many rows there still are."""
    open_tasks = _count_open(tx, instance)
    if open_tasks:  # a daemon holds them
        return open_tasks
    if instance.intent == Intent.TERMINATE and (rows := close.find_finally_rows(tx, instance.id)):
        tx.run("flag_finally", id=instance.id)
        return len(rows)
    close.end_instances(tx, [instance])
    return 0


def _count_open(tx: Tx, instance: Any) -> int:
    return int(tx.one("count_open_tasks", **key_range(instance.id)).open_tasks)
