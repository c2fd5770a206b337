"""Chaos: random graphs, daemons killed, frozen, stopped and started at random; then all must be as a model says.

QFLOWD_CHAOS_SEED replays a run, QFLOWD_CHAOS_S sets how long the chaos lasts.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.faults.conftest import House, family, side_by_side
from tests.faults.graphs import MORE_JOBS, Ends, Graph, as_file, expected_ends, expected_spawned, random_graph
from tests.support.daemon import Daemon

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SEED = int(os.environ.get("QFLOWD_CHAOS_SEED") or random.randrange(10**6))
CHAOS_S = float(os.environ.get("QFLOWD_CHAOS_S") or 12)
WORKFLOWS, INSTANCES = 6, 36
REPEATING = "SELECT count(*) FROM qflow.tasks WHERE job IN ('flaky', 'piece')"  # they may fail once


def test_whatever_happens_to_daemons_all_work_ends_as_the_model_says(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(_chaos, houses)


def _chaos(house: House) -> None:
    chance = random.Random(SEED)
    graphs: dict[str, Graph] = {}
    for number in range(WORKFLOWS):
        graphs[f"w{number}"] = random_graph(chance, sorted(graphs))
    house.more = MORE_JOBS
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
    assert house.ledger.extra_starts() <= kills * 20 + house.one(REPEATING)


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


class Rows(NamedTuple):
    """The rows of an instance: (id, state) by task, and those of its items and of what it spawned in their order."""

    tasks: dict[str, tuple[int, str]]
    items: dict[str, list[tuple[int, str]]]
    spawned: dict[str, list[tuple[int, str]]]

    def states(self) -> Ends:
        items = {task: [state for _, state in rows] for task, rows in self.items.items()}
        return Ends({task: state for task, (_, state) in self.tasks.items()}, items)

    def noting(self, task: str, *, is_map: bool) -> list[tuple[int, str]]:
        """The rows of a task whose jobs make notes."""
        own = self.items.get(task, []) if is_map else [self.tasks[task]]
        return own + self.spawned.get(task, [])


def _rows(house: House) -> tuple[dict[int, Rows], set[int]]:
    """Rows by instance, and the instances with a task that was killed three times."""
    every: dict[int, Rows] = {}
    unlucky: set[int] = set()
    for number, instance, task, state, reason, kind, index in house.sql(
        "SELECT id, instance_id, task, state, reason, kind, map_index FROM qflow.tasks ORDER BY id"
    ):
        if reason in ("poison", "lost"):
            unlucky.add(instance)  # killed three times in its course; the invariants hold for it as well
        rows = every.setdefault(instance, Rows({}, {}, {}))
        if index is None:
            rows.tasks[task] = number, state
        else:
            parts = rows.spawned if kind == "spawned" else rows.items
            parts.setdefault(task, []).append((number, state))
    return every, unlucky


def _compare(house: House, graphs: dict[str, Graph], kinds: dict[int, str]) -> None:
    wrong: list[str] = []
    edges: list[tuple[int, int]] = []
    windows: list[tuple[int, list[int]]] = []
    every, unlucky = _rows(house)
    started: dict[int, dict[str, str]] = {}
    children = "SELECT i.id, i.workflow, i.state, t.instance_id, t.task FROM qflow.instances i JOIN qflow.tasks t ON t.id = i.parent_task_id"
    for child, key, state, parent, task in house.sql(children):
        assert task not in started.setdefault(parent, {}), f"task {task} of instance {parent} started two instances"
        started[parent][task] = state
        kinds = kinds | {child: key}
    for instance, key in kinds.items():
        rows, graph = every.get(instance, Rows({}, {}, {})), graphs[key]
        windows += _windows(graph, rows)
        if instance in unlucky:
            continue
        expected = expected_ends(graph, started.get(instance, {}))
        if rows.states() != expected.made():
            wrong.append(f"instance {instance} of {key}: {rows}, expected {expected}")
            continue
        for task, spec in graph.items():
            states = [state for _, state in rows.spawned.get(task, [])]
            if states != (due := expected_spawned(spec, expected.tasks[task])):
                wrong.append(f"instance {instance} of {key}: {task} spawned {states}, expected {due}")
        edges += _edges(graph, rows)
    wrong += house.ledger.disorder(edges)
    for (most, tasks), count in zip(windows, house.ledger.most_at_once([tasks for _, tasks in windows]), strict=True):
        if count > most:
            wrong.append(f"{count} items of a map ran at once, at most {most} may: {tasks}")
    assert not wrong, f"seed {SEED}:\n" + "\n".join(wrong[:10])


def _windows(graph: Graph, rows: Rows) -> Iterator[tuple[int, list[int]]]:
    """How many of which tasks may run at once."""
    for task, items in rows.items.items():
        if graph[task]["parallel"]:
            yield graph[task]["parallel"], [number for number, _ in items]


def _edges(graph: Graph, rows: Rows) -> Iterator[tuple[int, int]]:
    """Rows that succeeded, each with a row that may begin only after it."""
    for task, spec in graph.items():
        for number, state in rows.spawned.get(task, []):
            if state == "SUCCESS":
                yield rows.tasks[task][0], number
        for parent in spec["after"]:
            if spec["rule"] == "any_success" or spec["starts"] or graph[parent]["starts"]:
                continue  # it may begin earlier, or has no notes of its own
            above, below = (rows.noting(key, is_map=graph[key]["items"] is not None) for key in (parent, task))
            if parent in spec["each"]:
                pairs = list(zip(above, below, strict=False))
            else:
                pairs = [(before, after) for before in above for after in below]
            yield from ((before[0], after[0]) for before, after in pairs if before[1] == "SUCCESS")
