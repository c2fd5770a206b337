"""Bulk: a command for many instances, carried out in steps of one transaction each.

Its instances are those that its filter selects, or those of a workflow; where it is for failures, those with such.
They are looked at in the order of their ids, up to the largest there was at the first step. After each step `result`
says how far it has come; where it continues is kept in `bulk_command`, so that any daemon takes the next step.

A dry run is the same, but what it does to an instance is rolled back at once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.readers import text, whole
from qflowd.define.selection import OPEN, Selection
from qflowd.engine.commands.control import (
    DRY_RUN,
    VERBS,
    Caches,
    Command,
    NotPossible,
    Reply,
    Verb,
    find_verb,
    for_many,
    one_workflow,
    refuse_faults,
)
from qflowd.engine.commands.handle import LONG_AGO, failures_of
from qflowd.engine.commands.progress import KEPT, Progress, digest_with, note_begun
from qflowd.engine.refusal import Refused
from qflowd.model import jsontext
from qflowd.model.ids import LARGEST_INSTANCE, key_range
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState
from qflowd.model.workflow import Json
from qflowd.store.tx import Tx

LOOKS: Final = 1000  # instances looked at in one step
REHEARSED: Final = 100  # instances in a step of a dry run, each in a transaction of its own
LISTED: Final = 1000  # instances and refusals in the result of a dry run
REFUSALS: Final = 20  # of which the result says why
COUNTED: Final = 100  # looks that count what a command will meet; of failures one, each of which asks for its own

T = TypeVar("T")


class Perform(Protocol):
    """How the work on one instance is done: as a part of the step's transaction, or in one that is rolled back."""

    def __call__(self, work: Callable[[Tx], T], /) -> T: ...


class Rehearsed(NamedTuple):
    """What a dry run would do to one instance: the row of `find_instance` as it would be, and how many tasks change."""

    instance: Any
    tasks: int


class BulkStep(NamedTuple):
    """What a step came to. `is_last`: nothing is left to be done.

    `before`, `after`: what is kept of where the command continues, at the beginning of the step and at its end.
    """

    result: Mapping[str, Json]
    topics: tuple[str, ...]
    is_last: bool
    before: str | None = None
    after: str = ""


class WorkflowVerb(NamedTuple):
    """What an action does to a workflow. `action`: to its instances in `states`; `begin`: to itself, before all that.

    What `begin` answers stands in the result. `refusal`: the answer where there is no such instance; None: it is DONE.
    """

    action: str
    states: frozenset[InstanceState]
    begin: Callable[[Tx, Command, Any], Reply] | None = None
    refusal: str | None = None


WORKFLOW_VERBS: dict[str, WorkflowVerb] = {
    "stop": WorkflowVerb("terminate", OPEN),
    "retry": WorkflowVerb(
        "retry",
        frozenset({InstanceState.FAILED}),
        refusal="workflow {workflow!r} has no failed instance to retry",
    ),
}


WORKFLOW_TASK_VERBS: dict[str, WorkflowVerb] = {}  # of commands that name a task


def is_bulk(command: Command) -> bool:
    """Whether a command is for many instances."""
    if command.selection is not None:
        return True
    if command.action not in VERBS:
        return command.action in WORKFLOW_VERBS
    is_for_one = command.instance_id is not None or command.task_id is not None
    return command.action in WORKFLOW_VERBS and command.workflow is not None and not is_for_one


def step(tx: Tx, command: Command, caches: Caches, perform: Perform) -> BulkStep:
    """Carry out the next step of a command; the first one makes sure that it is possible at all. `note` writes what came of it.

    Raises: Refused; LanesMissing.
    """
    kept = tx.one("load_bulk", id=command.id)
    bulk = _Bulk(tx, command, caches, perform, is_first=kept is None)
    topics: set[str] = set()
    progress: Progress = jsontext.parse(kept.progress) if kept is not None else bulk.begin(topics)
    is_last = bulk.walk(progress, topics)
    if is_last:
        progress.pop("total", None)
    elif kept is None and "total" not in progress:
        bulk.count(progress)
    if is_last and not progress["matched"] and bulk.refusal is not None:
        raise Refused(bulk.refusal, Refusal.NOT_FOUND)
    result = bulk.about | {name: value for name, value in progress.items() if name not in KEPT}
    if command.is_dry_run:
        result[DRY_RUN] = True
    return BulkStep(result, tuple(topics), is_last, kept and kept.progress, jsontext.dump(progress))


