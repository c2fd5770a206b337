"""Commands: what people ask of the engine through the inbox `commands`, carried out and answered in the row.

Each command is a transaction of its own, with its answer in it; any daemon may take it. One that fails is answered
REJECTED with the reason and never taken again, so it cannot stand in the way of others.
"""

from typing import Any, ClassVar, Final

# Each of these adds its verbs to the registry.
from qflowd.engine.backfills import backfill_commands  # noqa: F401
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.calendars import import_calendars, override_days  # noqa: F401
from qflowd.engine.commands import (  # noqa: F401
    approve,
    bulk,
    cancel,
    handle,
    mute,
    pause,
    pause_task,
    pause_workflow,
    priority,
    retry,
    skip,
    start,
    terminate,
    terminate_task,
    trigger,
)
from qflowd.engine.commands.carry_out import carry_out
from qflowd.engine.commands.control import (
    DRY_RUN,
    VERBS,
    Caches,
    Command,
    LanesMissing,
    Later,
    find_verb,
    read_command,
)
from qflowd.engine.commands.noted import note_done
from qflowd.engine.definitions import archive, canary, drafts, schedule_commands, task_definitions, versions  # noqa: F401
from qflowd.engine.limits import limit_commands  # noqa: F401
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import LONGEST_ERROR, Refused
from qflowd.engine.sagas import compensate  # noqa: F401
from qflowd.engine.service import Place, Topics, log_refused, report
from qflowd.model import jsontext
from qflowd.model.errors import RowsLocked, StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.model.states import AnswerState
from qflowd.store.tx import Store, Tx

BATCH: Final = 100  # commands in one round
LEAST_ID, GREATEST_ID = -(1 << 63), (1 << 63) - 1  # clients may have written any
LATER_S: Final = 0.1  # until a command is looked at again that could not be carried out yet
IDLE_S: Final = 60.0  # the watch wakes us long before
LATER_ACTIONS: Final = {
    "close", "move", "open", "publish", "purge",
}  # fmt: skip


class _DryRun(Exception):
    """This command is to be rehearsed."""

    def __init__(self, command: Command) -> None:
        self.command = command
        super().__init__(command.action)


