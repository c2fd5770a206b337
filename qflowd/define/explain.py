"""Where each setting and param of a task comes from: node, workflow defaults, definition, type, job, the workflow's domain."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from qflowd.define.settings import SETTINGS
from qflowd.define.task_definitions import Definitions, layers
from qflowd.define.writing import dump_settings
from qflowd.model.workflow import BUILT_IN, Job, Json

_BUILT_IN: Final = dump_settings(BUILT_IN)


class Explained(NamedTuple):
    """One setting or param (`params.symbol`) of a task: its value, which level gives it, and the values of levels that it wins over.

    `file`: of the definition or type that gives it, if it is stored from one.
    """

    task: str
    key: str
    value: Json
    source: str
    over: Mapping[str, Json]  # source -> value, the nearest first
    file: str | None = None


def explain(
    data: Mapping[str, Any], definitions: Definitions, jobs: Mapping[str, Job], domains: Mapping[str, str | None]
) -> Iterator[Explained]:
    """What is set for each task of a workflow's document; values that are built in are left out.

    `domains`: the pools of domains; None where one has none.
    """
    defaults, domain = data.get("defaults") or {}, data.get("domain", "")
    for task, node in data["tasks"].items():
        definition, type_ = layers(node, definitions)
        files = {f"{part.kind} {part.name}": part.file for part in (definition, type_) if part}
        name = next((part["job"] for part in (node, *(d.body for d in (definition, type_) if d)) if "job" in part), "")
        job = jobs.get(name)
        levels: list[tuple[str, Mapping[str, Json]]] = [("node", node), ("workflow defaults", defaults)]
        if definition:
            levels.append((f"definition {definition.name}", definition.body))
        if type_:
            levels.append((f"type {type_.name}", type_.body))
        levels.append((f"job {name}", dump_settings(job.settings) if job else {}))
        levels.append((f"domain {domain}", {"pool": domains.get(domain)}))
        levels.append(("built-in", _BUILT_IN))
        for key in ("priority",) if node.get("workflow") else SETTINGS:
            values = {source: level[key] for source, level in levels if level.get(key) is not None}
            if values and next(iter(values)) != "built-in":
                yield _explained(task, key, values, files)
        params = [("node", node.get("params") or {})]
        if definition:
            params.append((f"definition {definition.name}", definition.params))
        if type_:
            schemas = {param: schema["default"] for param, schema in type_.params.items() if "default" in schema}
            params.append((f"type {type_.name}", schemas))
        for param in dict.fromkeys(param for _, values in reversed(params) for param in values):
            given = {source: values[param] for source, values in params if param in values}
            yield _explained(task, f"params.{param}", given, files)


def _explained(task: str, key: str, values: Mapping[str, Json], files: Mapping[str, str | None]) -> Explained:
    (source, value), *others = values.items()
    return Explained(task, key, value, source, dict(others), files.get(source))
