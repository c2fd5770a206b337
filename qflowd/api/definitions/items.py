"""Task types and task definitions as answers hold them, and the one that a path names."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from qflowd.api.access.hidden import hide_file, hide_files
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.named import number_in
from qflowd.api.paging import ListPage, PageQuery, page_of, read_cursor
from qflowd.api.row_fields import fields_of
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no

Kind = Literal["type", "definition"]
OWN: Final = ("title", "job", "type", "params")  # keys of a document that have a field of their own
WORDS: Final[Mapping[Kind, str]] = {"type": "task type", "definition": "task definition"}


class DefinitionsQuery(PageQuery):
    """`archived`: those as well."""

    archived: bool = False


class StoredItem(Item):
    """What is known of both kinds. `settings`: whatever else its file says, such as `retries`. `hash` is its ETag.

    `source`: `file`, or `command` where people have changed it since. `error`: of its file.
    """

    id: int
    title: str
    job: str | None
    settings: Mapping[str, Any]
    hash: str
    source: str
    file: str | None
    error: str | None
    note: str | None
    updated_by: str | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class TaskTypeItem(StoredItem):
    """A task type. `params_schema`: the JSON Schemas of its params, by name; `defaults`: those that say one."""

    type: str
    params_schema: Mapping[str, Any]
    defaults: Mapping[str, Any]


class TaskDefinitionItem(StoredItem):
    """A task definition, made of a `type` or of a `job`. `params`: values by name."""

    key: str
    type: str | None
    params: Mapping[str, Any]


class TaskTypeDetail(TaskTypeItem):
    """A task type with what is made of it: task definitions, and workflows whose active versions have such a node."""

    definitions: Sequence[str]
    workflows: Sequence[str]


class TaskDefinitionDetail(TaskDefinitionItem):
    """A task definition, with the workflows whose active versions have a node of it."""

    workflows: Sequence[str]


def one_definition(call: Call, kind: Kind, id: str) -> Any:
    """The row of what a path names: by its name, else by its number; below /scheduling the other way round.

    Raises: NotFound, with the names that are alike.
    """
    about = {"name": id, "id": number_in(id), "number_first": int(call.is_scheduling)}
    row = call.one("show_task_definition", kind=kind, **about)
    if row is None:
        names = [each.name for each in call.read("list_task_definition_names") if each.kind == kind]
        raise NotFound(there_is_no(WORDS[kind], id, names, "definitions"))
    return hide_file(call, row)


def page_of_definitions(call: Call, kind: Kind, query: DefinitionsQuery) -> ListPage[Any]:
    """A page of the list of one kind, by name."""
    after = read_cursor(query, tuple[str]) or ("",)
    filters = {"kind": kind, "with_archived": int(query.archived)}
    rows = call.read("list_task_definition_page", **filters, after=after[0], batch=query.limit + 1)
    found = hide_files(call, rows)
    total = call.one("count_task_definition_page", **filters).definitions if query.total else None
    return page_of(query, found, "name", make=type_item if kind == "type" else definition_item, total=total)


def document_of(row: Any) -> dict[str, Any]:
    """What the file of a type or definition says, without its name; of a row with its `document`."""
    found: dict[str, Any] = json.loads(row.document)
    return found


def type_item(row: Any) -> TaskTypeItem:
    """A task type in a list."""
    return TaskTypeItem(**_type_fields(row))


def definition_item(row: Any) -> TaskDefinitionItem:
    """A task definition in a list."""
    return TaskDefinitionItem(**_definition_fields(row))


def type_detail(call: Call, row: Any) -> TaskTypeDetail:
    """A task type by itself."""
    made = [each.name for each in call.read("list_task_definitions_of_type", name=row.name)]
    return TaskTypeDetail(**_type_fields(row), definitions=made, workflows=_users(call, row))


def definition_detail(call: Call, row: Any) -> TaskDefinitionDetail:
    """A task definition by itself."""
    return TaskDefinitionDetail(**_definition_fields(row), workflows=_users(call, row))


def _users(call: Call, row: Any) -> list[str]:
    return [each.workflow for each in call.read("list_users_of_task_definition", name=row.name)]


def _type_fields(row: Any) -> dict[str, Any]:
    schemas = document_of(row).get("params") or {}
    return {**_shared(row, TaskTypeItem), "type": row.name, "params_schema": schemas, "defaults": defaults_of(schemas)}


def defaults_of(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of params that are not given."""
    return {name: schema["default"] for name, schema in schemas.items() if "default" in schema}


def _definition_fields(row: Any) -> dict[str, Any]:
    return {**_shared(row, TaskDefinitionItem), "key": row.name, "params": document_of(row).get("params") or {}}


def _shared(row: Any, kind: type[StoredItem]) -> dict[str, Any]:
    settings = {key: value for key, value in document_of(row).items() if key not in OWN}
    return {**fields_of(row, kind), "title": document_of(row).get("title") or "", "settings": settings}
