"""Carrying out a command: its verb is asked what the command names, does it, and says why where it cannot."""

from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, Verb
from qflowd.engine.refusal import Refused
from qflowd.store.tx import Tx


def carry_out(tx: Tx, verb: Verb, command: Command, caches: Caches) -> Reply:
    """Do what a command asks for, in the caller's transaction.

    Raises: Refused, with the answer to whoever asked; LanesMissing; Later.
    """
    try:
        verb.check(command)
        with knowing(TenantToo(lambda: load_book(tx, command.tenant))):
            return verb.carry_out(tx, command, verb.needs(tx, command), caches)
    except NotPossible as error:
        raise Refused(verb.refusal(error)) from None
