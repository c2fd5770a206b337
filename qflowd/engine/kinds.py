"""Kinds: what the engine does with a row, by its kind. Only this table looks at a row's kind.

A row is (id, node, kind, map_index). The first rows of an instance are its plan's nodes, one each, and their ordinal is
the node's. Rows beyond them are parts of a node, whose own row waits for them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from qflowd.engine.claiming.claim import Claim
from qflowd.engine.finishing import advance
from qflowd.engine.finishing.advance import Arrivals, Edges, EndedRow, Sums
from qflowd.engine.plans.gather import Unrenderable, end_unrun
from qflowd.engine.plans.instances import LoadedInstance
from qflowd.engine.plans.plan import Plan
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.engine.sagas import compensations
from qflowd.engine.spawning import spawned
from qflowd.model.errors import BreakerIsOpen, Unreadable
from qflowd.model.states import TaskKind
from qflowd.store.tx import Tx


class Kind(NamedTuple):
    """What rows of a kind do. Each is asked once for all rows of one lane or one instance.

    `on_ready`: claimed rows; how they go to the workers. `on_ended`: what their end brings to the rows that wait for them.
    `count_closers`: how many of these rows close the instance? When the last such row ends, the instance does.
    """

    on_ready: Callable[[Dispatch, Tx, Claim], Shipment]
    on_ended: Callable[[Sums, LoadedInstance, Sequence[EndedRow], Edges], None]
    count_closers: Callable[[Plan, Sequence[EndedRow]], int]


def _not_claimed(_: Dispatch, __: Tx, ___: Claim) -> Shipment:
    """Raises: Unreadable: their lanes have a pool that no daemon has; `children.py` and `waits.py` take them."""
    raise Unreadable("tasks that start workflows, or only wait, are not sent to workers")


KINDS: Mapping[int, Kind] = {
    int(TaskKind.TASK): Kind(Dispatch.prepare, advance.add_arrivals, advance.count_closers),
    int(TaskKind.HEAD): Kind(Dispatch.prepare_heads, advance.add_arrivals, advance.count_closers),
    int(TaskKind.WAIT): Kind(_not_claimed, advance.add_arrivals, advance.count_closers),
    int(TaskKind.CHILD): Kind(_not_claimed, advance.add_arrivals, advance.count_closers),
    int(TaskKind.COMPENSATION): Kind(compensations.prepare, compensations.add_arrivals, compensations.count_closers),
    int(TaskKind.SPAWNED): Kind(spawned.prepare, spawned.add_arrivals, spawned.count_closers),
}


@cache  # asked for every instance of a batch
def kind_of(number: int) -> Kind:
    """Raises: Unreadable if only a newer qflowd knows rows of this kind."""
    if (kind := KINDS.get(number)) is None:
        raise Unreadable(f"rows of kind {number} are for a newer qflowd")
    return kind


def prepare(dispatch: Dispatch, tx: Tx, claim: Claim) -> list[Shipment]:
    """Have each kind of row in a claim prepared; rows of a kind that is unknown here are left to another daemon."""
    if claim.lane.is_unsettled:
        # They are put into their own lanes after the claim, in a transaction of its own.
        return [Shipment(claim, lambda: ([], []))]
    if claim.open_breaker is not None:
        error = BreakerIsOpen(f"the breaker of limit {claim.open_breaker} was open")
        ending = end_unrun(tx, dispatch.instances, claim.lane, claim.rows, error)
        return [Shipment(claim, lambda: ([], ending))]
    shipments = []
    for number in sorted({row.kind for row in claim.rows}):
        part = claim._replace(rows=[row for row in claim.rows if row.kind == number])
        try:
            shipments.append(kind_of(number).on_ready(dispatch, tx, part))
        except Unreadable as error:
            failed = [Unrenderable(row, error) for row in part.rows]
            shipments.append(Shipment(part, lambda failed=failed: ([], failed)))  # type: ignore[misc]
    return shipments


def prepare_all(dispatch: Dispatch, tx: Tx, claims: Iterable[Claim]) -> list[Shipment]:
    """As `prepare`, for several claims: plain tasks that are lines travel together."""
    shipments, lines = [], []
    for claim in claims:
        if claim.is_line and all(row.kind == TaskKind.TASK and not row.solo for row in claim.rows):
            lines.append(claim)
        else:
            shipments += prepare(dispatch, tx, claim)
    return [*shipments, dispatch.prepare(tx, *lines)] if lines else shipments


def arrivals(ended: Iterable[tuple[LoadedInstance, Sequence[EndedRow]]], edges: Edges) -> Arrivals:
    """Add up what rows bring to each child. Those of one item are of one instance and one kind, in the order of ids."""
    sums = Sums()
    for instance, rows in ended:
        kind_of(rows[0].kind).on_ended(sums, instance, rows, edges)
    return sums.total()


def closers(ended: Iterable[tuple[LoadedInstance, Sequence[EndedRow]]]) -> dict[int, int]:
    """Instance -> how many of these rows close it."""
    counts: dict[int, int] = {}
    for instance, rows in ended:
        if count := kind_of(rows[0].kind).count_closers(instance.plan, rows):
            counts[instance.id] = counts.get(instance.id, 0) + count
    return counts
