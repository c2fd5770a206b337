"""Random graphs for the chaos: as workflow files, and what their tasks come to by a plain model."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.rules import BAD, RULES, unrun_state

STARTS = 0.08  # share of the tasks that start another workflow
SPAWNS = 0.15  # share of the others that spawn tasks, one after the other
MAPS = 0.3  # share of the rest that are maps, most of them item by item behind another one
JOBS = ["step"] * 8 + ["flaky"] * 2 + ["broken"]
Graph = dict[str, dict[str, Any]]
MORE_JOBS = """

from qflowd import Fail


@job
def spawning(seconds: float, jobs: list):
    note("start")
    spend(seconds)
    before = []
    for i, name in enumerate(jobs):
        before = [context().spawn(name, {"seconds": seconds}, after=before, name=f"s{i}")]
    note("end")


@job(retries=1, retry_delay="0s")
def piece(seconds: float, index: int, broken: list):
    note("start")
    spend(seconds)
    if index in broken:
        raise Fail("this one always fails")
    if index % 3 == 1 and context().attempt == 1:
        raise RuntimeError("the first attempt fails")
    note("end")
"""


class Ends(NamedTuple):
    """What a graph comes to: tasks, and the items of those that have made some."""

    tasks: dict[str, str]
    items: dict[str, list[str]]

    def made(self) -> Ends:
        """The same without maps of empty lists, which have made no items."""
        return Ends(self.tasks, {task: states for task, states in self.items.items() if states})


def random_graph(chance: random.Random, others: Sequence[str]) -> Graph:
    """Task key -> job, seconds, after, rule, when, may_fail; `starts`: one of `others` in place of the job, or None; `spawns`: jobs.

    `items`: how many a map has, or None; see `_random_map`.
    """
    graph: Graph = {}
    for number in range(chance.randint(5, 12)):
        parents = chance.sample(sorted(graph), min(len(graph), chance.choice([0, 1, 1, 2, 3])))
        seconds = chance.choice([0, 0, 0.01, 0.05, 0.3])
        starts = chance.choice(others) if others and chance.random() < STARTS else None
        spawns = not starts and chance.random() < SPAWNS
        has_items = not starts and not spawns and chance.random() < MAPS
        of_map = _random_map(chance, graph, parents) if has_items else {"items": None, "each": []}
        parents = sorted({*parents, *of_map["each"]})
        rules = [rule for rule in RULES if rule != "any_success" or not has_items]
        rule = chance.choice(["all_success", *rules]) if parents else "all_success"
        spec = {"job": chance.choice(JOBS), "seconds": seconds, "after": parents, "rule": rule, "starts": starts}
        spec["spawns"] = chance.choices(["step", "step", "flaky", "broken"], k=chance.randint(1, 3)) if spawns else []
        graph[f"t{number}"] = spec | of_map | {"when": chance.random() < 0.9, "may_fail": chance.random() < 0.3}
    return graph


def _random_map(chance: random.Random, graph: Graph, parents: Sequence[str]) -> dict[str, Any]:
    """`each`: maps of the same list that it waits for item by item; `parallel`: of its window; `broken`: indexes that fail."""
    above = [task for task, spec in graph.items() if spec["items"] is not None]
    each = [chance.choice(above)] if above and chance.random() < 0.7 else []
    items = graph[each[0]]["items"] if each else chance.choice([0, 1, 3, 5, 8])
    each += [task for task in parents if each and task not in each and graph[task]["items"] == items]
    broken = [index for index in range(items) if chance.random() < 0.1]
    about = {"parallel": chance.choice([None, 1, 2, 3]), "tolerate": chance.choice([None, 20, 50])}
    return {"items": items, "each": each, "broken": broken, "label": chance.random() < 0.5, **about}


def as_file(key: str, graph: Graph) -> str:
    lines = [f"workflow: {key}", "tasks:"]
    for task, spec in graph.items():
        edges = [f"{parent}: {'each' if parent in spec['each'] else 'true'}" for parent in spec["after"]]
        after = f", after: {{{', '.join(edges)}}}, trigger_rule: {spec['rule']}" if edges else ""
        when = "" if spec["when"] else ", when: instance.id < 0"
        after += ", on_failure: continue" if spec["may_fail"] else ""
        what = f"job: {spec['job']}, params: {{seconds: {spec['seconds']}}}"
        if spec["spawns"]:
            what = f"job: spawning, params: {{seconds: {spec['seconds']}, jobs: [{', '.join(spec['spawns'])}]}}"
        if spec["items"] is not None:
            what = _map(spec)
        what = f"workflow: {spec['starts']}" if spec["starts"] else what
        lines.append(f"  {task}: {{{what}{after}{when}}}")
    return "\n".join(lines) + "\n"


def _map(spec: Mapping[str, Any]) -> str:
    text = f'job: piece, params: {{seconds: {spec["seconds"] / 3}, index: "{{{{ index }}}}", broken: {spec["broken"]}}}'
    text += "" if spec["each"] else f", map: {list(range(spec['items']))}"
    text += f", max_parallel: {spec['parallel']}" if spec["parallel"] else ""
    text += f", tolerate: {{fail_pct: {spec['tolerate']}}}" if spec["tolerate"] else ""
    return text + (', label: "i{{ item }}"' if spec["label"] else "")


def expected_ends(graph: Graph, started: Mapping[str, str]) -> Ends:
    """The plain model: what a task comes to depends on its job, its rule and its parents alone.

    `started`: of tasks that started an instance, what that came to.
    """
    ends = Ends({}, {})
    for task, spec in graph.items():
        before = [_parent(graph, ends, parent, has_begun=parent in spec["each"]) for parent in spec["after"]]
        unrun = unrun_state(spec["rule"], [(state, True) for state in before]) or (None if spec["when"] else "SKIPPED")
        if unrun or spec["items"] is None:
            end = "FAILED" if "broken" in (spec["spawns"] or [spec["job"]]) else "SUCCESS"
            ends.tasks[task] = unrun or (started.get(task, "not started") if spec["starts"] else end)
            continue
        items = [_item(graph, ends, spec, index) for index in range(spec["items"])]
        bad = sum(state in BAD for state in items)
        ends.tasks[task] = "FAILED" if bad > spec["items"] * (spec["tolerate"] or 0) // 100 else "SUCCESS"
        ends.items[task] = items
    return ends


def _parent(graph: Graph, ends: Ends, task: str, *, has_begun: bool = False, index: int | None = None) -> str:
    """What a task is to one that waits for it. `has_begun`: as soon as it has items; `index`: of its item, if it has any."""
    items = ends.items.get(task)
    if has_begun and items:
        return "SUCCESS"
    state = items[index] if items and index is not None else ends.tasks[task]
    return "TOLERATED" if state == "FAILED" and graph[task]["may_fail"] else state


def _item(graph: Graph, ends: Ends, spec: Mapping[str, Any], index: int) -> str:
    before = [(_parent(graph, ends, task, index=index), True) for task in spec["each"]]
    return unrun_state(spec["rule"], before) or ("FAILED" if index in spec["broken"] else "SUCCESS")


def expected_spawned(spec: Mapping[str, Any], end: str) -> list[str]:
    """What the tasks come to that a task spawns, in their order."""
    if end not in ("SUCCESS", "FAILED"):
        return []
    first_bad = spec["spawns"].index("broken") if "broken" in spec["spawns"] else len(spec["spawns"])
    states = ["SUCCESS"] * first_bad + ["FAILED"] + ["UPSTREAM_FAILED"] * len(spec["spawns"])
    return states[: len(spec["spawns"])]
