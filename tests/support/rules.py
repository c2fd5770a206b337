"""What trigger rules mean, in plain Python over whole lists of parents: the engine is compared with this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from qflowd.model.workflow import TriggerRule

RULES: tuple[TriggerRule, ...] = get_args(TriggerRule)
BAD = ("FAILED", "UPSTREAM_FAILED", "CANCELLED")


def unrun_state(rule: TriggerRule, parents: Sequence[tuple[str, bool]]) -> str | None:
    """None if a task runs, else the state in which it ends without running.

    `parents`: of each, its final state (TOLERATED: a failure that is), and whether the condition of the edge from it holds
    or would hold; after a failure it does not.
    """
    favourable = [state in ("SUCCESS", "TOLERATED") and holds for state, holds in parents]
    is_refused = any(state == "SUCCESS" and not holds for state, holds in parents)
    is_refused_with_failures = any(state in ("SUCCESS", "TOLERATED") and not holds for state, holds in parents)
    has_bad = any(state in BAD or (state == "TOLERATED" and rule == "any_success") for state, _ in parents)
    runs = {
        "all_success": all(favourable),
        "any_success": any(state == "SUCCESS" and holds for state, holds in parents) or not parents,
        "none_failed": not has_bad and not is_refused_with_failures,
        "all_done": not is_refused,
        "always": not is_refused,
    }
    if runs[rule]:
        return None
    return "UPSTREAM_FAILED" if has_bad and rule not in ("all_done", "always") else "SKIPPED"
