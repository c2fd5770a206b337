"""Workflows that would start themselves, directly or over others, are refused when they are submitted."""

from collections.abc import Iterable

from qflowd.engine.caches import Plans
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import Refused
from qflowd.engine.request import Request
from qflowd.model.dag import cycle_from
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx


def refuse_cycle(tx: Tx, plans: Plans, request: Request, plan: Plan) -> None:
    """May an instance of `plan` begin? Followed are the active versions; the limit of depth covers what changes later.

    Raises: Refused with the cycle.
    """
    first = plan.workflow.key

    def below(workflow: str) -> Iterable[str]:
        if workflow == first:
            return plan.starts
        definition = tx.one("find_workflow", tenant=request.tenant, workflow=workflow)
        if definition is None or definition.active_version is None:
            return ()
        return plans.of_version(tx, definition.active_version).starts

    if plan.starts and (cycle := cycle_from(first, below)):
        raise Refused(f"workflow {cycle[0]!r} would start itself for ever: {' -> '.join(cycle)}", Refusal.CYCLE)
