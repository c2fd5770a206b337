"""Commands: what people ask of the engine through the inbox `commands`, carried out and answered in the row.

Each command is a transaction of its own, with its answer in it; any daemon may take it. One that fails is answered
REJECTED with the reason and never taken again, so it cannot stand in the way of others.
"""

from typing import ClassVar, Final

from qflowd.engine import resume, retry, switch, terminate  # noqa: F401 - each adds its verbs
from qflowd.engine.control import VERBS, Command, Done, LanesMissing, Later, Means, NotPossible, read_command
from qflowd.engine.instances import Instances
from qflowd.engine.known import Jobs, LaneIds, Plans
from qflowd.engine.request import LONGEST_ERROR, Refused
from qflowd.engine.service import Topics, log_refused
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import AnswerState
from qflowd.store.tx import Store, Tx

BATCH: Final = 100  # commands in one round
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1  # ids: clients may have written any
LATER_S: Final = 0.1  # until a command is looked at again that could not be carried out yet
IDLE_S: Final = 60.0  # the watch wakes us long before
LATER_ACTIONS: Final = {
    "approve", "backfill", "cancel", "close", "compensate", "fire", "move", "open", "pause", "publish", "purge", "rerun",
    "skip",
}  # fmt: skip


class Commands:
    """The service that empties the inbox of commands."""

    name: ClassVar[str] = "commands"
    topics: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: Jobs, topics: Topics) -> None:
        self._store = store
        self._lanes = lanes
        self._topics = topics
        self._means = Means(plans, lanes, jobs, Instances(plans))

    def tick(self) -> float:
        first, is_waiting = SMALLEST, False
        for _ in range(BATCH):
            number, is_answered = self._next(first)
            if number is None:
                return LATER_S if is_waiting else IDLE_S
            if not is_answered:
                first, is_waiting = min(number + 1, LARGEST), True
        return 0

    def _next(self, first: int) -> tuple[int | None, bool]:
        """Carry out the first open command with an id of at least `first`.

        Returns: its id, None if there is none; and whether it is answered.
        """
        taken: int | None = None

        def command(tx: Tx) -> Done | None:
            nonlocal taken
            row = tx.one("take_commands", first=first, batch=1)
            taken = None if row is None else row.id
            if row is None:
                return None
            done = self._carry_out(tx, read_command(tx.one("load_command", id=row.id)))
            answer = jsontext.dump(dict(done.result))
            tx.run("answer_command", id=row.id, state=AnswerState.DONE.name, result=answer, error=None, now=tx.now)
            return done

        try:
            done = self._store.transact(command)
        except LanesMissing as missing:
            self._lanes.ensure(missing.lanes)
            return first, True
        except Later:
            return taken, False
        except StoreUnavailable:
            raise
        except Exception as problem:
            # Whatever it is, the row gets an answer and the next one its turn.
            if taken is None:
                raise
            self._reject(taken, problem)
            return taken, True
        if done is not None:
            self._topics.publish(*done.topics)
        return taken, True

    def _carry_out(self, tx: Tx, command: Command) -> Done:
        verb = VERBS.get(command.action)
        if verb is None:
            there_are = f"there are {', '.join(sorted(VERBS))}"
            if command.action in LATER_ACTIONS:
                raise Refused(f"action {command.action!r} is not supported yet; {there_are}")
            raise Refused(f"there is no action {command.action!r}; {there_are}")
        try:
            return verb.carry_out(tx, command, verb.needs(tx, command), self._means)
        except NotPossible as problem:
            raise Refused(verb.not_possible.format(**problem.facts)) from None

    def _reject(self, number: int, problem: Exception) -> None:
        error = str(problem)
        if not isinstance(problem, Refused):
            log_refused("command %d could not be carried out: %s", number, problem)
            error = f"could not be carried out: {problem}"

        def reject_command(tx: Tx) -> None:
            text = jsontext.clean_text(error)[:LONGEST_ERROR]
            tx.run("answer_command", id=number, state=AnswerState.REJECTED.name, result=None, error=text, now=tx.now)

        self._store.transact(reject_command)
