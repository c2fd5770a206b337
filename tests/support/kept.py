"""One store for many tests: its session and its statements stay, all else is as it was when it had been opened."""

from __future__ import annotations

import contextlib
from typing import Any

from qflowd.model.instruments import Instruments
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store


class KeptStore:
    """The store at `url`. Whoever takes it may set its parts and break its session: the next one gets it whole.

    A session costs more than most tests: the server's own plans, and on PostgreSQL what it knows of each table.
    """

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        migrate(self.store)
        self.store.catalog  # noqa: B018 - read here, once
        self._parts, self._of_dialect = dict(vars(self.store)), dict(vars(self.store.dialect))

    def take(self) -> Store:
        """The store, in no transaction. Where its session was lost the schema may have gone, too: it is made again."""
        self.give_back()  # the last one may not have
        if not self._has_session():
            self.store.disconnect()
            migrate(self.store)
        return self.store

    def give_back(self) -> None:
        """Undo what was set, and what was left in a transaction; close the sessions of other threads."""
        for parts, before in ((vars(self.store), self._parts), (vars(self.store.dialect), self._of_dialect)):
            is_other_session = parts is not vars(self.store) and parts != before
            parts.clear()
            parts.update(before)
            if is_other_session:
                self.store.disconnect()
        self.store.instruments = Instruments()
        own = self._own()
        for connection in self.store._open - ({own.connection} if own else set()):
            self.store._open.discard(connection)
            with contextlib.suppress(Exception):  # it may be broken
                connection.close()
        if own:
            self.store._roll_back(own.connection)

    def close(self) -> None:
        """Close all sessions."""
        self.store.close()

    def _own(self) -> Any:
        own = getattr(self.store._local, "own", None)
        if own and own.connection not in self.store._open:  # it was closed
            own = self.store._local.own = None
        return own

    def _has_session(self) -> bool:
        if not self._own():
            return False
        try:
            return self.store.connection().script("SELECT 1") == [(1,)]
        except Exception:  # noqa: BLE001 - each driver says in its own way that the server has gone
            return False
