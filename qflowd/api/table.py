"""All routes: those of the resources, and their aliases below /scheduling."""

from qflowd.api import resources, scheduling
from qflowd.api.routing import ENDPOINTS, Endpoint


def endpoints() -> list[Endpoint]:
    """All routes, in the order in which paths are matched."""
    resources.load()
    scheduling.load()
    return sorted(ENDPOINTS, key=lambda endpoint: endpoint.order)
