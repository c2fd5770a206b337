"""Commands: what people ask of the engine through the inbox `commands`, carried out and answered in the row.

Each command is a transaction of its own, with its answer in it; any daemon may take it. One that fails is answered
REJECTED with the reason and never taken again, so it cannot stand in the way of others.
"""

from collections.abc import Mapping
from typing import ClassVar, Final

# Each of these adds its verbs to the registry.
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.commands import (  # noqa: F401
    bulk,
    handle,
    pause,
    pause_task,
    pause_workflow,
    retry,
    skip,
    start,
    terminate,
    trigger,
)
from qflowd.engine.commands.control import (
    VERBS,
    Caches,
    Command,
    LanesMissing,
    Later,
    NotPossible,
    find_verb,
    read_command,
)
from qflowd.engine.definitions import archive, canary, drafts, schedules, task_definitions, versions  # noqa: F401
from qflowd.engine.limits import limit_commands  # noqa: F401
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import LONGEST_ERROR, Refused
from qflowd.engine.sagas import compensate  # noqa: F401
from qflowd.engine.service import Topics, log_refused
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import AnswerState
from qflowd.model.workflow import Json
from qflowd.store.tx import Store, Tx

BATCH: Final = 100  # commands in one round
LATER_S: Final = 0.1  # until a command is looked at again that could not be carried out yet
IDLE_S: Final = 60.0  # the watch wakes us long before
LATER_ACTIONS: Final = {
    "approve", "backfill", "cancel", "close", "fire", "move", "open", "publish", "purge",
}  # fmt: skip


class Commands:
    """The service that empties the inbox of commands."""

    name: ClassVar[str] = "commands"
    topics: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs, topics: Topics) -> None:
        self._store = store
        self._lanes = lanes
        self._topics = topics
        self._caches = Caches(plans, lanes, jobs, Instances(plans, jobs))

    def tick(self) -> float:
        rows = self._store.read(lambda tx: tx.run("list_open_commands", batch=BATCH))
        pauses = [self._answer(row.id) for row in rows]
        return 0 if len(rows) == BATCH else min(pauses, default=IDLE_S)

    def _answer(self, number: int) -> float:
        """Carry out one command, or a step of it, and answer it. Returns the seconds until it needs another look."""
        try:
            topics, is_last = self._store.transact(lambda tx: self._carry_out(tx, number), name="command")
        except LanesMissing as missing:
            self._lanes.ensure(missing.lanes)
            return self._answer(number)
        except Later:
            return LATER_S
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it is, the row gets an answer and the next one its turn
            self._reject(number, problem)
        else:
            self._topics.publish(*topics)
            return IDLE_S if is_last else 0
        return IDLE_S

    def _carry_out(self, tx: Tx, number: int) -> tuple[tuple[str, ...], bool]:
        """Returns the topics of those who should know, and whether all is done. Nothing if another daemon is at it, or was."""
        row = tx.one("take_command", id=number)
        if row is None:
            return (), True
        command = read_command(row)
        if bulk.is_bulk(command):
            return self._take_step(tx, command)
        if command.is_dry_run:
            raise Refused("args: dry_run is for commands with a filter, or for a workflow's instances")
        verb = find_verb(command)
        if verb is None:
            is_later = command.action in LATER_ACTIONS
            what = "action {!r} is not supported yet" if is_later else "there is no action {!r}"
            raise Refused(f"{what.format(command.action)}; there are {', '.join(sorted(VERBS | bulk.WORKFLOW_VERBS))}")
        try:
            verb.check(command)
            done = verb.carry_out(tx, command, verb.needs(tx, command), self._caches)
        except NotPossible as problem:
            raise Refused(verb.refusal(problem)) from None
        self._answer_done(tx, number, done.result)
        return done.topics, True

    def _take_step(self, tx: Tx, command: Command) -> tuple[tuple[str, ...], bool]:
        """A step of a command for many instances; see `bulk`."""
        step = bulk.step(tx, command, self._caches)
        if step.is_last:
            self._answer_done(tx, command.id, step.result)
        else:
            tx.run("note_command", id=command.id, result=jsontext.dump(dict(step.result)))
        return step.topics, step.is_last

    def _answer_done(self, tx: Tx, number: int, result: Mapping[str, Json]) -> None:
        text = jsontext.dump(dict(result))
        tx.run("answer_command", id=number, state=AnswerState.DONE.name, result=text, error=None, now=tx.now)

    def _reject(self, number: int, problem: Exception) -> None:
        error = str(problem)
        if not isinstance(problem, Refused):
            log_refused("command %d could not be carried out: %s", number, problem)
            error = f"could not be carried out: {problem}"

        def reject_command(tx: Tx) -> None:
            text = jsontext.clean_text(error)[:LONGEST_ERROR]
            tx.run("answer_command", id=number, state=AnswerState.REJECTED.name, result=None, error=text, now=tx.now)

        self._store.transact(reject_command)
