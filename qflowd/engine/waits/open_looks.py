"""Looks: what all share who look outside of the database for what tasks wait for, as files or other databases.

A round reads what is waited for, in batches, and has it looked for; then the waits for what has come are ended, and
of the others `wait_reason` says what is missing. Whoever sees it first ends the wait; the others change nothing.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.engine.service import Place, Topics
from qflowd.model import jsontext
from qflowd.model.states import FactKind
from qflowd.store.tx import Store, Tx

BATCH: Final = 500
LOOK_S: Final = 1.0
REST: Final = 10  # times as long as a round took: what takes long is looked at less often
IDLE_S: Final = 5.0
Key = tuple[int, int]  # of a task, and the fence that it waits with
W = TypeVar("W", bound=Hashable)


class Sight(NamedTuple):
    """`found`: what has come as JSON, where all has; else `remark` says what is still missing."""

    found: str | None
    remark: str


class Seen(NamedTuple, Generic[W]):
    """Of a look, by what is wanted.

    `unable`: what a daemon says of that for which it cannot look, if none has said anything.
    """

    sights: Mapping[W, Sight]
    unable: Mapping[W, str]


class OpenLooks(Generic[W]):
    """The open waits of one kind.

    Args:
        read: of what a row of `list_open_looks` wants.
        seconds: a clock that nobody sets.
        pools: of whose tasks, beside those that are for all daemons.
    """

    def __init__(
        self,
        store: Store,
        topics: Topics,
        kind: FactKind,
        read: Callable[[Any], W],
        daemon: str,
        seconds: Callable[[], float],
        pools: Collection[str] = (),
    ) -> None:
        self._store, self._topics, self._kind = store, topics, kind
        self._read_wanted, self._daemon, self._seconds, self._pools = read, daemon, seconds, pools
        self._place = Place(0)
        self._began_s = self._rests_until_s = 0.0
        self._noted: dict[Key, str] = {}  # what this daemon has said last
        self._wanted: dict[Key, W] = {}
        self._unheard: set[Key] = set()  # of which no daemon has said anything yet

    def tick(self, look: Callable[[set[W]], Seen[W]]) -> float:
        """A part of a round; at its end `look` is called, with all that is wanted.

        Returns: seconds until the next one.
        """
        now_s = self._seconds()
        if now_s < self._rests_until_s:
            return self._rests_until_s - now_s
        if not self._place.after:
            self._began_s, self._wanted, self._unheard = now_s, {}, set()
        if self._read():
            return 0
        self._write(look(set(self._wanted.values())))
        self._noted = {key: said for key, said in self._noted.items() if key in self._wanted}
        rest_s = min(IDLE_S, REST * (self._seconds() - self._began_s))
        self._rests_until_s = self._seconds() + rest_s
        return max(LOOK_S, rest_s) if self._wanted else IDLE_S

    def _read(self) -> bool:
        """Read some of what is waited for, and close what is over. Returns: may there be more?"""
        after, kind = self._place.after, int(self._kind)
        rows = self._store.read(lambda tx: tx.run("list_open_looks", batch=BATCH, after=after, kind=kind))
        for row in rows:
            if row.is_current and (not row.pool or row.pool in self._pools):
                self._wanted[row.task_id, row.fence] = self._read_wanted(row)
                if row.remark is None:
                    self._unheard.add((row.task_id, row.fence))
        if over := [(row.task_id, row.fence) for row in rows if not row.is_current]:
            self._store.transact(lambda tx: tx.run("close_looks", rows=over), name="close_looks")
        return self._place.move(rows, BATCH, lambda row: int(row.task_id))

    def _write(self, seen: Seen[W]) -> None:
        """End the waits for what has come, and say of the others what is still missing, where that is news."""
        sights = {key: seen.sights[wanted] for key, wanted in self._wanted.items() if wanted in seen.sights}
        found = [(*key, sight.found) for key, sight in sorted(sights.items()) if sight.found is not None]
        for part in _parts(found):
            self._store.transact(partial(_meet, rows=part), name="meet_seen")
        if found:
            self._topics.publish("fact")
        said = {key: (sight.remark, 1) for key, sight in sights.items() if sight.found is None}
        unable = {key: seen.unable.get(self._wanted[key]) for key in self._unheard}
        said |= {key: (remark, 0) for key, remark in unable.items() if remark is not None}
        lines = {
            key: (f"daemon {self._daemon}: {jsontext.clean_text(remark)}"[:LONGEST_ERROR], can_look)
            for key, (remark, can_look) in sorted(said.items())
        }
        for part in _parts([(*key, *line) for key, line in lines.items() if self._noted.get(key) != line[0]]):
            self._store.transact(partial(_note, rows=part), name="note_looks")
        self._noted.update((key, remark) for key, (remark, _) in lines.items())


def _meet(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.run("meet_seen", rows=[(task, fence) for task, fence, _ in rows])
    tx.run("save_found", rows=rows)


def _note(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    tx.run("note_looks", rows=rows)


def _parts(rows: Iterable[tuple[Any, ...]]) -> Iterable[list[tuple[Any, ...]]]:
    """A transaction each."""
    rest = iter(rows)
    return iter(lambda: list(islice(rest, BATCH)), [])
