"""What people do to groups of failures: mute them for a while, and let them be heard again."""

from typing import Any

import msgspec

from qflowd.api.access.authorization import refuse_group
from qflowd.api.call import Call
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role


class MutedGroup(Body):
    """Failures of one workflow, or without it of a single job, one task and one class of error: names, not patterns."""

    task: str
    error_class: str
    workflow: str | None = None


class MuteBody(Body):
    """`for`: how long, such as "24h"."""

    group: MutedGroup
    reason: str
    for_: str = "24h"


class UnmuteBody(Body):
    """Which group."""

    group: MutedGroup
    reason: str | None = None


@route("POST", "/failures/mute", Role.OPERATE, errors=(*REFUSALS, 40401), does="command mute")
def mute_failures(call: Call, body: MuteBody) -> CommandResult:
    """Leave a group of failures out of `/overview` and `/notifications` for a while. It is still listed, and says so."""
    return _do(call, "mute", body.group, body.reason, {"for": body.for_})


@route("POST", "/failures/unmute", Role.OPERATE, errors=(*REFUSALS, 40401), does="command unmute")
def unmute_failures(call: Call, body: UnmuteBody) -> CommandResult:
    """End the mute of a group of failures."""
    return _do(call, "unmute", body.group, body.reason, {})


def _do(call: Call, action: str, group: MutedGroup, reason: str | None, more: dict[str, Any]) -> CommandResult:
    refuse_group(call, group.workflow, group.task)
    named = {name: value for name, value in msgspec.structs.asdict(group).items() if value is not None}
    return asked(call, action, args=named | more, reason=reason)
