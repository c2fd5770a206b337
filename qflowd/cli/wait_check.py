"""What a workflow file waits for that is only known where it is configured: connections to other databases."""

from collections.abc import Iterator, Mapping

from qflowd.config.records import ConnectionConfig
from qflowd.define.key_paths import KeyFault
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Workflow


def remarks(workflow: Workflow, connections: Mapping[str, ConnectionConfig] | None) -> Iterator[KeyFault]:
    """Tasks that no daemon with this configuration looks for. `connections`: None where nothing is configured."""
    for task in workflow.tasks:
        name = task.wait_for.connection if task.wait_for else ""
        if name and connections is not None and name not in connections:
            near = did_you_mean(name, connections)
            message = (
                f"waits until some daemon has [connections.{name}]; the configuration here has none of that name{near}"
            )
            yield ("tasks", task.key, "wait_for", "connection"), message


def faults(workflow: Workflow, tenant: str, connections: Mapping[str, ConnectionConfig] | None) -> Iterator[KeyFault]:
    """Tasks that ask a connection which the configuration here keeps from their tenant."""
    for task in workflow.tasks:
        name = task.wait_for.connection if task.wait_for else ""
        connection = (connections or {}).get(name)
        if connection and not connection.is_for(tenant):
            message = f"connection {name} is not for tenant {tenant}, whose this workflow is: add it to [connections.{name}] tenants"
            yield ("tasks", task.key, "wait_for", "connection"), message
