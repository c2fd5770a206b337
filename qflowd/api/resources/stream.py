"""The live stream."""

from collections.abc import Callable

from qflowd.api.answers import ApiFault, Problem
from qflowd.api.call import Call
from qflowd.api.live.stream import Live
from qflowd.api.live.topics import MANY_TOPICS, read_topic
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model.roles import Role

OF_ONE = 4  # streams of one principal
OF_ALL = 200  # streams of this process


class StreamQuery(Query):
    """What to look at: `overview`, `notifications`, `instances`, `instance:ID`, `log:TASK`, `batch:ID`."""

    topics: tuple[str, ...]


@route("GET", "/stream", Role.READ, errors=(40401, 42903))
def open_stream(call: Call, query: StreamQuery) -> Live:
    """Server-sent events: of each topic a snapshot, then what changes. One stream serves many topics."""
    names = tuple(dict.fromkeys(query.topics))
    if len(names) > MANY_TOPICS:
        raise ApiFault(40002, f"topics: at most {MANY_TOPICS}, not {len(names)}")
    topics = [read_topic(call, name) for name in names]
    if gone := [topic.name for topic in topics if not topic.is_there()]:
        faults = [Problem("topics." + name, "it does not exist (any more)") for name in gone]
        raise ApiFault(40401, f"there is no {gone[0].replace(':', ' ')} that could be watched", faults)
    whole, own = call.count_streams(call.caller.principal)
    if own >= OF_ONE or whole >= OF_ALL:
        what = f"{own} streams of {call.caller.principal} are open" if own >= OF_ONE else f"{whole} streams are open"
        raise ApiFault(42903, f"{what}; close one, or name more topics in one", headers={"Retry-After": "5"})
    return Live(topics, call.caller.principal, call.request.headers.get("last-event-id"), _check(call))


def _check(call: Call) -> Callable[[], None]:
    """Raises ApiFault once the caller may no longer see what the stream shows."""
    caller, tenant = call.caller, call.tenant

    def check() -> None:
        now = call.check()
        if now.role < caller.role or (now.tenant, now.principal) != (caller.tenant, caller.principal):
            raise ApiFault(40301, "the caller may not see this any more")
        if tenant != now.tenant and now.role < Role.SYSTEM:
            raise ApiFault(40301, f"the caller may not see tenant {tenant} any more")

    return check
