"""Tasks that workflows share, and the nodes that are made of them.

A task type is a job with the JSON Schemas of its params, their defaults, and settings. A task definition is a task made of a
type or of a job, ready to be named by nodes (`task: NAME`). Neither is made of a definition, so there are no cycles.
"""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from qflowd.define import documents
from qflowd.define.documents import Document, Format
from qflowd.define.fields import Fields
from qflowd.define.key_paths import KeyFault
from qflowd.define.param_faults import param_faults
from qflowd.define.readers import key_text, mapping
from qflowd.define.schema import workflow_schema
from qflowd.define.settings import SETTINGS
from qflowd.define.workflow_check import check_params
from qflowd.define.workflow_file import parse_document, parse_task
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Json, Workflow

_HEADS: Final = {"task": "definition", "task_type": "type"}
_OF_A_NODE: Final = ("after", "when", "trigger_rule")


class TaskDefinition(NamedTuple):
    """A task type or a task definition. `body`: its document without its name. `file`: that it is stored from; `note`: the last one."""

    kind: Literal["type", "definition"]
    name: str
    body: Mapping[str, Json]
    is_archived: bool = False
    file: str | None = None
    note: str | None = None

    @property
    def params(self) -> Mapping[str, Json]:
        """Of a type, schemas by name; of a definition, values by name."""
        return self.body.get("params") or {}


Definitions = Mapping[str, TaskDefinition]


def head_of(data: Mapping[str, Json]) -> str:
    """The top-level key that says what a document describes: workflow, task or task_type."""
    return "workflow" if "workflow" in data else next((head for head in _HEADS if head in data), "workflow")


def read_definition(source: str, format: Format, file: str) -> TaskDefinition:
    """The task type or definition that a document describes.

    Raises: InvalidWorkflow with every fault.
    """
    return definition_in(documents.read(source, format, file, InvalidWorkflow))


def definition_in(document: Document) -> TaskDefinition:
    """As `read_definition`."""
    top = Fields.of(document)
    head = next((head for head in _HEADS if head in document.data), None)
    if head is None or all(other in document.data for other in _HEADS):
        raise InvalidWorkflow(
            [Fault(document.file, 0, "", "must name either a task or a task_type, and only one of them")]
        )
    name = top.need(head, key_text("task type" if head == "task_type" else "task definition"), "")
    body = {key: value for key, value in document.data.items() if key != head}
    if head == "task_type":
        top.need("job", key_text("job name"), "")
        check_params(top, top.take("params", mapping, None))
    elif ("job" in body) == ("type" in body):
        top.fault("needs either a job or a type" + (", not both" if "job" in body else ""))
    elif "type" in body:
        top.take("type", key_text("task type"), "")
    for key in _OF_A_NODE:
        if key in body:
            top.fault("belongs to the nodes of workflows, not to what they share", key)
    top.faults += _faults_of_task(document, body, is_type=head == "task_type")
    if top.faults:
        raise InvalidWorkflow(top.faults)
    return TaskDefinition("type" if head == "task_type" else "definition", name, body)


def _faults_of_task(document: Document, body: Mapping[str, Json], *, is_type: bool) -> tuple[Fault, ...]:
    """The faults that the rest of it would have as a task."""
    rest = {key: value for key, value in body.items() if key not in ("type", "job", *_OF_A_NODE)}
    if is_type:
        rest.pop("params", None)
    try:
        parse_task(Document({**rest, "job": "any"}, document.file, document.lines), "any")
    except InvalidWorkflow as error:
        return error.faults
    return ()


def resolve(source: str, format: Format, file: str, definitions: Definitions) -> Workflow:
    """The workflow in `source`, its nodes made of what they name.

    What a node says wins over the workflow's `defaults`, these over the definition, and that over its type; params are merged
    name by name.

    Raises: InvalidWorkflow with every fault.
    """
    return parse_document(made_document(documents.read(source, format, file, InvalidWorkflow), definitions))


def made_document(document: Document, definitions: Definitions) -> Document:
    """The document with what its nodes leave to definitions filled in; see `resolve`.

    Raises: InvalidWorkflow with every fault of what they name.
    """
    made, key_faults = filled(document, definitions)
    if key_faults:
        raise InvalidWorkflow(document.faults(key_faults))
    return made


def filled(document: Document, definitions: Definitions) -> tuple[Document, list[KeyFault]]:
    """As `made_document`, of a document that may have any fault: as far as it can be, and what is wrong with its nodes."""
    data = copy.deepcopy(document.data)
    defaults, tasks = data.get("defaults"), data.get("tasks")
    key_faults: list[KeyFault] = []
    for key, node in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(node, dict) and "task" in node:
            faults = _make(node, defaults if isinstance(defaults, dict) else {}, definitions)
            key_faults += [(("tasks", key, *path), message) for path, message in faults]
    return Document(data, document.file, document.lines), key_faults


def why_archived(part: Any) -> str:
    """Says of a task type or definition, or of a row of it, that it is archived, why, and how it comes back."""
    note = f": {part.note}" if part.note else ""
    return (
        f"task {part.kind} {part.name!r} is archived{note}; `qflowd definitions unarchive {part.name}` brings it back"
    )


def layers(node: Mapping[str, Json], definitions: Definitions) -> tuple[TaskDefinition | None, TaskDefinition | None]:
    """The definition that a node names, and the type of that; None where there is none."""
    definition = definitions.get(str(node.get("task")))
    return definition, definitions.get(str(definition.body.get("type"))) if definition else None


def _make(node: dict[str, Json], defaults: Mapping[str, Json], definitions: Definitions) -> Iterator[KeyFault]:
    """Fill in what a node leaves to its definition. Yields what is wrong with it."""
    name = node["task"]
    definition, type_ = layers(node, definitions)
    if definition is None or definition.kind != "definition":
        names = [known.name for known in definitions.values() if known.kind == "definition" and not known.is_archived]
        yield ("task",), f"there is no task definition {name!r}{did_you_mean(str(name), names)}"
        return
    wanted = definition.body.get("type")
    for part in (definition, type_):
        if part is not None and part.is_archived:
            yield ("task",), why_archived(part)
    if wanted is not None and (type_ is None or type_.kind != "type"):
        yield ("task",), f"task definition {name!r} is made of the task type {wanted!r}, which does not exist"
        return
    outer = {**(type_.body if type_ else {}), **definition.body}
    for key, value in outer.items():
        if key not in ("params", "type") and not (key in SETTINGS and key in defaults):
            node.setdefault(key, value)
    given = node.get("params")
    if given is not None and not isinstance(given, dict):
        return
    schemas = type_.params if type_ else {}
    values = {param: schema["default"] for param, schema in schemas.items() if "default" in schema}
    values |= definition.params
    if values or given is not None:
        node["params"] = values | (given or {})
        if schemas:
            yield from param_faults(f"task type {wanted}", workflow_schema(schemas), node["params"])


def by_name(rows: Iterable[Any]) -> Definitions:
    """Definitions by name, of rows with `name`, `kind`, `document` (or the JSON of it), `archived_at`, `file` and `note`."""
    return {
        name: TaskDefinition(
            kind,
            name,
            document if isinstance(document, dict) else json.loads(document),
            archived_at is not None,
            file,
            note,
        )
        for name, kind, document, archived_at, file, note in rows
    }