def note(tx: Tx, command: Command, step: BulkStep) -> bool:
    """Keep where a command continues. False if another daemon has taken this step meanwhile, which only a dry run lets it."""
    kept = tx.one("load_bulk", id=command.id)
    if (kept and kept.progress) != step.before:
        return False
    if kept is None:
        tx.run("mark_batch", id=command.id)
    if not step.is_last:
        tx.run("save_bulk", id=command.id, progress=step.after)
    elif kept is not None:
        tx.run("delete_bulk", id=command.id)
    return True


def stop(tx: Tx, number: int) -> dict[str, Json] | None:
    """Let a command not continue; the caller answers it. Returns how far it has come; None if it has not begun."""
    kept = tx.one("load_bulk", id=number)
    if kept is None:
        return None
    tx.run("delete_bulk", id=number)
    return {name: value for name, value in jsontext.parse(kept.progress).items() if name not in KEPT}


def _scope_of(command: Command) -> WorkflowVerb:
    """What an action does to a workflow, or to one task of it."""
    if command.names_task and command.action in WORKFLOW_TASK_VERBS:
        return WORKFLOW_TASK_VERBS[command.action]
    return WORKFLOW_VERBS[command.action]


class _Bulk:
    """A step of a command for many instances."""

    def __init__(self, tx: Tx, command: Command, caches: Caches, perform: Perform, *, is_first: bool) -> None:
        self.tx, self.command, self.caches, self.perform = tx, command, caches, perform
        self.scope: WorkflowVerb | None = None
        self.workflow: Any = None
        self.about: dict[str, Json] = {}
        if command.selection is not None:
            self.action, self.selection = command.action, command.selection
            self.refusal: str | None = f"no instance matches {self.selection}; `qflowd ps` lists those there are"
        else:
            self.scope = _scope_of(command)
            begins = is_first and self.scope.begin is not None and not command.is_dry_run
            self.workflow = one_workflow(tx, command, to_change=begins)
            self.action, self.selection = self.scope.action, Selection(states=self.scope.states)
            self.refusal = self.scope.refusal and self.scope.refusal.format(workflow=command.workflow)
            self.about = {"workflow": command.workflow}
        verb = find_verb(command._replace(action=self.action))
        if verb is None or not verb.batch:
            raise Refused(f"{self.action} does not take a filter; there are {for_many()}", Refusal.FAULTY)
        verb.check(command._replace(action=self.action))
        self.verb: Verb = verb
        self.is_of_failures = verb.is_of_failures or self.selection.is_of_failures
        if verb.needs_task and not (command.names_task or self.is_of_failures):
            raise Refused(
                f"{self.action} is for single tasks: name one, or have the filter choose failures by task or error_class",
                Refusal.FAULTY,
            )
        if self.is_of_failures:
            self.refusal = (
                f"no failure that nobody has handled matches {self.selection}; `qflowd failures` lists those there are"
            )

    def begin(self, topics: set[str]) -> Progress:
        """Do to the workflow itself what is asked, before the first step."""
        last = self.tx.one("largest_instance").id or 0
        progress: Progress = {"after": 0, "last": last, "matched": 0, "done": 0, "refused": 0, "refusals": {}}
        if self.command.is_dry_run:
            progress |= {"instances": [], "begun": {}, "tasks": 0, "digest": ""}
        if self.command.expect is not None:
            progress["total"] = self._check_set(self.command.expect, last)
        if self.scope is not None and (begin := self.scope.begin) is not None:
            reply = self.perform(lambda tx: begin(tx, self.command, self.workflow))
            topics.update(reply.topics)
            progress |= cast("Progress", reply.result)
        return progress

    def walk(self, progress: Progress, topics: set[str]) -> bool:
        """Look at the next instances and do what is asked to those that match. Returns whether that was the last."""
        rows = self._look(progress["after"], progress["last"])
        left = REHEARSED if self.command.is_dry_run else self.verb.batch
        for row in rows:
            progress["after"] = row.id
            if (failures := self._matched(row)) is None:
                continue
            progress["matched"] += 1
            if "digest" in progress:
                progress["digest"] = digest_with(progress["digest"], row.id, failures)
            self._do(row, failures, progress, topics)
            left -= 1
            if not left:
                return False
        return len(rows) < LOOKS

    def count(self, progress: Progress) -> None:
        """After the first step, count how many match in all; not where there are too many to look at."""
        after, left = progress["after"], 0
        for _ in range(1 if self.is_of_failures else COUNTED):
            rows = self._look(after, progress["last"])
            left += sum(self._matched(row) is not None for row in rows)
            if len(rows) < LOOKS:
                progress["total"] = progress["matched"] + left
                return
            after = rows[-1].id

    def _look(self, after: int, last: int) -> list[Any]:
        """The next instances that may match, in the order of their ids."""
        where: dict[str, Any] = {"tenant": self.command.tenant}
        since = self.selection.since_at(self.tx.now) or LONG_AGO
        if self.selection.ids is not None:
            rows = [(number,) for number in sorted(self.selection.ids) if after < number <= last]
            if self.is_of_failures:  # then `since` is about these
                since = LONG_AGO
            return self.tx.run("list_named_candidates", rows=rows, **where, since=since) if rows else []
        where |= {"after": after, "last": last, "since": since, "batch": LOOKS}
        states = self.selection.states
        is_open = states is not None and states <= OPEN
        candidates = "list_open_candidates" if is_open else "list_candidates"
        return self.tx.run("list_failed_candidates" if self.is_of_failures else candidates, **where)

    def _matched(self, row: Any) -> tuple[int, ...] | None:
        """The failures of an instance that are meant, if it is for failures; None if the instance is not."""
        if not self._has(row):
            return None
        if not self.is_of_failures:
            return ()
        return tuple(failure.id for failure in failures_of(self.tx, row.id, self.selection)) or None

    def _check_set(self, expect: Mapping[str, Any], last: int) -> int:
        """Is the set that of the dry run? How many it has.

        Raises: Refused if it is not.
        """
        fields = Fields(Document({}), ("args", "expect"), expect, [])
        wanted = fields.need("instances", whole(0, LARGEST_INSTANCE), 0), fields.need("digest", text, "")
        fields.close()
        refuse_faults(fields)
        after, count, digest = 0, 0, ""
        while rows := self._look(after, last):
            for row in rows:
                if (failures := self._matched(row)) is not None:
                    count, digest = count + 1, digest_with(digest, row.id, failures)
            after = rows[-1].id
        if (count, digest) != wanted:
            now = f"{count:,} instances match, {wanted[0]:,} did then" if count != wanted[0] else "others match now"
            raise Refused(f"the set has changed since the dry run ({now}); make another dry run", Refusal.OTHER_SET)
        return count

    def _has(self, row: Any) -> bool:
        if self.workflow is not None and row.definition_id != self.workflow.id:
            return False
        is_whole = self.scope is not None and not self.command.names_task
        if is_whole and self.action == "resume" and not row.pause_scope:
            return False  # a person paused this very instance
        return self.selection.has(row)

    def _carry_out(self, tx: Tx, one: Command) -> tuple[Reply, "Rehearsed | None"]:
        """What came of it, and of a dry run what it would come to."""
        target = self.verb.needs(tx, one)
        open_tasks = tx.one("count_open_tasks", **key_range(target.id)).open_tasks if one.is_dry_run else 0
        reply = self.verb.carry_out(tx, one, target, self.caches)
        if not one.is_dry_run:
            return reply, None
        counts = (reply.result.get(name) for name in ("restarted", "failures", "compensations"))
        tasks = next((count for count in counts if isinstance(count, int)), open_tasks)
        return reply, Rehearsed(tx.one("find_instance", id=one.instance_id, tenant=one.tenant), tasks)

    def _do(self, row: Any, failures: tuple[int, ...], progress: Progress, topics: set[str]) -> None:
        one = self.command._replace(
            action=self.action,
            instance_id=row.id,
            workflow=None,
            selection=None,
            is_by_workflow=self.scope is not None,
            task_ids=failures,
            begun=progress.get("begun", {}),
        )
        try:
            reply, now = self.perform(lambda tx: self._carry_out(tx, one))
        except (NotPossible, Refused) as error:
            progress["refused"] += 1
            if len(progress["refusals"]) < (LISTED if one.is_dry_run else REFUSALS):
                why = self.verb.refusal(error) if isinstance(error, NotPossible) else str(error)
                progress["refusals"][str(row.id)] = why
            return
        if "already" in reply.result:
            progress["unchanged"] = progress.get("unchanged", 0) + 1
            return
        progress["done"] += 1
        topics.update(reply.topics)
        if now is not None:
            note_begun(progress["begun"], row, now.instance)
            progress["tasks"] += now.tasks
        if now is not None and len(progress["instances"]) < LISTED:
            about = {"id": row.id, "workflow": row.workflow, "state": InstanceState(row.state).name}
            result = {name: value for name, value in reply.result.items() if name != "instance_id"}
            progress["instances"].append(about | {"result": result})
