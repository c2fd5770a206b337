"""What the verbs of control share: their registry, a command as it was meant, its answer, and what it names."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from qflowd.define import rows
from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import Reader, flag, mapping
from qflowd.define.selection import Selection
from qflowd.engine.caches import LaneIds, LaneKey, Plans, RegisteredJobs
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import Refused, no_such_workflow
from qflowd.model.errors import QflowdError
from qflowd.model.ids import instance_of
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, Intent, SagaState
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
DRY_RUN: Final = "dry_run"
NO_REMEDIES: Final = frozenset({"priority"})  # possible in most states, and lets nothing continue
EXPECT: Final = "expect"


class Later(QflowdError):
    """It cannot be carried out yet, but will be in a moment: the command stays open."""


class LanesMissing(QflowdError):
    """These lanes must be made first, outside the transaction; then the command is carried out from the start."""

    def __init__(self, lanes: Iterable[LaneKey]) -> None:
        self.lanes = frozenset(lanes)
        super().__init__(f"{len(self.lanes)} lanes are missing")


class Command(NamedTuple):
    """A row of `commands` that can be read. What it names may not exist."""

    id: int
    tenant: str
    action: str
    instance_id: int | None = None
    workflow: str | None = None
    task: str | None = None
    task_id: int | None = None
    args: Mapping[str, Any] = NOTHING  # without `dry_run` and `expect`
    is_dry_run: bool = False  # only tell what it would come to
    expect: Mapping[str, Any] | None = None  # what a dry run has told of the set that the filter selects
    begun: Mapping[str, Any] = NOTHING  # what steps of a dry run had begin before; see `overlap.lock_lines`
    reason: str | None = None
    requested_by: str | None = None
    selection: Selection | None = None  # of instances: what `filter` says
    is_by_workflow: bool = False  # a step of a command for a workflow
    task_ids: tuple[int, ...] = ()  # a step of a command for failures: those of the instance

    @property
    def names_task(self) -> bool:
        """It is for one task, rather than for a whole instance or workflow."""
        return self.task is not None or self.task_id is not None

    @property
    def is_now(self) -> str:
        """The verb of a sentence that tells what has become of its target; of a dry run, what would."""
        return "would be" if self.is_dry_run else "is"


class Reply(NamedTuple):
    """The answer to a command that was carried out, and the topics of those who should know."""

    result: Mapping[str, Json]
    topics: tuple[str, ...] = ()


class Caches(NamedTuple):
    """The caches that verbs use. `instances` are not the executor's: it forgets its own as they end."""

    plans: Plans
    lanes: LaneIds
    jobs: RegisteredJobs
    instances: Instances


class NotPossible(QflowdError):
    """The target of a command is in a wrong state for it; the verb's sentence names these facts.

    `instance`: a row of `lock_instance` or `find_instance`, where it is the target; the sentence ends with what is possible.
    """

    def __init__(self, instance: Any = None, **facts: Any) -> None:
        self.facts, self.instance = facts, instance
        if instance is not None:
            self.facts = {"id": instance.id, "state": standing(instance), **facts}
        super().__init__(str(self.facts))


CarryOut = Callable[[Tx, Command, Any, Caches], Reply]
Need = Callable[[Tx, Command], Any]


class Verb(NamedTuple):
    """One action. `needs` finds what a command must name, and refuses; `not_possible` is the answer to NotPossible.

    `states`: those of an instance in which it is possible, as far as the state alone tells. `batch`: of how many
    instances one transaction takes care if it is asked for many; 0: it cannot be asked for many. `args`: what the
    args of a command may hold, all of it optional; None: it reads them itself, by `read_args`. `is_of_failures`: it
    is asked for failures that nobody has handled, not for instances. `takes_task`: it may be asked of one task of
    each; `needs_task`: it must be, and tasks that failed may be named by a filter. `takes_workflow`: a
    workflow may be named instead of an instance. `reason_is`: what becomes of the reason that it cannot do without.
    `has_dry_run`: it can be tried, although it is not for many instances.
    """

    carry_out: CarryOut
    needs: Need
    not_possible: str = ""
    states: tuple[InstanceState, ...] = ()
    batch: int = 0
    is_of_failures: bool = False
    takes_task: bool = False
    needs_task: bool = False
    takes_workflow: bool = False
    reason_is: str = ""
    args: Mapping[str, Reader[Any]] | None = NOTHING
    has_dry_run: bool = False

    def check(self, command: Command) -> None:
        """Raises: Refused if the command lacks a reason, holds args that mean nothing, or is for a task and cannot be."""
        if command.names_task and not self.takes_task:
            raise Refused(f"{command.action} is not for single tasks; leave out the task", Refusal.FAULTY)
        if self.reason_is and not command.reason and not command.is_dry_run:
            raise Refused(f"{command.action} needs a reason{self.reason_is}", Refusal.FAULTY)
        if command.is_dry_run and not (self.batch or self.has_dry_run):
            others = ", ".join(sorted(action for action, verb in VERBS.items() if verb.batch or verb.has_dry_run))
            raise Refused(
                f"args.dry_run: there is no dry run of {command.action}; there is of {others}", Refusal.FAULTY
            )
        if self.args is not None:
            fields = fields_of_args(command)
            for name, read in self.args.items():
                fields.take(name, read, None)
            if self.batch:
                fields.take(DRY_RUN, flag, None)  # it is taken out already, and may be what was meant
            fields.close()
            refuse_faults(fields)

    def refusal(self, error: NotPossible) -> str:
        """Why it is not possible, and what is."""
        return self.not_possible.format(**error.facts) + ("" if error.instance is None else remedy(error.instance))


