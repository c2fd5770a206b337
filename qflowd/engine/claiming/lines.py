"""Lines: rows of lanes with limits that run one after another in a worker, and share one slot.

The last row of a line holds the slot, and is RUNNING in the database for as long as the line is open; those before it are
RESERVED and hold nothing. If it comes back before the others have ended, the slot moves on to the one that is last now, in
the same transaction.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from qflowd.engine.claiming.claim import Claim
from qflowd.engine.limits.slots import Freed, Moved
from qflowd.model.limits import of_lane

Key = tuple[int, int]  # id and fence of a row


@dataclass(slots=True, eq=False)
class SlotLine:
    """`rows`: those that have not ended, in the order in which they run. `holders`: how many of them hold slots."""

    rows: dict[Key, None]
    holders: int


class Lines:
    """What this daemon holds in lanes with limits. Owned by the executor's thread.

    No more lines are open at once than slots are held, so no more rows run than the limits allow.
    """

    def __init__(self) -> None:
        self._limits: dict[Key, str] = {}  # of every row that is ours in a lane with limits
        self._holders: set[Key] = set()  # those of them that hold slots
        self._line_of: dict[Key, SlotLine] = {}
        self._open: dict[str, list[SlotLine]] = {}  # by limits

    def __bool__(self) -> bool:
        return bool(self._limits)

    def hold(self, claim: Claim) -> None:
        """These rows were claimed, some of them with slots."""
        keys = [(row.id, row.fence) for row in claim.rows]
        self._limits.update(dict.fromkeys(keys, claim.lane.key.limits))
        self._holders.update(key for key in keys if key[0] in claim.holders)

    def free(self, limits: str) -> int:
        """How many more lines may begin on the slots that are held."""
        held = sum(self._limits[key] == limits for key in self._holders)
        return held - len(self._open.get(limits, ()))

    def begin(self, limits: str, keys: Sequence[Key]) -> bool:
        """These rows are about to be sent, to run one after another. False: no slot is left for them."""
        if self.free(limits) <= 0:
            return False
        line = SlotLine(dict.fromkeys(keys), sum(key in self._holders for key in keys))
        self._line_of.update(dict.fromkeys(keys, line))
        self._open.setdefault(limits, []).append(line)
        return True

    def may_run(self, key: Key) -> bool:
        """Whether a row that is seen to run may be written as RUNNING: only those that hold slots are."""
        return key in self._holders or key not in self._limits

    def has_ended(self, held: Container[int]) -> bool:
        """Whether a line has come back whole, so that its slot stands empty. `held`: ids of what has not come back."""
        return any(next(reversed(line.rows))[0] not in held for lines in self._open.values() for line in lines)

    def that_take(self, names: Collection[str]) -> list[int]:
        """Ids of the rows of lines that take slots of any of these limits."""
        named = [lines for limits, lines in self._open.items() if any(name in names for name, _ in of_lane(limits))]
        return [number for lines in named for line in lines for number, _ in line.rows]

    def end(self, keys: Iterable[Key], unbegun: AbstractSet[int]) -> tuple[list[Freed], list[Moved]]:
        """These rows lose their owner in the next batch. Returns: slots to be given back, and slots that move on.

        `unbegun`: ids of those that never ran.
        """
        freed, moved = [], []
        spare: dict[str, list[Key]] = {}
        for key in keys:
            limits = self._limits.get(key)
            if limits is None:
                continue
            if key in self._holders:
                spare.setdefault(limits, []).append(key)
            elif key[0] in unbegun:
                freed.append(Freed(key[0], limits, has_slot=False, has_begun=False))
            self.forget(key)
        for limits, holders in spare.items():
            without_slot = [line for line in self._open.get(limits, ()) if not line.holders]
            for key, line in zip(holders, without_slot, strict=False):
                line.holders = 1
                to = next(reversed(line.rows))
                self._holders.add(to)
                moved.append(Moved(key[0], *to, limits))
                if key[0] in unbegun:
                    freed.append(Freed(key[0], limits, has_slot=False, has_begun=False))
            freed += [Freed(key[0], limits, has_begun=key[0] not in unbegun) for key in holders[len(without_slot) :]]
        return freed, moved

    def freed(self, keys: Iterable[Key]) -> list[Freed]:
        """What these rows give back if they lose their owner before they run."""
        return [
            Freed(key[0], self._limits[key], has_slot=key in self._holders, has_begun=False)
            for key in keys
            if key in self._limits
        ]

    def forget(self, key: Key) -> None:
        """This row is not ours any more."""
        limits = self._limits.pop(key, None)
        if (line := self._line_of.pop(key, None)) is not None and limits is not None:
            del line.rows[key]
            line.holders -= key in self._holders
            if not line.rows:
                self._open[limits].remove(line)
        self._holders.discard(key)

    def keep(self, ours: Mapping[Key, tuple[str, bool]]) -> None:
        """What the database says is ours: (id, fence) -> limits, and whether the row holds slots."""
        for key in self._limits.keys() - ours.keys():
            self.forget(key)
        self._limits = {key: limits for key, (limits, _) in ours.items()}
        self._holders = {key for key, (_, is_holder) in ours.items() if is_holder}
        for lines in self._open.values():
            for line in lines:
                line.holders = sum(key in self._holders for key in line.rows)
