"""Whose request it is."""

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.caller import NOBODY, Caller
from qflowd.api.routing import Endpoint
from qflowd.engine.access.tokens import CredentialsRefused, find_caller
from qflowd.model.roles import Role


def authenticate(call: Call, endpoint: Endpoint) -> Caller:
    """The caller that the credentials of a request name.

    Raises: ApiFault 40101 without credentials where they are needed, 40102 for a token that opens nothing.
    """
    scheme, _, text = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        try:
            known = call.store.read(lambda tx: find_caller(tx, text.strip(), call.request.address or None, tx.now))
        except CredentialsRefused as error:
            raise ApiFault(40102, str(error)) from None
        return Caller(
            known.principal,
            known.tenant,
            known.role,
            principal_id=known.principal_id,
            token=known.token,
            workflows=known.workflows,
            jobs=known.jobs,
        )
    if endpoint.role > Role.NONE:
        raise ApiFault(40101, "no credentials; send Authorization: Bearer with a token of `qflowd token create`")
    return NOBODY


def check_origin(call: Call, endpoint: Endpoint) -> None:
    """May a request that a browser's cookie authenticates write?"""