VERBS: dict[str, Verb] = {}
TASK_VERBS: dict[str, Verb] = {}  # of actions that do something else to one task than to an instance


def verb(action: str, *, of_task: bool = False, **about: Any) -> Callable[[CarryOut], CarryOut]:
    """Register a function as what an action does: it is called with the transaction, the command and what `needs` found.

    `of_task`: where the command names a task. `about`: the other fields of Verb.
    """

    def register(carry_out: CarryOut) -> CarryOut:
        (TASK_VERBS if of_task else VERBS)[action] = Verb(carry_out, **about)
        return carry_out

    return register


def find_verb(command: Command) -> Verb | None:
    """The verb of a command; None if there is no such action."""
    if command.names_task and command.action in TASK_VERBS:
        return TASK_VERBS[command.action]
    return VERBS.get(command.action)


def for_many() -> str:
    """The actions that many instances can be asked for."""
    return ", ".join(sorted(action for action, verb in VERBS.items() if verb.batch))


def read_command(row: Any) -> Command:
    """The command in a row of `take_command`.

    Raises: Refused.
    """
    values, fields = rows.read_command(row._asdict())
    if "filter" in values and not values.keys().isdisjoint(("instance_id", "workflow", "task_id")):
        fields.fault("is instead of an instance_id, a workflow or a task_id; give one of them", "filter")
    values["args"] = args = dict(values.get("args", NOTHING))
    inside = Fields(fields.document, ("args",), args, fields.faults)
    is_dry_run, expect = inside.take(DRY_RUN, flag, False), inside.take(EXPECT, mapping, None)
    args.pop(DRY_RUN, None)
    args.pop(EXPECT, None)
    refuse_faults(fields)
    return Command(row.id, selection=values.pop("filter", None), is_dry_run=is_dry_run, expect=expect, **values)


def read_args(command: Command, /, **readers: Reader[Any]) -> dict[str, Any]:
    """What `args` of a command must hold, by name.

    Raises: Refused if something is missing, faulty, or unknown.
    """
    fields = fields_of_args(command)
    values = {name: fields.need(name, read, None) for name, read in readers.items()}
    fields.close()
    refuse_faults(fields)
    return values


def fields_of_args(command: Command) -> Fields:
    """What `args` of a command hold, to be read."""
    return Fields(Document({}), ("args",), command.args, [])


def refuse_faults(fields: Fields) -> None:
    """Raises: Refused if there are any."""
    if fields.faults:
        raise Refused("\n".join(map(str, fields.faults)), Refusal.FAULTY)


def refuse_other_targets(command: Command, *columns: str) -> None:
    """May a command name what it is for by these columns alone?

    Raises: Refused if it names something by others, which would be ignored.
    """
    others = [
        name
        for name in ("instance_id", "workflow", "task", "task_id")
        if getattr(command, name) is not None and name not in columns
    ]
    if others:
        raise Refused(
            f"{command.action} has no use for {' and '.join(others)}; leave {'them' if len(others) > 1 else 'it'} out",
            Refusal.FAULTY,
        )


def one_workflow(tx: Tx, command: Command, *, to_change: bool = False) -> Any:
    """The workflow that a command names: a row of `find_workflow`. `to_change`: locked for us alone.

    Raises: Refused if there is none, or an instance is named too.
    """
    if not command.workflow:
        raise Refused(f"{command.action} needs a workflow", Refusal.FAULTY)
    refuse_other_targets(command, "workflow", "task")
    if to_change:  # first: of two that share it, neither would get it
        tx.run("lock_definition", tenant=command.tenant, workflow=command.workflow)
    workflow = tx.one("find_workflow", tenant=command.tenant, workflow=command.workflow)
    if workflow is None:
        raise no_such_workflow(tx, command.tenant, command.workflow)
    return workflow


