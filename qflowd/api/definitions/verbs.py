"""The verbs of the inbox that change definitions, carried out at once in the caller's name."""

from typing import Any

from qflowd.api.call import Call
from qflowd.engine.definitions.definition_verbs import DefinitionVerbs
from qflowd.store.tx import Tx


def do_verb(tx: Tx, call: Call, action: str, reason: str | None = None, **columns: Any) -> Any:
    """What a command with these columns would have as its result; `args` is a mapping. Raises: Refused; InvalidWorkflow."""
    about = {"requested_by": call.caller.principal, "reason": reason}
    return DefinitionVerbs(call.store).do(tx, action, tenant=call.tenant, **about, **columns).result
