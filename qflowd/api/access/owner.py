"""Whose tokens and sessions a caller sees."""

from qflowd.api.call import Call
from qflowd.model.roles import Role


def owner_of(call: Call, *, mine: bool = False) -> int | None:
    """Whose are meant: 0 is the tenant's, None nobody's, as of somebody whom a proxy alone knows."""
    if call.caller.role >= Role.ADMIN and not mine and not call.caller.is_bound:
        return 0
    return call.caller.principal_id
