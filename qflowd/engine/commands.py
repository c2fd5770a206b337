"""Commands: what people ask of the engine through the inbox `commands`, carried out and answered in the row.

Each command is a transaction of its own, with its answer in it; any daemon may take it. One that fails is answered
REJECTED with the reason and never taken again, so it cannot stand in the way of others.
"""

from typing import ClassVar, Final

from qflowd.engine import (  # noqa: F401 - each adds its verbs
    archive,
    canary,
    drafts,
    pause,
    retry,
    schedules,
    start,
    terminate,
    versions,
)
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.control import VERBS, Caches, LanesMissing, Later, NotPossible, read_command
from qflowd.engine.instances import Instances
from qflowd.engine.request import LONGEST_ERROR, Refused
from qflowd.engine.service import Topics, log_refused
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import AnswerState
from qflowd.store.tx import Store, Tx

BATCH: Final = 100  # commands in one round
LATER_S: Final = 0.1  # until a command is looked at again that could not be carried out yet
IDLE_S: Final = 60.0  # the watch wakes us long before
LATER_ACTIONS: Final = {
    "approve", "backfill", "cancel", "close", "compensate", "fire", "move", "open", "publish", "purge", "rerun",
    "skip",
}  # fmt: skip


class Commands:
    """The service that empties the inbox of commands."""

    name: ClassVar[str] = "commands"
    topics: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs, topics: Topics) -> None:
        self._store = store
        self._lanes = lanes
        self._topics = topics
        self._caches = Caches(plans, lanes, jobs, Instances(plans))

    def tick(self) -> float:
        rows = self._store.read(lambda tx: tx.run("list_open_commands", batch=BATCH))
        if [row for row in rows if not self._answer(row.id)]:
            return LATER_S
        return 0 if len(rows) == BATCH else IDLE_S

    def _answer(self, number: int) -> bool:
        """Carry out one command and answer it; False if it has to wait."""
        try:
            topics = self._store.transact(lambda tx: self._carry_out(tx, number), name="command")
        except LanesMissing as missing:
            self._lanes.ensure(missing.lanes)
            return self._answer(number)
        except Later:
            return False
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it is, the row gets an answer and the next one its turn
            self._reject(number, problem)
        else:
            self._topics.publish(*topics)
        return True

    def _carry_out(self, tx: Tx, number: int) -> tuple[str, ...]:
        """Returns the topics of those who should know; none if another daemon is at it, or was."""
        row = tx.one("take_command", id=number)
        if row is None:
            return ()
        command = read_command(row)
        verb = VERBS.get(command.action)
        if verb is None:
            is_later = command.action in LATER_ACTIONS
            what = "action {!r} is not supported yet" if is_later else "there is no action {!r}"
            raise Refused(f"{what.format(command.action)}; there are {', '.join(sorted(VERBS))}")
        try:
            done = verb.carry_out(tx, command, verb.needs(tx, command), self._caches)
        except NotPossible as problem:
            raise Refused(verb.refusal(problem.facts)) from None
        result = jsontext.dump(dict(done.result))
        tx.run("answer_command", id=number, state=AnswerState.DONE.name, result=result, error=None, now=tx.now)
        return done.topics

    def _reject(self, number: int, problem: Exception) -> None:
        error = str(problem)
        if not isinstance(problem, Refused):
            log_refused("command %d could not be carried out: %s", number, problem)
            error = f"could not be carried out: {problem}"

        def reject_command(tx: Tx) -> None:
            text = jsontext.clean_text(error)[:LONGEST_ERROR]
            tx.run("answer_command", id=number, state=AnswerState.REJECTED.name, result=None, error=text, now=tx.now)

        self._store.transact(reject_command)
