"""Task types: a job with the schemas of its params, their defaults and settings, of which task definitions are made."""

from collections.abc import Mapping
from typing import Any

from qflowd.api.answers import ApiAnswer, ApiFault, Problem
from qflowd.api.call import Call
from qflowd.api.definitions.items import (
    DefinitionsQuery,
    TaskTypeDetail,
    TaskTypeItem,
    one_definition,
    page_of_definitions,
    type_detail,
)
from qflowd.api.definitions.writes import GoneDefinition, MadeDefinition, create, delete, update, with_settings
from qflowd.api.paging import ListPage
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role


class ChangedType(Body):
    """A task type as it is to be: what is left out is gone. `defaults`: by param, beside its schema.

    `settings`: whatever else its file may say, such as `retries`.
    """

    job: str
    title: str | None = None
    params_schema: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    reason: str | None = None

    def document(self, name: str) -> dict[str, Any]:
        """What its file would say. Raises: ApiFault 42202 for a default of a param that it does not have."""
        schemas = dict(self.params_schema or {})
        for param, value in (self.defaults or {}).items():
            if not isinstance(schemas.get(param), dict):
                problem = Problem(where=f"defaults.{param}", message="params_schema has no such param")
                raise ApiFault(42202, f"defaults.{param}: params_schema has no such param", [problem])
            schemas[param] = schemas[param] | {"default": value}
        own = {"title": self.title, "job": self.job, "params": schemas or None}
        return with_settings({"task_type": name, **own}, self.settings)


class NewType(ChangedType, kw_only=True):
    """A task type and its name."""

    type: str


@route("GET", "/task-types", Role.READ)
def list_task_types(call: Call, query: DefinitionsQuery) -> ListPage[TaskTypeItem]:
    """The task types by their names."""
    return page_of_definitions(call, "type", query)


@route("GET", "/task-types/{id}", Role.READ)
def show_task_type(call: Call, id: str) -> ApiAnswer | TaskTypeDetail:
    """A task type, with what is made of it."""
    row = one_definition(call, "type", id)
    return ApiAnswer(type_detail(call, row), etag=row.hash)


@route("POST", "/task-types", Role.DEFINE, errors=(40901, 40902), does="command define_task")
def create_task_type(call: Call, body: NewType) -> ApiAnswer | MadeDefinition:
    """Make a task type."""
    return create(call, "type", body.type, body.document(body.type), body.reason)


@route("PUT", "/task-types/{id}", Role.DEFINE, errors=(41201, 42801), does="command define_task")
def update_task_type(call: Call, id: str, body: ChangedType) -> ApiAnswer | MadeDefinition:
    """Change a task type: workflows that are made of it get a new version, which is active."""
    row = one_definition(call, "type", id)
    return update(call, row, body.document(row.name), body.reason)


@route("DELETE", "/task-types/{id}", Role.DEFINE, errors=(40903, 40906, 41201, 42801))
def delete_task_type(call: Call, id: str) -> GoneDefinition:
    """Remove a task type that nothing is made of."""
    return delete(call, one_definition(call, "type", id))
