"""Room: how many workflows a tenant may have, where somebody has set that."""

from qflowd.engine.refusal import OverQuota
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.quotas import load_value
from qflowd.store.tx import Tx


class NoRoom(InvalidWorkflow):
    """The tenant has as many workflows as it may have."""


def refuse_full(tx: Tx, tenant: str, workflow: str) -> None:
    """A workflow is to be added. Counted without a lock: two that come at the same moment may both find room.

    Raises: OverQuota.
    """
    row = tx.one("find_workflow_quota", tenant=tenant)
    if row is not None and row.workflows >= load_value(row.value):
        raise OverQuota(
            f"quota workflows of tenant {tenant} is {load_value(row.value):,}; {row.workflows:,} are not archived, so "
            f"{workflow!r} has no room. Archive one (`qflowd workflows archive`), or have it changed: "
            f"`qflowd tenants quota {tenant} workflows=…`"
        )


def need_room(tx: Tx, tenant: str, workflow: str) -> None:
    """As `refuse_full`, for documents. Raises: NoRoom."""
    try:
        refuse_full(tx, tenant, workflow)
    except OverQuota as error:
        raise NoRoom([Fault("", 0, "", str(error))]) from None
