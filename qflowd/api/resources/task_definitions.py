"""Task definitions: tasks made of a type or of a job, which nodes of workflows name."""

from collections.abc import Mapping
from typing import Any

from qflowd.api.answers import ApiAnswer, ApiFault, Item, Problem
from qflowd.api.call import Call
from qflowd.api.definitions.items import (
    DefinitionsQuery,
    TaskDefinitionDetail,
    TaskDefinitionItem,
    defaults_of,
    definition_detail,
    document_of,
    one_definition,
    page_of_definitions,
)
from qflowd.api.definitions.writes import GoneDefinition, MadeDefinition, create, delete, update, with_settings
from qflowd.api.paging import ListPage
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.define.schema import workflow_schema
from qflowd.model.roles import Role


class ChangedDefinition(Body):
    """A task definition as it is to be: what is left out is gone. Of a `type`, or of a `job`.

    `settings`: whatever else its file may say, such as `retries`.
    """

    type: str | None = None
    job: str | None = None
    title: str | None = None
    params: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    reason: str | None = None

    def document(self, key: str) -> dict[str, Any]:
        """What its file would say. Raises: ApiFault 42202 unless it is made of one of both."""
        if (self.type is None) == (self.job is None):
            raise ApiFault(
                42202, "give either a type or a job", [Problem(where="type", message="or a job, one of both")]
            )
        own = {"title": self.title, "type": self.type, "job": self.job, "params": self.params or None}
        return with_settings({"task": key, **own}, self.settings)


class NewDefinition(ChangedDefinition, kw_only=True):
    """A task definition and its key."""

    key: str


class DefinitionParams(Item):
    """The params of a task definition. `values`: as it stands, defaults of its type filled in; `json_schema`: what they must fit."""

    key: str
    values: Mapping[str, Any]
    json_schema: Mapping[str, Any] | None


@route("GET", "/task-definitions", Role.READ)
def list_task_definitions(call: Call, query: DefinitionsQuery) -> ListPage[TaskDefinitionItem]:
    """The task definitions by their keys."""
    return page_of_definitions(call, "definition", query)


@route("GET", "/task-definitions/{id}", Role.READ)
def show_task_definition(call: Call, id: str) -> ApiAnswer | TaskDefinitionDetail:
    """A task definition, with the workflows that use it."""
    row = one_definition(call, "definition", id)
    return ApiAnswer(definition_detail(call, row), etag=row.hash)


@route("GET", "/task-definitions/{id}/params", Role.READ)
def show_definition_params(call: Call, id: str) -> DefinitionParams:
    """The params that a task definition gives to its job, and their schema: that of its type, else of its job."""
    row = one_definition(call, "definition", id)
    given = document_of(row).get("params") or {}
    if row.type is None:
        job = call.one("find_job", name=row.job)
        return DefinitionParams(key=row.name, values=given, json_schema=job and job.params_schema)
    schemas = document_of(one_definition(call, "type", row.type)).get("params") or {}
    return DefinitionParams(key=row.name, values=defaults_of(schemas) | given, json_schema=workflow_schema(schemas))


@route("POST", "/task-definitions", Role.DEFINE, errors=(40901, 40902), does="command define_task")
def create_task_definition(call: Call, body: NewDefinition) -> ApiAnswer | MadeDefinition:
    """Make a task definition."""
    return create(call, "definition", body.key, body.document(body.key), body.reason)


@route("PUT", "/task-definitions/{id}", Role.DEFINE, errors=(41201, 42801), does="command define_task")
def update_task_definition(call: Call, id: str, body: ChangedDefinition) -> ApiAnswer | MadeDefinition:
    """Change a task definition: workflows that use it get a new version, which is active."""
    row = one_definition(call, "definition", id)
    return update(call, row, body.document(row.name), body.reason)


@route("DELETE", "/task-definitions/{id}", Role.DEFINE, errors=(40903, 40906, 41201, 42801))
def delete_task_definition(call: Call, id: str) -> GoneDefinition:
    """Remove a task definition that no workflow uses."""
    return delete(call, one_definition(call, "definition", id))
