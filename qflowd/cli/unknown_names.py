"""What to say of a name that does not exist: what was likely meant, or whose it is.

Only a command without --tenant is told of other tenants' names: who gives one looks at that tenant alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from qflowd.cli.session import is_tenant_given
from qflowd.client import Client, Instance
from qflowd.client.instance import no_such_task
from qflowd.model.errors import NotFound
from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.model.near_names import did_you_mean

PATTERN: Final = frozenset("*?[")
LISTED: Final = "`qflowd workflows` and `qflowd jobs` list those there are"


def hint_at_workflow(client: Client, name: str | None, files: Iterable[str] = ()) -> str:
    """The end of a sentence about a workflow or single job that nobody knows; "" if it is known, or is a pattern.

    `files`: workflows that only files describe.
    """
    if (known := _known_instead(client, name)) is None:
        return ""
    return _owners(client, "find_tenants_of_workflow", workflow=name) or did_you_mean(
        str(name), known.union(files), LISTED
    )


def hint_at_owner(client: Client, workflow: str | None) -> str:
    """As `hint_at_workflow`, where the engine has said already what was likely meant: only whose it is."""
    is_unknown = _known_instead(client, workflow) is not None
    return _owners(client, "find_tenants_of_workflow", workflow=workflow) if is_unknown else ""


def _known_instead(client: Client, name: str | None) -> set[str] | None:
    """The workflows and jobs there are, if this name is not one of them; None if it is, or is a pattern."""
    if not name or PATTERN & set(name):
        return None
    known = {row["workflow"] for row in client.workflows(with_archived=True)} | {row["job"] for row in client.jobs()}
    return None if name in known else known


def hint_at_target(client: Client, target: Mapping[str, Any]) -> str:
    """As `hint_at_workflow`, of what a refused command named: columns of `commands`."""
    if (number := target.get("instance_id")) is not None:
        return hint_at_instance(client, number)
    if (workflow := target.get("workflow")) is not None:
        return hint_at_owner(client, workflow)
    return hint_at_workflow(client, target.get("filter", {}).get("workflow"))


def hint_at_instance(client: Client, number: int) -> str:
    """The end of a sentence about an instance that is another tenant's; "" if it is not."""
    return _owners(client, "find_tenants_of_instance", id=number) if 1 <= number <= LARGEST_INSTANCE else ""


def check_conditions(client: Client, conditions: Mapping[str, str]) -> None:
    """May a filter that nothing meets name this workflow and this task?

    Raises: NotFound for a name without wildcards that exists nowhere.
    """
    workflow, task = conditions.get("workflow"), conditions.get("task", "").removeprefix("undo ")
    if hint := hint_at_workflow(client, workflow):
        raise NotFound(f"there is no workflow or job {workflow!r}{hint}")
    if not task or PATTERN & set(task):
        return
    known = {row.task for row in client.read_all("list_task_keys")} | {row["job"] for row in client.jobs()}
    if task not in known:
        hint = did_you_mean(task, known, "`qflowd show` and `qflowd plan` list those of a workflow")
        raise NotFound(f"there is no task {task!r}{hint}")


def check_task(instance: Instance, task: str) -> None:
    """Has an instance a task of this name, or an item of it?

    Raises: NotFound if it has others, but not this one.
    """
    rows = instance.tasks()
    if not rows or any(task in (row.task, row.name, f"{row.task}[{row.map_index}]") for row in rows):
        return
    raise no_such_task(instance, task)


def find_instance(client: Client, number: int) -> Instance:
    """As `Client.instance`; says whose it is if it is another tenant's.

    Raises: NotFound.
    """
    try:
        return client.instance(number)
    except NotFound as error:
        raise NotFound(f"{error}{hint_at_instance(client, number)}") from None


def _owners(client: Client, statement: str, **name: Any) -> str:
    rows = [] if is_tenant_given() else client.read_all(statement, **name)
    tenants = [row.tenant for row in rows]
    of = f"tenant {tenants[0]}" if len(tenants) == 1 else f"tenants {', '.join(tenants)}"
    return f"; there is one of {of}: `qflowd --tenant {tenants[0]} …`" if tenants else ""
