"""Chaos: random graphs, daemons killed, frozen, stopped and started at random; then all must be as a model says.

QFLOWD_CHAOS_SEED replays a run, QFLOWD_CHAOS_S sets how long the chaos lasts.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.faults.conftest import House, family, side_by_side
from tests.support.daemon import Daemon
from tests.support.rules import RULES, unrun_state

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SEED = int(os.environ.get("QFLOWD_CHAOS_SEED") or random.randrange(10**6))
CHAOS_S = float(os.environ.get("QFLOWD_CHAOS_S") or 12)
WORKFLOWS, INSTANCES = 6, 36
STARTS = 0.08  # share of the tasks that start another workflow
SPAWNS = 0.15  # share of the others that spawn tasks, one after the other
JOBS = ["step"] * 8 + ["flaky"] * 2 + ["broken"]
Graph = dict[str, dict[str, Any]]
SPAWNING = """

@job
def spawning(seconds: float, jobs: list):
    note("start")
    spend(seconds)
    before = []
    for i, name in enumerate(jobs):
        before = [context().spawn(name, {"seconds": seconds}, after=before, name=f"s{i}")]
    note("end")
"""


def random_graph(chance: random.Random, others: Sequence[str]) -> Graph:
    """Task key -> job, seconds, after, rule, when, may_fail; `starts`: one of `others` in place of the job, or None; `spawns`: jobs."""
    graph: Graph = {}
    for number in range(chance.randint(5, 12)):
        parents = chance.sample(sorted(graph), min(len(graph), chance.choice([0, 1, 1, 2, 3])))
        seconds = chance.choice([0, 0, 0.01, 0.05, 0.3])
        rule = chance.choice(["all_success", *RULES]) if parents else "all_success"
        spec = {"job": chance.choice(JOBS), "seconds": seconds, "after": parents, "rule": rule}
        spec["starts"] = chance.choice(others) if others and chance.random() < STARTS else None
        spawns = not spec["starts"] and chance.random() < SPAWNS
        spec["spawns"] = chance.choices(["step", "step", "flaky", "broken"], k=chance.randint(1, 3)) if spawns else []
        graph[f"t{number}"] = spec | {"when": chance.random() < 0.9, "may_fail": chance.random() < 0.3}
    return graph


def as_file(key: str, graph: Graph) -> str:
    lines = [f"workflow: {key}", "tasks:"]
    for task, spec in graph.items():
        after = f", after: [{', '.join(spec['after'])}], trigger_rule: {spec['rule']}" if spec["after"] else ""
        when = "" if spec["when"] else ", when: instance.id < 0"
        after += ", on_failure: continue" if spec["may_fail"] else ""
        what = f"job: {spec['job']}, params: {{seconds: {spec['seconds']}}}"
        if spec["spawns"]:
            what = f"job: spawning, params: {{seconds: {spec['seconds']}, jobs: [{', '.join(spec['spawns'])}]}}"
        what = f"workflow: {spec['starts']}" if spec["starts"] else what
        lines.append(f"  {task}: {{{what}{after}{when}}}")
    return "\n".join(lines) + "\n"


def expected_states(graph: Graph, ends: Mapping[str, str]) -> dict[str, str]:
    """The plain model: what a task comes to depends on its job, its rule and its parents alone.

    `ends`: of tasks that started an instance, what that came to.
    """
    states: dict[str, str] = {}
    for task, spec in graph.items():
        before = ["TOLERATED" if states[p] == "FAILED" and graph[p]["may_fail"] else states[p] for p in spec["after"]]
        unrun = unrun_state(spec["rule"], [(state, True) for state in before])
        end = "FAILED" if "broken" in (spec["spawns"] or [spec["job"]]) else "SUCCESS"
        end = ends.get(task, "not started") if spec["starts"] else end
        states[task] = unrun or (end if spec["when"] else "SKIPPED")
    return states


def expected_spawned(spec: Mapping[str, Any], end: str) -> list[str]:
    """What the tasks come to that a task spawns, in their order."""
    if end not in ("SUCCESS", "FAILED"):
        return []
    first_bad = spec["spawns"].index("broken") if "broken" in spec["spawns"] else len(spec["spawns"])
    states = ["SUCCESS"] * first_bad + ["FAILED"] + ["UPSTREAM_FAILED"] * len(spec["spawns"])
    return states[: len(spec["spawns"])]


def test_whatever_happens_to_daemons_all_work_ends_as_the_model_says(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(_chaos, houses)


def _chaos(house: House) -> None:
    chance = random.Random(SEED)
    graphs: dict[str, Graph] = {}
    for number in range(WORKFLOWS):
        graphs[f"w{number}"] = random_graph(chance, sorted(graphs))
    house.more = SPAWNING
    house.workflows = {f"{key}.yaml": as_file(key, graph) for key, graph in graphs.items()}
    # Two daemons of one host, and one of another as far as lock files go.
    daemons = [house.daemon(name, is_neighbour=name != "c", processes=1).start() for name in "abc"]
    kinds = {}
    until = time.monotonic() + CHAOS_S
    kills = 0
    while time.monotonic() < until or len(kinds) < INSTANCES:
        if house.url.startswith("sqlite"):
            _thaw(daemons)  # one that froze in a transaction locks the file: nobody could submit
        for _ in range(2):
            if len(kinds) < INSTANCES:
                key = chance.choice(sorted(graphs))
                kinds[house.submit(key)[0]] = key
        kills += _harm(chance, chance.choice(daemons))
        time.sleep(chance.uniform(0.1, 0.7))
    _thaw(daemons)  # all before any is stopped: one that froze in a transaction holds rows that others end with
    for daemon in daemons:
        _heal(daemon)
    house.drain(60)
    for daemon in daemons:
        assert daemon.stop() == 0
    house.check()
    _compare(house, graphs, kinds)
    # I8: at most what was started and not acknowledged when something was killed or fenced ran once more.
    assert house.ledger.extra_starts() <= kills * 20 + house.one("SELECT count(*) FROM qflow.tasks WHERE job = 'flaky'")


def _harm(chance: random.Random, daemon: Daemon) -> int:
    """Something bad; returns how often running work may have been lost by it."""
    if not daemon.is_running:
        daemon.start(ready=False)
        return 0
    what = chance.choice(["kill", "freeze", "thaw", "thaw", "worker", "stop", "nothing"])
    if what == "kill":
        daemon.process.kill()  # type: ignore[union-attr]
        daemon.wait()
        return 1
    if what == "freeze":
        daemon.freeze()
        return 1
    if what == "worker" and (workers := family(daemon.pid)[1:]):
        os.kill(chance.choice(workers), signal.SIGKILL)
        return 1
    if what == "stop":
        daemon.signal(signal.SIGTERM)
    if what == "thaw":
        daemon.thaw()
    return 0


def _thaw(daemons: list[Daemon]) -> None:
    for daemon in daemons:
        if daemon.is_running:
            daemon.thaw()


def _heal(daemon: Daemon) -> None:
    if daemon.is_running:
        daemon.signal(signal.SIGTERM)  # some were told already: a second one ends them now
        daemon.wait()
    daemon.start()


def _compare(house: House, graphs: dict[str, Graph], kinds: dict[int, str]) -> None:
    wrong = []
    edges = []
    rows: dict[int, dict[str, tuple[int, str]]] = {}
    spawned: dict[int, dict[str, list[tuple[int, str]]]] = {}
    unlucky: set[int] = set()
    for number, instance, task, state, reason, kind in house.sql(
        "SELECT id, instance_id, task, state, reason, kind FROM qflow.tasks ORDER BY id"
    ):
        if reason in ("poison", "lost"):
            unlucky.add(instance)  # killed three times in its course; the invariants hold for it as well
        if kind == "spawned":
            spawned.setdefault(instance, {}).setdefault(task, []).append((number, state))
        else:
            rows.setdefault(instance, {})[task] = (number, state)
    ends: dict[int, dict[str, str]] = {}
    started = "SELECT i.id, i.workflow, i.state, t.instance_id, t.task FROM qflow.instances i JOIN qflow.tasks t ON t.id = i.parent_task_id"
    for child, key, state, parent, task in house.sql(started):
        assert task not in ends.setdefault(parent, {}), f"task {task} of instance {parent} started two instances"
        ends[parent][task] = state
        kinds = kinds | {child: key}
    for instance, key in kinds.items():
        expected = expected_states(graphs[key], ends.get(instance, {}))
        found, asked = rows.get(instance, {}), spawned.get(instance, {})
        if instance in unlucky:
            continue
        if {task: state for task, (_, state) in found.items()} != expected:
            wrong.append(f"instance {instance} of {key}: {found}, expected {expected}")
        for task, spec in graphs[key].items():
            states = [state for _, state in asked.get(task, [])]
            if states != (due := expected_spawned(spec, expected[task])):
                wrong.append(f"instance {instance} of {key}: {task} spawned {states}, expected {due}")
            edges += [(found[task][0], number) for number, state in asked.get(task, []) if state == "SUCCESS"]
        edges += [
            (found[parent][0], found[task][0])
            for task, spec in graphs[key].items()
            for parent in spec["after"]
            if expected[parent] == "SUCCESS" and spec["rule"] != "any_success"
            if not spec["starts"] and not graphs[key][parent]["starts"]  # these have no notes of their own
        ]
    wrong += house.ledger.disorder(edges)
    assert not wrong, f"seed {SEED}:\n" + "\n".join(wrong[:10])
