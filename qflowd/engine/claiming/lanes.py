"""What a daemon has learnt about its lanes: how long their tasks take, so that short ones travel in hundreds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from qflowd.engine.caches import LaneKey
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import effective
from qflowd.model.limits import FALLBACK, UNSETTLED, taken_of
from qflowd.model.workflow import Job, Settings

CHUNK_S = 0.02  # work in one chunk: what a worker takes along is never more than this
LINE_S = 0.1  # work in one chunk where slots of a limit are scarce: nothing is queued behind it
LARGEST_CHUNK = 1000
SHORT_S = 0.05  # tasks of a lane that is known to be shorter are written once, at their end
SAMPLES = 3  # before a lane is known
START = (-(1 << 15), 0)  # before the first row of any lane
MEMORY = 3  # tasks: so much does all that was learnt before weigh


class Terms(NamedTuple):
    """What an attempt runs under. One object for all rows that run alike."""

    lane: "Lane"
    settings: Settings  # all levels together


@dataclass(slots=True)
class Pace:
    """How long tasks take, from those that have run here. `mean_s`: the mean of `samples` tasks, the last of which weigh most."""

    mean_s: float = 0.0
    samples: int = 0

    @property
    def is_known(self) -> bool:
        return self.samples >= SAMPLES

    def learn(self, seconds: float, tasks: int) -> None:
        """Take the total running time of some finished tasks into the mean."""
        mean = seconds / tasks
        # What turns slow must be seen at once; the first tasks of all are slow, and soon outweighed by hundreds.
        weight = 1.0 if mean > self.mean_s else tasks / (tasks + min(self.samples, MEMORY))
        self.mean_s += weight * (mean - self.mean_s)
        self.samples += tasks


@dataclass(slots=True)
class Lane:
    """One lane, as seen by the daemon that claims from it."""

    id: int
    key: LaneKey
    job: Job
    code_id: int | None  # None: rows of it run no code
    pace: Pace = field(default_factory=Pace)
    of_siblings: Pace | None = None  # of all lanes that differ from it in their limits alone
    solo_within: int = 0  # among so many of the next rows are some that run alone
    after: tuple[int, int] = START  # priority and id of the last row claimed, where the next claim continues
    shut_until: float = 0.0  # CLOCK_BOOTTIME; see the gate
    has_breaker: bool = False  # a limit of it has one: how its attempts end is told
    is_probing: bool = False  # it was half-open at the last claim: the row that was taken tries
    limit_names: frozenset[str] = field(init=False)  # those that its rows take slots of
    _terms: dict[int, tuple[Settings, Terms]] = field(default_factory=dict)  # by the identity of a node's settings

    def __post_init__(self) -> None:
        self.limit_names = frozenset(name for name, _ in taken_of(self.key.limits))

    @property
    def is_unsettled(self) -> bool:
        """Its rows are claimed to be put into lanes of their own."""
        return self.key.limits.startswith(UNSETTLED)

    @property
    def has_fallback(self) -> bool:
        """While the breaker of one of its limits is open, its rows end, and others run instead."""
        return self.key.limits.endswith(FALLBACK)

    @property
    def known_pace(self) -> Pace:
        """Its own; until that is known, the one of its siblings."""
        return self.pace if self.pace.is_known or self.of_siblings is None else self.of_siblings

    @property
    def is_short(self) -> bool:
        pace = self.known_pace
        return pace.is_known and pace.mean_s < SHORT_S

    @property
    def has_solo(self) -> bool:
        """Are some of the next rows to run alone? Then there is no use in taking hundreds: most would go back."""
        return self.solo_within > 0

    def met(self, solos: Sequence[int]) -> None:
        """The next rows were claimed; of each in turn, does it run alone?

        Most of them go back, those before it too, and are claimed again before others.
        """
        last = max((place for place, solo in enumerate(solos, 1) if solo), default=0) if any(solos) else 0
        self.solo_within = max(last, self.solo_within - len(solos))

    @property
    def chunk_size(self) -> int:
        """Tasks for one worker at a time."""
        return self.tasks_in(CHUNK_S)

    def tasks_in(self, seconds: float) -> int:
        """How many tasks a worker runs one after another in so much time, as one chunk."""
        if not self.is_short:
            return 1
        return max(1, min(LARGEST_CHUNK, int(seconds / max(self.known_pace.mean_s, 1e-6))))

    def terms(self, node: Node, timeout_s: float | None) -> Terms:
        """The terms of a node that nothing was overridden for. `timeout_s`: the daemon's default."""
        cached = self._terms.get(id(node.settings))
        if cached is None:
            terms = Terms(self, effective(node, Settings(), self.job, Settings(timeout=timeout_s)))
            # The node's own settings are kept beside the result, so that their identity stays theirs.
            cached = self._terms[id(node.settings)] = (node.settings, terms)
        return cached[1]

    def learn(self, seconds: float, tasks: int) -> None:
        """Some of its tasks have ended, and took so long together."""
        self.pace.learn(seconds, tasks)
        if self.of_siblings is not None:
            self.of_siblings.learn(seconds, tasks)
