"""Priority: what has not begun of an instance is claimed sooner, or later, than it was to be."""

from typing import Any

from qflowd.define.readers import whole
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_instance, read_args, verb
from qflowd.engine.plans.expand import MOST_URGENT
from qflowd.engine.refusal import OverQuota
from qflowd.model.ids import key_range
from qflowd.model.quotas import load_value
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


@verb(
    "priority",
    needs=one_instance,
    states=(InstanceState.READY, InstanceState.RUNNING, InstanceState.PAUSED),
    batch=1,
    args=None,
    not_possible="instance {id} is {state}; only one that has not ended has a priority",
)
def priority(tx: Tx, command: Command, target: Any, _: Caches) -> Reply:
    """Give an instance another priority: `args` `{"priority": 100}`. Its tasks keep their distance to it.

    Raises: NotPossible if it has ended; Refused if args do not say it.
    """
    wanted = read_args(command, priority=whole(-1000, 1000))["priority"]
    rows = key_range(target.id)
    tx.run("lock_tasks", **rows)
    before = tx.one("find_priority", id=target.id).priority
    if not tx.count("set_priority", id=target.id, priority=wanted):
        raise NotPossible(tx.one("lock_instance", id=target.id))
    if wanted == before:
        return Reply({"instance_id": target.id, "already": f"instance {target.id} already has priority {wanted}"})
    tx.run("shift_priorities", **rows, more=wanted - before, most=MOST_URGENT)
    _refuse_above_quota(tx, command.tenant, wanted, rows)
    return Reply({"instance_id": target.id, "priority": wanted, "before": int(before)}, ("ready",))


def _refuse_above_quota(tx: Tx, tenant: str, wanted: int, rows: dict[str, Any]) -> None:
    """Raises: OverQuota if a row, or the instance itself, is more urgent now than its tenant may have any."""
    quotas = {row.name: load_value(row.value) for row in tx.run("load_quotas", rows=[(tenant,)])}
    most = quotas.get("priority_max")
    least = tx.one("find_most_urgent", **rows).priority  # stored negated
    priority = max(wanted, wanted if least is None else -int(least))
    if isinstance(most, int) and priority > most:
        raise OverQuota(
            f"quota priority_max of tenant {tenant} is {most:,}: a task would have {priority:,}; ask for less"
        )
