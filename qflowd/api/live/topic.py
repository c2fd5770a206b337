"""What a topic is: something to look at, and what has changed of it since the last look."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from qflowd.api.access.hidden import sees_names
from qflowd.api.call import Call

Data = Mapping[str, Any]


class Topic(ABC):
    """One thing to look at, of one tenant. `look` is called by the hub's thread alone; one look serves all subscribers.

    `call`: of the first who asked for it. `audience`: tells those apart who are shown different things by the same name.
    """

    kind: ClassVar[str]
    period_s: ClassVar[float] = 1.0  # between looks, at least

    def __init__(self, call: Call, name: str, audience: str = "") -> None:
        self.call, self.tenant, self.name = call, call.tenant, name
        self.audience = audience or ("system" if sees_names(call) else "")

    @abstractmethod
    def look(self) -> Data | None:
        """What is there, as a whole or (of a log) what is new; None if there is no such thing."""

    @abstractmethod
    def changes(self, before: Data, now: Data) -> Data | None:
        """What a delta says; None if nothing has changed."""

    def is_there(self) -> bool:
        """Whether the tenant has it. Called by others than the hub's thread."""
        return True
