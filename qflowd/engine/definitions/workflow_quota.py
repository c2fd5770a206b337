"""Room: how many workflows a tenant may have, where somebody has set that."""

from qflowd.engine.refusal import OverQuota
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.quotas import load_value
from qflowd.store.tx import Tx


class NoRoom(InvalidWorkflow):
    """The tenant has as many workflows as it may have."""


def lock_room(tx: Tx, tenant: str) -> None:
    """Let one after the other add a workflow, where there is a quota: two at once would both find the last room."""
    if tx.one("find_workflow_quota", tenant=tenant) is not None:
        tx.run("lock_tenants", rows=[(tenant,)])


def refuse_full(tx: Tx, tenant: str, workflow: str) -> None:
    """A workflow is to be added; `lock_room` has been called. Raises: OverQuota."""
    row = tx.one("find_workflow_quota", tenant=tenant)
    if row is not None and row.workflows >= load_value(row.value):
        raise OverQuota(
            f"quota workflows of tenant {tenant} is {load_value(row.value):,}; {row.workflows:,} are not archived, so "
            f"{workflow!r} has no room. Archive one (`qflowd workflows archive`), or have it changed: "
            f"`qflowd tenants quota {tenant} workflows=…`"
        )


def need_room(tx: Tx, tenant: str, workflow: str) -> None:
    """A workflow that a document describes is to be added. Raises: NoRoom."""
    lock_room(tx, tenant)
    try:
        refuse_full(tx, tenant, workflow)
    except OverQuota as error:
        raise NoRoom([Fault("", 0, "", str(error))]) from None
