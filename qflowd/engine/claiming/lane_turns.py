"""Turns of lanes: in which order the lanes of a pool are claimed. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

from qflowd.engine.claiming.gate import Head


def order_lanes(heads: Iterable[Head], tenant_of: Callable[[int], str], turn: int) -> list[Head]:
    """Best head priority first; among equals round robin between tenants, then lanes, `turn` moving the start."""
    by_priority: dict[int, dict[str, list[Head]]] = {}
    for head in sorted(heads):
        by_priority.setdefault(head.priority, {}).setdefault(tenant_of(head.lane), []).append(head)
    ordered: list[Head] = []
    for priority in sorted(by_priority):
        tenants = [_rotated(lanes, turn) for _, lanes in sorted(by_priority[priority].items())]
        if len(tenants) == 1:
            ordered += tenants[0]
            continue
        tenants = _rotated(tenants, turn)
        for place in range(max(map(len, tenants))):
            ordered += [lanes[place] for lanes in tenants if place < len(lanes)]
    return ordered


def _rotated(items: list[Any], turn: int) -> list[Any]:
    start = turn % len(items)
    return items[start:] + items[:start]
