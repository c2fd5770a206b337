"""States, reasons and kinds: the one table that schema, views and engine are generated from.

Codes are stored as SMALLINT and never change meaning; the words are what the views show.
"""

from enum import IntEnum, StrEnum
from typing import Final


class TaskState(IntEnum):
    """Where a task row stands. From SUCCESS on it is final."""

    PENDING = 0  # waits for parents, or (need <= 0) for its timer
    READY = 1  # stands in its lane
    HELD = 2  # READY, but its instance or its task is paused
    RESERVED = 3  # claimed by a daemon, user code not known to have begun
    RUNNING = 4
    SUCCESS = 5
    FAILED = 6
    SKIPPED = 7
    UPSTREAM_FAILED = 8
    CANCELLED = 9

    @property
    def is_final(self) -> bool:
        return self >= TaskState.SUCCESS

    @property
    def is_held(self) -> bool:
        """A daemon owns the row."""
        return self in (TaskState.RESERVED, TaskState.RUNNING)


SUCCESS: Final = int(TaskState.SUCCESS)  # a plain number, as the hot path compares it


class InstanceState(IntEnum):
    """Where a workflow instance stands. From SUCCESS on it is final."""

    READY = 0  # created with hold, no task rows yet
    RUNNING = 1
    PAUSED = 2
    SUCCESS = 3
    FAILED = 4
    TERMINATED = 5

    @property
    def is_final(self) -> bool:
        return self >= InstanceState.SUCCESS


ENDED: Final = frozenset(state.name for state in InstanceState if state.is_final)  # by the words of the views


class SagaState(IntEnum):
    """How far the compensation of an instance has come."""

    NONE = 0
    COMPENSATING = 1
    COMPENSATED = 2
    COMPENSATION_FAILED = 3


class Intent(IntEnum):
    """What was asked of an instance and the daemons have still to carry out."""

    NONE = 0
    TERMINATE = 1
    PAUSE = 2  # some rows may not be HELD yet
    RESUME = 3  # some rows may still be HELD
    COMPENSATE = 4  # what its tasks did is to be undone; rows that do it are still to be added
    FINALLY = 5  # terminated, but for the tasks that run then
    ABORT = 6  # terminated again, these tasks as well

    @property
    def is_end(self) -> bool:
        """The instance will end TERMINATED, or FAILED for its timeout."""
        return self in (Intent.TERMINATE, Intent.FINALLY, Intent.ABORT)


class Reason(IntEnum):
    """Why a row ended as it did, one word. NONE is shown as null."""

    NONE = 0
    ERROR = 1  # user code raised, or its parameters could not be rendered
    TIMEOUT = 2
    LOST = 3  # its worker or daemon was lost
    POISON = 4  # it took three workers down
    MEMORY = 5  # it went over its memory limit
    TERMINATED = 6
    TOLERATED = 7  # SUCCESS of an instance in which failures were allowed
    SKIPPED = 8  # the job raised Skip
    CONDITION = 9  # SKIPPED: its `when` did not hold
    MANUAL = 10  # SKIPPED: a person did not want it to run
    BREAKER_OPEN = 11  # SKIPPED: the breaker of a limit was open, and the workflow says what runs instead
    DEADLINE = 12  # of an instance: it ran when the workflow says that it is stopped


class TaskKind(IntEnum):
    """What sort of row it is; all of them take the same road."""

    TASK = 0
    HEAD = 1  # of a map
    COMPENSATION = 2
    WAIT = 3
    CHILD = 4  # waits for an instance of another workflow, which it has started
    SPAWNED = 5  # by a task that ran


class FactKind(IntEnum):
    """What a task may wait for before it may be claimed."""

    SIGNAL = 0
    TIME = 1
    APPROVAL = 2
    WORKFLOW = 3  # its success for a business date
    FILE = 4
    DATASET = 5  # a version of it
    SQL = 6  # a condition in another database


class WaitState(IntEnum):
    """How far the wait of a task has come. It ends from MET or OVER."""

    NEW = 0  # registered; whether the fact is there already has still to be looked up
    WAITING = 1
    MET = 2
    OVER = 3  # its time has come, or its deadline has passed
    ENDED = 4


class VersionState(IntEnum):
    """Life of a workflow version."""

    DRAFT = 0
    ACTIVE = 1
    ARCHIVED = 2


class DaemonState(IntEnum):
    """Life of a daemon. GONE is final, whether the daemon itself wrote it or another one."""

    STARTING = 0
    READY = 1
    STOPPING = 2
    GONE = 3


class BackfillState(IntEnum):
    """Where a backfill stands. From DONE on it is over."""

    RUNNING = 0
    PAUSED = 1  # it submits nothing; what it has submitted runs
    STOPPING = 2  # as PAUSED, for good
    DONE = 3
    STOPPED = 4


class DateState(IntEnum):
    """What has become of one date of a backfill. From DONE on it has ended."""

    OPEN = 0  # nothing is submitted for it yet
    ACTIVE = 1
    DONE = 2
    FAILED = 3  # or terminated, or rejected
    SKIPPED = 4  # it had a good run, or an open one, when its turn came


class AnswerState(StrEnum):
    """What became of a row in an inbox; stored as the word itself, since clients read the table."""

    NEW = "NEW"
    ACCEPTED = "ACCEPTED"
    DONE = "DONE"
    REJECTED = "REJECTED"


def words(states: type[IntEnum]) -> dict[int, str]:
    """Code -> the word the views show: upper case for states, lower case for reasons and kinds; none for Reason.NONE."""
    lower = states in (Reason, TaskKind)
    return {int(state): state.name.lower() if lower else state.name for state in states if state is not Reason.NONE}
