"""Random work, commands, services and deaths on two daemons of one store: the invariants hold after every act.

Nothing is expected of single tasks, as in test_invariants.py; but whatever is done, all work ends.
QFLOWD_FUZZ_SEED replays a run, QFLOWD_FUZZ_S sets for how many seconds one seed follows another.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.limits.slots import Freed
from qflowd.engine.membership.identity import Identity
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.recovery import Recovery
from qflowd.model.states import InstanceState, Intent, Reason, TaskKind
from qflowd.model.workflow import Job
from tests.conftest import KINDS
from tests.engine.conftest import OpenLab
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab
from tests.support.limits import claims, set_limits
from tests.support.spawning import checked, request_of

SEED = int(os.environ.get("QFLOWD_FUZZ_SEED") or 1)
FUZZ_S = float(os.environ.get("QFLOWD_FUZZ_S") or 0)
ACTS_IN_ALL = {"sqlite": 200, "postgres": 80, "mariadb": 80}
MOST_ACTS = 60  # of one seed

JOB = {"job": "work"}
SPANNING = {"job": "work", "map": [*range(5)]}
AT_ALL_COSTS = {"trigger_rule": "always", "run_on": "terminate"}
WORKFLOWS: Mapping[str, Mapping[str, Any]] = {
    "maps": {
        "tasks": {
            "a": JOB | {"limits": {"vendor": 1}},
            "m": SPANNING
            | {"after": "a", "tolerate": {"min_ok": 2}, "max_parallel": 2, "limits": {"bank:{{ item }}": 1}},
            "e": SPANNING | {"after": {"m": "each"}, "tolerate": {"fail_pct": 40}},
            "any": JOB | {"after": ["a", "m"], "trigger_rule": "any_success"},
            "z": JOB | {"after": ["e", "any"], "trigger_rule": "all_done"},
            "fin": JOB | {"after": "z", **AT_ALL_COSTS},
        }
    },
    "child": {"saga": True, "tasks": {"c": JOB, "d": JOB | {"after": "c"}, "t": JOB | {"after": "d", **AT_ALL_COSTS}}},
    "parent": {
        "saga": True,
        "tasks": {
            "a": JOB,
            "us": {"workflow": "child", "after": "a", "map": [1, 2, 3], "max_parallel": 2, "tolerate": {"min_ok": 1}},
            "one": {"workflow": "child", "after": "a"},
            "r": JOB | {"after": ["us", "one"]},
        },
    },
    "spawns": {
        "saga": True,
        "tasks": {
            "s": JOB | {"limits": {"vendor": 1, "disk": 1}},
            "b": JOB | {"after": "s", "on_failure": "continue"},
            "m": JOB | {"after": "s", "map": [1, 2, 3]},
            "q": JOB | {"after": ["b", "m"], "trigger_rule": "none_failed"},
        },
    },
    "seq": {"concurrency": "sequential", "tasks": {"a": JOB, "b": JOB | {"after": "a"}}},
    "last": {
        "concurrency": "singleton(replace)",
        "tasks": {"a": JOB | {"limits": {"disk": 1}}, "b": JOB | {"after": "a"}},
    },
}
SERVICES = ("children", "admit", "commands", "sweep", "turns", "compensate", "promote")
ACTS = {"submit": 8, "claim": 22, "end": 22, "serve": 23, "command": 20, "wait": 3, "be_late": 3, "die": 2}
ENDS = {"SUCCESS": 6, "FAILED": 3, "SKIPPED": 1, "spawn": 1, "rearm": 1, "release": 1}
STATES = {"SUCCESS": SUCCESS, "FAILED": FAILED, "SKIPPED": SKIPPED, "CANCELLED": CANCELLED}
OF_INSTANCES = ("retry", "pause", "resume", "terminate", "compensate")
OF_TASKS = ("skip", "skip", "retry", "rerun", "trigger", "pause", "resume")
BETWEEN = 0.05  # how often the other daemon does something just before a transaction of this one
OPEN = "SELECT id, workflow, state FROM qflow.instances WHERE finished_at IS NULL ORDER BY id"


class Held(NamedTuple):
    """A row that a daemon has claimed and not ended, so far as it knows."""

    lab: Lab
    row: Claimed
    key: str
    limits: str


class Play:
    """What a seed comes to, act by act. What was done is in `log`."""

    def __init__(self, url: str, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.labs = [Lab(url, owner=owner) for owner in (7, 8)]
        self.held: dict[tuple[int, int], Held] = {}  # by daemon and row: a claim takes the place of an older one
        self.late: list[Held] = []  # held by a daemon that has been taken for dead
        self.log: list[tuple[Any, ...]] = []
        self.may_meet = False
        for lab in self.labs:
            lab.jobs.own["undo"] = Job(name="undo", module="", file="work.py", hash="h")
            lab.jobs.own["work"] = Job(name="work", module="", file="work.py", hash="h", compensation="undo")
            self._let_others_between(lab)
        self.identity = Identity(self.labs[0].store, None, folder, 30.0)
        for key, workflow in WORKFLOWS.items():
            self.labs[0].define(key, **workflow)
        set_limits(self.labs[0], vendor=2, disk=1)

    def _let_others_between(self, lab: Lab) -> None:
        transact = lab.store.transact

        def late(work: Any, **about: Any) -> Any:
            if self.may_meet and self.chance.random() < BETWEEN:
                self.may_meet = False
                self.act(self._other(lab))
                self.may_meet = True
            return transact(work, **about)

        lab.store.transact = late  # type: ignore[method-assign]

    def _other(self, lab: Lab) -> Lab:
        return self.labs[lab is self.labs[0]]

    def _note(self, lab: Lab, *what: object) -> None:
        self.log.append((lab.owner, *what))

    def play(self, acts: int) -> None:
        for _ in range(acts):
            self.may_meet = True
            self.act(self.chance.choice(self.labs))
            self.may_meet = False
            self.check()

    def act(self, lab: Lab) -> None:
        [what] = self.chance.choices([*ACTS], [*ACTS.values()])
        getattr(self, f"_{what}")(lab)

    def check(self, *, drained: bool = False) -> None:
        lab = self.labs[0]
        lab.check(drained=drained)
        assert lab.store.read(lambda tx: tx.run("list_miscounted")) == []
        assert lab.sql("SELECT action, error FROM qflow.commands WHERE error LIKE 'could not be carried out%'") == []

    # -- acts

    def _submit(self, lab: Lab) -> None:
        workflow = self.chance.choice([*WORKFLOWS, "maps"])
        self._note(lab, "submit", workflow, lab.submit(workflow))
        if self.chance.random() < 0.8:
            lab.admit.tick()

    def _claim(self, lab: Lab, room: int = 0) -> None:
        for claim in claims(lab, room or self.chance.choice([1, 2, 100])):
            rows = [Held(lab, row, lab.key(row.id), claim.lane.key.limits) for row in lab.begin(claim.rows)]
            self._note(lab, "claim", [held.key for held in rows])
            unrun = [(held, final) for held in rows if (final := lab.end_of(held.row, {})).reason == Reason.MANUAL]
            lab.finish(batch=Batch(final=[final for _, final in unrun], slots=_slots([held for held, _ in unrun])))
            gone = [held for held, _ in unrun]
            self.held |= {(lab.owner, held.row.id): held for held in rows if held not in gone}

    def _end(self, lab: Lab) -> None:
        mine = sorted(place for place, held in self.held.items() if held.lab is lab)
        if mine:
            chosen = self.chance.sample(mine, self.chance.randint(1, len(mine)))
            self._finish(lab, [self.held.pop(place) for place in sorted(chosen)])

    def _be_late(self, lab: Lab) -> None:
        """A daemon that was taken for dead writes what has become of its tasks."""
        late, self.late = [held for held in self.late if held.lab is lab], []
        if late:
            self._finish(lab, late)

    def _finish(self, lab: Lab, ended: Sequence[Held], ends: Mapping[str, int] = ENDS) -> None:
        batch = Batch(slots=_slots(ended))
        for held in ended:
            how = self._how(held, ends)
            self._note(lab, how, held.key, held.row.kind)
            if how == "rearm":
                batch.rearmed.append(lab.rearmed(held.row, self.chance.choice([1, 100])))
            elif how == "release":
                batch.released.append(lab.released(held.row))
            else:
                batch.final.append(lab.final(held.row, STATES.get(how, SUCCESS)))
            if how == "spawn":
                batch.spawn_requests.append(
                    request_of(held.row, self.chance.choice([{"x": []}, {"x": [], "y": ["x"]}]))
                )
            if how == "FAILED":
                batch.attempts.append(lab.failed_attempt(held.row, "boom"))
        lab.finish(batch=checked(lab, batch))

    def _how(self, held: Held, ends: Mapping[str, int]) -> str:
        intent = held.lab.column("workflow_instance", "intent", held.row.id >> 20)
        if ends is ENDS and intent in (Intent.TERMINATE, Intent.ABORT) and self.chance.random() < 0.7:
            return "CANCELLED"
        [how] = self.chance.choices([*ends], [*ends.values()])
        return "SUCCESS" if how == "spawn" and held.row.kind == TaskKind.COMPENSATION else how

    def _serve(self, lab: Lab) -> None:
        service = self.chance.choice(SERVICES)
        self._note(lab, service)
        getattr(lab, service).tick()

    def _wait(self, _: Lab, seconds: float = 0) -> None:
        seconds = seconds or self.chance.choice([2, 200])
        for lab in self.labs:
            lab.clock.advance(seconds)

    def _die(self, lab: Lab) -> None:
        """The other daemon takes this one for dead, which it may not be."""
        self._note(lab, "dies")
        self._wait(lab, 1)
        other = self._other(lab)
        recover = Recovery(other.store, other.instances, self.identity, other.topics, Lease(30.0, lambda _: None))
        lost = [place for place, held in self.held.items() if held.lab is lab]
        self.late += [self.held.pop(place) for place in lost]
        recover.take_back(lab.owner, "it plays dead")

    def _command(self, lab: Lab) -> None:
        instances = lab.sql("SELECT id FROM qflow.workflow_instance ORDER BY id")
        if not instances:
            return
        [number] = self.chance.choice(instances)
        first = number << 20
        rows = lab.sql(
            f"SELECT id FROM qflow.task_instance WHERE id BETWEEN {first} AND {first + (1 << 20) - 1} "
            f"AND kind <> {int(TaskKind.COMPENSATION)} ORDER BY id"
        )
        about: dict[str, Any] = {}
        action = self.chance.choice([*OF_INSTANCES, *(OF_TASKS if rows else ())])
        if rows and action in OF_TASKS and (action not in OF_INSTANCES or self.chance.random() < 0.5):
            [task] = self.chance.choice(rows)
            of_node = action in ("trigger", "pause", "resume")
            about = {"task": lab.key(task).split("[")[0]} if of_node else {"task_id": task}
        self._note(lab, action, number, about)
        lab.ask(action, number, reason="a whim", **about)
        if self.chance.random() < 0.8:
            lab.commands.tick()

    # -- the end

    def drain(self) -> None:
        """From now on all goes well: everything ends."""
        lab = self.labs[0]
        paused = "SELECT instance_id, task FROM qflow.paused_task WHERE is_paused = 1 ORDER BY instance_id, task"
        for _ in range(100):
            for (number,) in lab.sql(
                f"SELECT id FROM qflow.workflow_instance WHERE state = {int(InstanceState.PAUSED)} ORDER BY id"
            ):
                lab.command("resume", number)
            for number, task in lab.sql(paused):
                lab.command("resume", number, task=task)
            for each in self.labs:
                for service in SERVICES:
                    getattr(each, service).tick()
                self._claim(each, 1000)
                mine = sorted(place for place, held in self.held.items() if held.lab is each)
                self._finish(each, [self.held.pop(place) for place in mine], {"SUCCESS": 1})
            self._wait(lab, 200)
            if not lab.sql(OPEN) and not lab.sql("SELECT id FROM qflow.submissions WHERE answered_at IS NULL"):
                return
        raise AssertionError(f"it never ends: {lab.sql(OPEN)}")

    def close(self) -> None:
        for lab in self.labs:
            lab.close()


def _slots(ended: Sequence[Held]) -> list[Freed]:
    return [Freed(held.row.id, held.limits) for held in ended if held.limits]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_done_in_whatever_order_the_invariants_hold_and_all_work_ends(
    kind: str, open_lab: OpenLab, tmp_path: Path
) -> None:
    lab, seed, acts = open_lab(kind), SEED, 0
    until = time.monotonic() + FUZZ_S
    while acts < ACTS_IN_ALL[kind] or time.monotonic() < until:
        print("QFLOWD_FUZZ_SEED", seed)
        lab.wipe()
        with closing(Play(lab.url, seed, tmp_path)) as play:
            many = play.chance.randint(15, MOST_ACTS)
            try:
                play.play(many)
                play.drain()
                play.check(drained=True)
            except BaseException:
                print(*play.log[-30:], sep="\n")
                raise
        seed, acts = seed + 1, acts + many
