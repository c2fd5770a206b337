"""What handlers return and raise, and the envelope around it: `{"code": 0, "message": "success", "data": …}`."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgspec

from qflowd.api.codes import CODES, SUCCESS, status_of
from qflowd.engine.definitions.workflow_quota import NoRoom
from qflowd.engine.refusal import Refused
from qflowd.model.errors import (
    CycleFault,
    CycleFound,
    FaultyDocument,
    GrantsMissing,
    InvalidExpression,
    InvalidParams,
    InvalidRequest,
    NameTaken,
    NotFound,
    QflowdError,
    QueryTooSlow,
    Rejected,
    StoreUnavailable,
    Unreadable,
)
from qflowd.model.refusals import Refusal

JSON: Final = "application/json"


def field_name(attribute: str) -> str:
    """The name of a field in JSON and in queries: `from_` and `for_` have an underscore in Python alone."""
    return attribute.rstrip("_")


class Item(msgspec.Struct, rename=field_name):
    """Base of what answers hold. Fields without a value are sent as null, never left out."""


class Problem(Item):
    """One thing that is wrong with a request; `where` is the path to it, such as `tasks.bars.after`."""

    where: str
    message: str


class Faults(Item):
    """The data of an answer that is an error: all that is wrong, and the request's id, by which the log knows it."""

    errors: Sequence[Problem] = ()
    request_id: str = ""
    current: Any = None  # the object as it is now, where If-Match named an older state


class Envelope(Item):
    """Around every answer in JSON."""

    code: int
    message: str
    data: Any


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """Data with more to say than 200. `etag`: of a definition, strong; without one, lists and objects get a weak one."""

    data: Any = None
    status: int = 200
    message: str = CODES[SUCCESS]
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Sequence[str] = ()  # values of Set-Cookie
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """An answer outside the envelope, as a whole or in parts that are read while they are sent."""

    parts: str | bytes | Iterator[str | bytes]
    type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Awaited(IntEnum):
    """What a request waits for; as `find_answered` has it."""

    SUBMISSION = 1  # until it is answered
    COMMAND = 2
    INSTANCE = 3  # until it ends
    RUN = 4  # until a submission is rejected, or its instance ends
    TASK = 5  # until it ends


class AwaitedRow(NamedTuple):
    """A row that a request waits for."""

    kind: Awaited
    id: int
    tenant: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Asks again and again until there is an answer. Between two looks it holds no thread.

    Args:
        ask: gives the answer, or None as long as there is none; a blocking function.
        otherwise: gives the answer when `longest_s` seconds are over.
        longest_s: seconds from now; 0 asks once.
        row: it waits for this one; `ask` is then called when the row has come so far, which is asked for all requests
            in one statement.
        written: of a write, which is there already: what is said if its answer cannot be read, for it must not be repeated.
    """

    ask: Callable[[], Any]
    otherwise: Callable[[], Any]
    longest_s: float
    row: AwaitedRow | None = None
    written: ApiAnswer | None = None


class ApiFault(QflowdError):
    """A request cannot be answered. `code`: of `CODES`; `headers`: such as Retry-After."""

    def __init__(
        self,
        code: int,
        message: str,
        errors: Sequence[Problem] = (),
        *,
        headers: Mapping[str, str] | None = None,
        current: Any = None,
    ) -> None:
        super().__init__(message)
        self.code, self.errors, self.current = code, errors, current
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        return status_of(self.code)


class Unanswered(StoreUnavailable):
    """The database has taken too long; the message names nothing of it, and says what to do."""


def fault_of(error: Exception) -> ApiFault | None:
    """What a caller is told of an error of the package; None where it is a fault of qflowd itself."""
    if isinstance(error, ApiFault):
        return error
    if isinstance(error, NoRoom):  # its document is as it should be
        return ApiFault(int(Refusal.QUOTA), str(error))
    if isinstance(error, FaultyDocument):
        is_cycle = bool(error.faults) and all(isinstance(each, CycleFault) for each in error.faults)
        problems = [Problem(where=each.key, message=each.message) for each in error.faults]
        return ApiFault(42203 if is_cycle else 42202, str(error), problems)
    if isinstance(error, Refused):
        return ApiFault(int(error.why), str(error))
    if isinstance(error, CycleFound):
        return ApiFault(42203, str(error), [Problem(where=f"tasks.{error.path[0]}.after", message=str(error))])
    if isinstance(error, QueryTooSlow):
        return ApiFault(50302, "the query took too long ([api] query_timeout); narrow it by more filters")
    if isinstance(error, StoreUnavailable):
        return ApiFault(50301, f"{error}; try again in a moment", headers={"Retry-After": "2"})
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
    return None if code is None else ApiFault(code, str(error))


def encode(data: Any) -> bytes:
    """JSON of what a handler returned."""
    return _ENCODER.encode(data)


def enveloped(data: Any, message: str = CODES[SUCCESS]) -> bytes:
    """A successful answer as it is sent."""
    return encode(Envelope(code=SUCCESS, message=message, data=data))


def weak_etag(answer: ApiAnswer) -> str:
    """The ETag of an answer that has none of its own: of all that it says."""
    return f'W/"{hashlib.blake2b(enveloped(answer.data, answer.message), digest_size=10).hexdigest()}"'


def enveloped_fault(fault: ApiFault, request_id: str) -> bytes:
    """An error as it is sent."""
    faults = Faults(errors=fault.errors, request_id=request_id, current=fault.current)
    return encode(Envelope(code=fault.code, message=str(fault), data=faults))


_CODES: Final[Mapping[type[Exception], int]] = {
    NotFound: 40401,
    InvalidParams: 42201,
    NameTaken: 40902,  # which is an InvalidRequest
    InvalidRequest: 42202,
    InvalidExpression: 42205,
    Rejected: 40901,
    Unreadable: 40901,
    GrantsMissing: 50002,
}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
