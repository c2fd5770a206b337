"""What people do to limits. All tenants share these, so it takes an operator of the default tenant, or system."""

from typing import Any

from qflowd.api.access.authorization import refuse_action, refuse_limit
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.reading import Body, need_if_match
from qflowd.api.resources.limits import list_limits
from qflowd.api.routing import route
from qflowd.engine.limits.limit_settings import etag_of, sizes
from qflowd.model.roles import Role


class LimitSettings(Body):
    """What is left out stays as it is. `rate`: such as ["200/min"], [] for none; `breaker`: such as "5/min", false for none."""

    slots: int | None = None
    rate: str | list[str] | None = None
    breaker: str | dict[str, Any] | bool | None = None
    reason: str | None = None


class LimitPause(Body):
    """`for`: how long, such as "10m"; without: until it is ended."""

    for_: str | None = None
    reason: str | None = None


@route("PUT", "/limits/{key}", Role.OPERATE, errors=(*REFUSALS, 41201, 42801), does="command set_limit")
def set_limit(call: Call, key: str, body: LimitSettings) -> CommandResult:
    """Set slots, rates or the breaker of a limit, whatever the configuration says. In another tenant than default: for system."""
    wanted = {"slots": body.slots, "rate": body.rate, "breaker": body.breaker}
    return _do(call, key, "set_limit", body.reason, **wanted, **_matched(call, key))


@route("DELETE", "/limits/{key}", Role.OPERATE, errors=(*REFUSALS, 41201, 42202, 42801), does="command unset_limit")
def unset_limit(call: Call, key: str) -> CommandResult:
    """Let a limit be what the configuration says. In another tenant than default: for system."""
    return _do(call, key, "unset_limit", None, **_matched(call, key))


@route("POST", "/limits/{key}/pause", Role.OPERATE, errors=REFUSALS, does="command pause_limit")
def pause_limit(call: Call, key: str, body: LimitPause) -> CommandResult:
    """Let nothing begin that needs a limit. In another tenant than default: for system."""
    return _do(call, key, "pause_limit", body.reason, **{"for": body.for_})


@route("POST", "/limits/{key}/resume", Role.OPERATE, errors=REFUSALS, does="command resume_limit")
def resume_limit(call: Call, key: str, body: ReasonBody) -> CommandResult:
    """End the pause of a limit. In another tenant than default: for system."""
    return _do(call, key, "resume_limit", body.reason)


@route("POST", "/limits/{key}/open", Role.OPERATE, errors=REFUSALS, does="command open_breaker")
def open_breaker(call: Call, key: str, body: LimitPause) -> CommandResult:
    """Open the breaker of a limit. In another tenant than default: for system."""
    return _do(call, key, "open_breaker", body.reason, **{"for": body.for_})


@route("POST", "/limits/{key}/close", Role.OPERATE, errors=REFUSALS, does="command close_breaker")
def close_breaker(call: Call, key: str, body: ReasonBody) -> CommandResult:
    """Close the breaker of a limit. In another tenant than default: for system."""
    return _do(call, key, "close_breaker", body.reason)


def _matched(call: Call, key: str) -> dict[str, str]:
    """What a command needs to know of If-Match, since it is carried out later.

    Raises: ApiFault 42801, 41201.
    """
    size = call.store.read(lambda tx: sizes(tx, [key]))[key]
    current = next((limit for limit in list_limits(call) if limit.name == key), None)
    need_if_match(call, etag_of(size), current)
    return {} if (call.if_match or "").strip() == "*" else {"etag": etag_of(size)}


def _do(call: Call, key: str, action: str, reason: str | None, **args: Any) -> CommandResult:
    refuse_action(call, action)
    refuse_limit(call, key)
    given = {"limit": key} | {name: value for name, value in args.items() if value is not None}
    return asked(call, action, args=given, reason=reason)
