"""Which tenant a request is about, where it says so: `?tenant=`."""

from typing import Final

from qflowd.api.answers import ApiFault
from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.model.names import DEFAULT_TENANT, fault_in_key

KNOWN_S: Final = 60.0  # a tenant that was deleted meanwhile is named for so long


def other_tenant(call: Call, name: str) -> str:
    """The tenant that a request names: the caller's own, the default one, or one that has a row.

    Raises: ApiFault 40002, 40301, 40401.
    """
    if not call.is_system and name != call.caller.tenant:
        raise ApiFault(40301, f"tenant: only a system principal may look at another tenant than {call.caller.tenant}")
    if fault := fault_in_key(name, "tenant"):
        raise ApiFault(40002, f"tenant: {fault}")
    if name not in (call.caller.tenant, DEFAULT_TENANT):
        _KNOWN.get((call.store.dialect.describe(), name), lambda: _find(call, name))
    return name


def _find(call: Call, name: str) -> bool:
    """That there is one. What there is not is looked for each time, since it may be made in a moment."""
    if not call.store.read(lambda tx: tx.run("load_tenants", rows=[(name,)])):
        raise ApiFault(40401, f"there is no tenant {name!r}; `qflowd tenants create {name}` or POST /tenants makes it")
    return True


_KNOWN: Final[TtlCache[tuple[str, str], bool]] = TtlCache(KNOWN_S)
