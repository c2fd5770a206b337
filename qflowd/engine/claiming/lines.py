"""Lines: rows of lanes with limits that run one after another in a worker, and share one slot.

The last row of a line holds the slot, and is RUNNING in the database for as long as the line is open; those before it are
RESERVED and hold nothing. If it comes back before the others have ended, the slot moves on to the one that is last now, in
the same transaction.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from qflowd.engine.claiming.claim import Claim
from qflowd.engine.limits.slots import Freed, Moved
from qflowd.model.limits import of_lane

Key = tuple[int, int]  # id and fence of a row


@dataclass(slots=True, eq=False)
class SlotLine:
    """`rows`: in the order in which they run. `left`: how many have not ended; `holders`: how many of these hold slots.

    Not `is_open`: they were claimed, and are not sent yet.
    """

    limits: str
    rows: Sequence[Key]
    left: int
    holders: int = 0
    is_open: bool = False


class Lines:
    """What this daemon holds in lanes with limits. Owned by the executor's thread.

    No more lines are open at once than slots are held, so no more rows run than the limits allow.
    """

    def __init__(self) -> None:
        self._line_of: dict[Key, SlotLine] = {}  # of every row that is ours in a lane with limits
        self._holders: set[Key] = set()  # those of them that hold slots
        self._held: Counter[str] = Counter()  # by limits: how many of these
        self._open: dict[str, list[SlotLine]] = {}  # by limits

    def __bool__(self) -> bool:
        return bool(self._line_of)

    def hold(self, claim: Claim) -> None:
        """These rows were claimed, some of them with slots."""
        limits, keys = claim.lane.key.limits, [(row.id, row.fence) for row in claim.rows]
        self._line_of.update(dict.fromkeys(keys, SlotLine(limits, keys, len(keys))))
        self._hold_slots(limits, [key for key in keys if key[0] in claim.holders])

    def free(self, limits: str) -> int:
        """How many more lines may begin on the slots that are held."""
        return self._held[limits] - len(self._open.get(limits, ()))

    def begin(self, limits: str, keys: Sequence[Key]) -> bool:
        """These rows are about to be sent, to run one after another. False: no slot is left for them."""
        if self.free(limits) <= 0:
            return False
        line = SlotLine(limits, keys, len(keys), len(self._holders.intersection(keys)), is_open=True)
        self._line_of.update(dict.fromkeys(keys, line))
        self._open.setdefault(limits, []).append(line)
        return True

    def may_run(self, key: Key) -> bool:
        """Whether a row that is seen to run may be written as RUNNING: only those that hold slots are."""
        return key in self._holders or key not in self._line_of

    def has_ended(self, held: Container[int]) -> bool:
        """Whether a line has come back whole, so that its slot stands empty. `held`: ids of what has not come back."""
        return any(next(self._left(line))[0] not in held for lines in self._open.values() for line in lines)

    def that_take(self, names: Collection[str]) -> list[int]:
        """Ids of the rows of lines that take slots of any of these limits."""
        named = [lines for limits, lines in self._open.items() if any(name in names for name, _ in of_lane(limits))]
        return [number for lines in named for line in lines for number, _ in self._left(line)]

    def end(self, keys: Iterable[Key], unbegun: AbstractSet[int]) -> tuple[list[Freed], list[Moved]]:
        """These rows lose their owner in the next batch. Returns: slots to be given back, and slots that move on.

        `unbegun`: ids of those that never ran.
        """
        freed, moved = [], []
        spare: dict[str, list[Key]] = {}
        line_of, holders = self._line_of, self._holders
        for key in keys:
            if (line := line_of.pop(key, None)) is None:
                continue
            if key in holders:
                spare.setdefault(line.limits, []).append(key)
            elif key[0] in unbegun:
                freed.append(Freed(key[0], line.limits, has_slot=False, has_begun=False))
            self._leave(line, key)
        for limits, keys_with_slots in spare.items():
            without_slot = [line for line in self._open.get(limits, ()) if not line.holders]
            for key, line in zip(keys_with_slots, without_slot, strict=False):
                line.holders = 1
                to = next(self._left(line))
                self._hold_slots(limits, [to])
                moved.append(Moved(key[0], *to, limits))
                if key[0] in unbegun:
                    freed.append(Freed(key[0], limits, has_slot=False, has_begun=False))
            given_back = keys_with_slots[len(without_slot) :]
            freed += [Freed(key[0], limits, has_begun=key[0] not in unbegun) for key in given_back]
        return freed, moved

    def freed(self, keys: Iterable[Key]) -> list[Freed]:
        """What these rows give back if they lose their owner before they run."""
        return [
            Freed(key[0], self._line_of[key].limits, has_slot=key in self._holders, has_begun=False)
            for key in keys
            if key in self._line_of
        ]

    def forget(self, key: Key) -> None:
        """This row is not ours any more."""
        if (line := self._line_of.pop(key, None)) is not None:
            self._leave(line, key)

    def keep(self, ours: Mapping[Key, tuple[str, bool]]) -> None:
        """What the database says is ours: (id, fence) -> limits, and whether the row holds slots."""
        for key in self._line_of.keys() - ours.keys():
            self.forget(key)
        self._holders.clear()
        self._held.clear()
        for key, (limits, is_holder) in ours.items():
            self._line_of.setdefault(key, SlotLine(limits, [key], 1))
            self._hold_slots(limits, [key] if is_holder else ())
        for lines in self._open.values():
            for line in lines:
                line.holders = sum(key in self._holders for key in self._left(line))

    def _left(self, line: SlotLine) -> Iterator[Key]:
        """The rows of a line that have not ended, the last one first."""
        return (key for key in reversed(line.rows) if self._line_of.get(key) is line)

    def _hold_slots(self, limits: str, keys: Collection[Key]) -> None:
        if keys:
            self._holders.update(keys)
            self._held[limits] += len(keys)

    def _leave(self, line: SlotLine, key: Key) -> None:
        """A row that was in this line is gone."""
        line.left -= 1
        if key in self._holders:
            self._holders.discard(key)
            line.holders -= 1
            self._held[line.limits] -= 1
            if not self._held[line.limits]:
                del self._held[line.limits]
        if line.is_open and not line.left:
            lines = self._open[line.limits]
            lines.remove(line)
            if not lines:
                del self._open[line.limits]
