"""What waits for a person."""

from qflowd.api.call import Call
from qflowd.api.routing import route
from qflowd.api.today.notifications import Notification, find_notifications
from qflowd.model.roles import Role


@route("GET", "/notifications", Role.READ)
def list_notifications(call: Call) -> list[Notification]:
    """What waits for a person, what is worst first: of the tenant, and tokens of the caller, of an administrator's tenant all."""
    return find_notifications(call)