class Commands:
    """The service that empties the inbox of commands."""

    name: ClassVar[str] = "commands"
    topics: ClassVar[tuple[str, ...]] = ("command",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs, topics: Topics) -> None:
        self._store = store
        self._lanes = lanes
        self._topics = topics
        topics.subscribe("calendar", plans.calendars.expire)
        self._place, self._pause_s = Place(LEAST_ID), IDLE_S
        self._caches = Caches(plans, lanes, jobs, Instances(plans, jobs))
        self._command: Command | None = None  # which is being carried out
        self._locked: set[int] = set()  # instances whose commands wait for locked rows
        self._many_wait = False  # a command for several instances waits for locked rows

    def tick(self) -> float:
        if self._place.after == LEAST_ID:
            self._locked.clear()
            self._many_wait = False
        rows = self._store.read(lambda tx: tx.run("list_open_commands", batch=BATCH, least=self._place.after))
        for row in rows:
            self._pause_s = min(self._pause_s, self._answer(row.id))
        if self._place.move(rows, BATCH, _next_id):
            return 0
        pause_s, self._pause_s = self._pause_s, IDLE_S
        return pause_s

    def _answer(self, number: int) -> float:
        """Carry out one command, or a step of it, and answer it. Returns the seconds until it needs another look."""
        try:
            topics, is_last = self._take(number)
        except LanesMissing as missing:
            self._lanes.ensure(missing.lanes)
            return self._answer(number)
        except Later:
            return LATER_S
        except RowsLocked as error:
            if self._command is None or not self._put_off(self._command):
                raise
            report(f"command {number}", error, LATER_S)
            return LATER_S
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the row gets an answer and the next one its turn
            self._reject(number, error)
        else:
            self._topics.publish(*topics)
            return IDLE_S if is_last else 0
        return IDLE_S

    def _take(self, number: int) -> tuple[tuple[str, ...], bool]:
        """Returns the topics of those who should know, and whether all is done, or another daemon is at it, or was."""
        self._command = None
        try:
            return self._store.transact(lambda tx: self._carry_out(tx, number), name="command")
        except _DryRun as asked:
            return self._rehearse(asked.command)

    def _carry_out(self, tx: Tx, number: int) -> tuple[tuple[str, ...], bool]:
        row = tx.one("take_command", id=number)
        if row is None:
            return (), True
        self._command = command = read_command(row)
        if self._is_behind(command):
            self._put_off(command)
            raise Later("a command before it waits for locked rows")
        if command.is_dry_run:
            raise _DryRun(command)
        if bulk.is_bulk(command):
            step = bulk.step(tx, command, self._caches, tx.part)
        else:
            step = self._carry_out_one(tx, command)
        self._note(tx, command, step)
        return step.topics, step.is_last

    def _is_behind(self, command: Command) -> bool:
        """Does one wait before it that may be for the same instance?"""
        if (number := _instance_named(command)) is not None:
            return self._many_wait or number in self._locked
        return _is_for_many(command) and (self._many_wait or bool(self._locked))

    def _put_off(self, command: Command) -> bool:
        """Have those that come after it and may be for the same instance wait too. False if it is for no instance."""
        if (number := _instance_named(command)) is not None:
            self._locked.add(number)
        elif _is_for_many(command):
            self._many_wait |= not command.is_dry_run
        else:
            return False
        return True

    def _rehearse(self, command: Command) -> tuple[tuple[str, ...], bool]:
        """Carry out a dry run, or a step of it: all is rolled back but its own row."""
        if bulk.is_bulk(command):
            step = self._store.read(lambda tx: bulk.step(tx, command, self._caches, self._store.rehearse))
        else:
            step = self._store.rehearse(lambda tx: self._carry_out_one(tx, command))
            step = step._replace(result={**step.result, DRY_RUN: True})

        def note_rehearsed(tx: Tx) -> bool:
            return tx.one("take_command", id=command.id) is not None and self._note(tx, command, step)

        return (), self._store.transact(note_rehearsed, name="command") and step.is_last

    def _carry_out_one(self, tx: Tx, command: Command) -> bulk.BulkStep:
        """A command that is not for many: its only step."""
        verb = find_verb(command)
        if verb is None:
            raise Refused(_no_action(command.action), Refusal.FAULTY)
        if command.expect is not None:
            raise Refused(
                f"args.expect: only commands for many instances take it; {command.action} is for one", Refusal.FAULTY
            )
        reply = carry_out(tx, verb, command, self._caches)
        return bulk.BulkStep(reply.result, reply.topics, is_last=True)

    def _note(self, tx: Tx, command: Command, step: bulk.BulkStep) -> bool:
        """Write how far a command has come, or its answer. False if another daemon has taken this step meanwhile."""
        if bulk.is_bulk(command) and not bulk.note(tx, command, step):
            return False
        result = jsontext.dump(dict(step.result))
        if step.is_last:
            done = AnswerState.DONE.name
            tx.run("answer_command", id=command.id, state=done, result=result, error=None, error_code=None, now=tx.now)
            note_done(tx, command.id, command)
        else:
            tx.run("note_command", id=command.id, result=result)
        return True

    def _reject(self, number: int, error: Exception) -> None:
        text, why = str(error), Refusal.FAULT_OF_OURS
        if isinstance(error, Refused):
            why = error.why
        else:
            log_refused("command %d could not be carried out: %s", number, error)
            text = f"could not be carried out: {error}"

        command = self._command if self._command is not None and self._command.id == number else None

        def reject_command(tx: Tx) -> None:
            tx.run("delete_bulk", id=number)
            answer = jsontext.clean_text(text)[:LONGEST_ERROR]
            about: dict[str, Any] = {"state": AnswerState.REJECTED.name, "result": None}
            if tx.count("answer_command", id=number, **about, error=answer, error_code=int(why), now=tx.now):
                note_done(tx, number, command, answer)

        self._store.transact(reject_command)


def _instance_named(command: Command) -> int | None:
    """The only instance that a command is for; None if it may be for several, or for something else."""
    if command.instance_id is None and command.task_id is not None:
        return instance_of(command.task_id)
    return command.instance_id


def _is_for_many(command: Command) -> bool:
    """May it be for several instances, since it names none?"""
    return command.selection is not None or command.workflow is not None


def _next_id(row: Any) -> int:
    """Where the next look begins: nothing is behind the greatest id."""
    return LEAST_ID if row.id == GREATEST_ID else int(row.id) + 1


def _no_action(action: str) -> str:
    """Why an action is refused, and what may have been meant."""
    actions = ", ".join(sorted(VERBS | bulk.WORKFLOW_VERBS))
    if action in LATER_ACTIONS:
        return f"action {action!r} is not supported yet; there are {actions}"
    near = did_you_mean(action, VERBS | bulk.WORKFLOW_VERBS)
    return f"there is no action {action!r}{near if near.endswith('?') else f'; there are {actions}'}"
