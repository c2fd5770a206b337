"""The one table of routes: paths, roles, the API's description and the generated tests are made of it.

A handler is a plain blocking function. Its signature says what it takes: `call`; parameters of the path by their names
(int or str); `query`, a structure of query parameters; `body`, a structure. What it returns is the data of the answer.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from qflowd.api.codes import CODES
from qflowd.api.reading import LARGEST_BODY
from qflowd.model.roles import Role

F = TypeVar("F", bound=Callable[..., Any])

PREFIX: Final = "/api/v1"
BARE: Final = ("/scheduling/", "/healthz", "/readyz")  # these paths stand as they are
SAFE: Final = ("GET", "HEAD")
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a path, and the handler that answers it.

    `does`: the command, submission or view of the SQL contract that does the same, for readers.
    `errors`: the codes that do not follow from what the route is (see common_codes).
    """

    method: str
    path: str
    role: Role
    handler: Callable[..., Any]
    path_types: Mapping[str, type]
    query: type[msgspec.Struct] | None
    body: type[msgspec.Struct] | None
    answer: Any
    errors: Sequence[int]
    does: str
    largest_body: int

    @property
    def name(self) -> str:
        """Of the operation, as the description has it; an alias is told from what it stands for by its method and path."""
        if self.path.startswith("/scheduling/"):
            words = re.sub(r"\W+", "_", self.path).strip("_")
            return f"{self.method.lower()}_{words}"
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def is_write(self) -> bool:
        return self.method not in SAFE

    @property
    def order(self) -> tuple[bool, ...]:
        """Sorts words before parameters: `/task/list` is met before `/task/{id}`."""
        return tuple(segment.startswith("{") for segment in self.path.split("/"))


def common_codes(route: Endpoint) -> list[int]:
    """Codes that follow from what a route is, not from what it does."""
    codes = [40002]
    if route.role > Role.NONE:
        codes += [40101, 40102, 40103, 40301, 42901]
    if route.is_write:
        codes += [40303, 40305]
    if route.body is not None:
        codes += [40001, 40801, 41301, 41501, 42202]
    if route.path_types:
        codes.append(40401)
    names = () if route.query is None else route.query.__struct_fields__
    if "cursor" in names:
        codes.append(40003)
    if "page" in names:
        codes.append(42206)
    return codes


ENDPOINTS: list[Endpoint] = []


def route(
    method: str,
    path: str,
    role: Role,
    *,
    errors: Sequence[int] = (),
    does: str = "",
    largest_body: int = LARGEST_BODY,
) -> Callable[[F], F]:
    """Answer `method` of `path` (below /api/v1, unless it is one of BARE) by the function that is decorated.

    Raises: TypeError where path and signature do not fit, or a code is unknown, or follows from the route anyway.
    """

    def register(handler: F) -> F:
        hints = get_type_hints(handler)
        names = [name for name in inspect.signature(handler).parameters if name != "call"]
        in_path = _PARAMETER.findall(path)
        if sorted({*names} - {"query", "body"}) != sorted(in_path):
            raise TypeError(f"{method} {path}: {handler.__name__}() takes {', '.join(names)}")
        if unknown := set(errors) - CODES.keys():
            raise TypeError(f"{method} {path}: there are no codes {unknown}")
        endpoint = Endpoint(
            method=method,
            path=path if path.startswith(BARE) else PREFIX + path,
            role=role,
            handler=handler,
            path_types={name: hints[name] for name in in_path},
            query=hints.get("query"),
            body=hints.get("body"),
            answer=hints.get("return", Any),
            errors=errors,
            does=does,
            largest_body=largest_body,
        )
        if needless := set(errors) & set(common_codes(endpoint)):
            raise TypeError(f"{method} {path}: {needless} follow from the route; leave them out of its errors")
        ENDPOINTS.append(endpoint)
        return handler

    return register