def one_instance(tx: Tx, command: Command) -> Any:
    """The instance that a command names: a row of `find_instance`.

    Raises: Refused if there is none, or it is not of the workflow that is named too; Later if its submission is still
        waiting to be taken.
    """
    instance = _find_instance(tx, command)
    if command.workflow and command.workflow != instance.workflow:
        what = f"is of workflow {instance.workflow!r}" if instance.workflow else f"runs the single job {instance.job!r}"
        raise Refused(
            f"instance {instance.id} {what}, not of workflow {command.workflow!r}; name one of the two", Refusal.FAULTY
        )
    return instance


def _find_instance(tx: Tx, command: Command) -> Any:
    number = command.instance_id
    if number is None and command.task_id is not None:
        number = instance_of(command.task_id)
    if number is None:
        raise Refused(f"{command.action} needs {_targets(command)}", Refusal.FAULTY)
    instance = tx.one("find_instance", id=number, tenant=command.tenant)
    if instance is not None:
        return instance
    submission = tx.one("load_submission", id=number)
    if submission is None or submission.tenant != command.tenant:
        raise Refused(f"there is no instance {number}; `qflowd ps` lists those there are", Refusal.NOT_FOUND)
    if submission.is_open:
        raise Later(f"submission {number} has not been taken yet")
    if submission.instance_id is not None and submission.instance_id != number:
        raise Refused(f"submission {number} repeats instance {submission.instance_id}; name that one")
    if (instance := tx.one("find_instance", id=number, tenant=command.tenant)) is not None:
        return instance  # it was taken between the two looks
    raise Refused(f"there is no instance {number}: its submission was rejected", Refusal.NOT_FOUND)


def _targets(command: Command) -> str:
    """What a command can be for that is for instances."""
    verb = find_verb(command)
    ways = ["a workflow"] * bool(verb and verb.takes_workflow) + ["a filter"] * bool(verb and verb.batch)
    return " or ".join([", ".join(["an instance_id", *ways[:-1]]), *ways[-1:]])


def standing(instance: Any) -> str:
    """Where an instance stands: its state, and what is being done to it. A row of `lock_instance` or `find_instance`."""
    state = state_name(instance.state)
    if Intent(instance.intent).is_end:
        return f"{state} and being terminated"
    if is_being_undone(instance):
        return f"{state} and being compensated"
    if instance.saga_state == SagaState.COMPENSATED:
        return f"{state} and has been compensated"
    if instance.saga_state == SagaState.COMPENSATION_FAILED:
        return f"{state}, and its compensation has failed"
    is_queued = instance.state == InstanceState.READY and instance.concurrency_key is not None
    return f"{state}, queued behind another one of its workflow" if is_queued else state


def remedy(instance: Any, refused: str = "") -> str:
    """The end of a sentence that refuses an action: what is possible where an instance stands."""
    if Intent(instance.intent).is_end:
        return "; wait until it is TERMINATED"
    if is_being_undone(instance):
        return "; wait for its end, or terminate first"
    if instance.saga_state == SagaState.COMPENSATED:
        return "; submit it again"
    if instance.saga_state == SagaState.COMPENSATION_FAILED:
        return "; `retry` continues it"
    ways = VERBS.keys() - NO_REMEDIES - {refused}
    possible = sorted(action for action in ways if instance.state in VERBS[action].states)
    if instance.state == InstanceState.READY and instance.concurrency_key is not None:
        possible = ["terminate"]  # it begins by itself
    return f"; possible now: {', '.join(possible)}"


def is_being_undone(instance: Any) -> bool:
    """Whether an instance is being compensated, or is about to be."""
    return bool(instance.intent == Intent.COMPENSATE or instance.saga_state == SagaState.COMPENSATING)


def refuse_terminating(instance: Any) -> None:
    """May a command change the instance, a row of `lock_instance`?

    Raises: Refused if it is being terminated; Later if it is about to be undone.
    """
    if Intent(instance.intent).is_end:
        raise Refused(f"instance {instance.id} is {standing(instance)}{remedy(instance)}")
    if instance.intent == Intent.COMPENSATE:
        raise Later(f"the compensations of instance {instance.id} are being added")


def state_name(state: int) -> str:
    """The name of an instance's state."""
    return InstanceState(state).name
