"""A client's way to a database: statements and inboxes, by the store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qflowd.client.records import plain_row
from qflowd.model.errors import InvalidRequest
from qflowd.model.names import DEFAULT_TENANT
from qflowd.store.tx import DataRefused, Store


class DatabaseTransport:
    """The transport over a store. It never waits: who polls asks again."""

    def __init__(self, store: Store, tenant: str = DEFAULT_TENANT) -> None:
        self.store = store
        self.tenant = tenant

    def read(self, name: str, params: Mapping[str, Any], wait_s: float = 0.0) -> list[Any]:
        return list(map(plain_row, self.store.read(lambda tx: tx.run(name, tenant=self.tenant, **params))))

    def submit(self, row: Mapping[str, Any]) -> int:
        return self._insert("insert_submission", row)

    def command(self, row: Mapping[str, Any]) -> int:
        return self._insert("insert_command", row)

    def signal(self, row: Mapping[str, Any]) -> int:
        return self._insert("insert_signal", row)

    def now(self) -> datetime:
        self.store.ask_clock()
        return self.store.clock.now()

    def close(self) -> None:
        self.store.close()

    def _insert(self, statement: str, row: Mapping[str, Any]) -> int:
        try:
            return self.store.transact(lambda tx: int(tx.one(statement, **row).id))
        except DataRefused as error:
            raise InvalidRequest(f"the database refuses these values: {error}") from error
