"""What is over is taken away: old entries of the audit, and credentials that ended long ago."""

from datetime import datetime, timedelta
from typing import Final

from qflowd.engine.access.login import FAILURES_IN
from qflowd.store.tx import Store, Tx

BATCH: Final = 1000  # entries of one transaction
ENDED_KEPT: Final = timedelta(days=30)  # tokens and sessions, for whoever asks what they were


def clean(store: Store, audit_kept: timedelta) -> None:
    """Take away what is over, the audit in transactions of a thousand entries, so that nobody waits long for these."""
    store.transact(drop_ended_credentials)
    while store.transact(lambda tx: drop_old_audit(tx, tx.now - audit_kept)):
        pass


def drop_old_audit(tx: Tx, before: datetime) -> int:
    """Take away a thousand of the oldest entries, as far as they were written before this. Returns how many they were.

    Ids rise with time, so the table is read from its start, by its key.
    """
    last = tx.one("find_oldest_audit", batch=BATCH).id
    return 0 if last is None else tx.count("delete_old_audit", last=last, before_at=before)


def drop_ended_credentials(tx: Tx) -> None:
    """Take away tokens and sessions that ended a month ago, and links and failures to sign in that do not count any more."""
    before = tx.now - ENDED_KEPT
    tx.run("delete_ended_tokens", before_at=before)
    tx.run("delete_ended_sessions", before_at=before)
    tx.run("delete_old_login_codes", now=tx.now)
    tx.run("delete_old_login_failures", since=tx.now - FAILURES_IN)
