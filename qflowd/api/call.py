"""One request, as a handler sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from qflowd.api.answers import ApiFault
from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.client.records import plain_row
from qflowd.config.records import ApiConfig
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.callers import NOBODY, Caller
from qflowd.model.named_files import without_files
from qflowd.model.quotas import allows, load_value
from qflowd.model.roles import Role
from qflowd.store.tx import Store, Tx

T = TypeVar("T")


@dataclass(slots=True)
class HttpRequest:
    """What has arrived. Names of headers are in lower case; `query` holds pairs in their order."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes
    address: str  # of the client, behind trusted proxies too
    request_id: str
    is_tls: bool = False
    is_from_proxy: bool = False  # one that is trusted, or over a socket of this host

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name; the first of several wins."""
        found: dict[str, str] = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                found.setdefault(name, value)
        return found


@dataclass
class Call:
    """A request with who makes it, and the doors to the database that it may use."""

    request: HttpRequest
    store: Store
    config: ApiConfig
    caller: Caller = NOBODY
    wait_s: float | None = None  # `?wait=`; None: the route's own
    other_tenant: str | None = None  # `?tenant=`, of a system caller
    check: Callable[[], Any] = lambda: None  # raises once the credentials have ended
    forget_callers: Callable[[], None] = lambda: None  # after a change of principals, tokens or sessions
    count_streams: Callable[[str], tuple[int, int]] = lambda _principal: (0, 0)  # open ones: all, this principal's

    @property
    def tenant(self) -> str:
        """Whose rows are seen and written."""
        return self.other_tenant or self.caller.tenant

    @property
    def actor(self) -> Actor:
        """Who does it, as the audit of this tenant names them."""
        caller, request = self.caller, self.request
        return Actor(
            caller.principal,
            self.tenant,
            caller.role,
            token=caller.token,
            session=caller.session,
            address=request.address or None,
            request_id=request.request_id,
        )

    @property
    def is_scheduling(self) -> bool:
        """It came by a path of /scheduling: numbers are tried before keys there, and If-Match may be missing."""
        return self.request.path.startswith("/scheduling/")

    @property
    def is_system(self) -> bool:
        """Whether the caller may see what all tenants share, and the names of hosts and files."""
        return self.caller.role >= Role.SYSTEM

    @property
    def if_match(self) -> str | None:
        return self.request.headers.get("if-match")

    @cached_property
    def client(self) -> Client:
        """The SDK over the same store, for the tenant of this call."""
        return Client(DatabaseTransport(self.store, self.tenant))

    @cached_property
    def _allowed_jobs(self) -> Sequence[str] | None:
        """What the tenant's quota allows; None without one."""
        quotas = {row.name: load_value(row.value) for row in self.read("list_quotas")}
        found = quotas.get("allowed_jobs")
        return found if isinstance(found, tuple) else None

    def may_run(self, *, workflow: str | None = None, job: str | None = None) -> bool:
        """Whether the caller's lists, and the quota of the tenant, let a workflow run, or a job by itself."""
        if not self.caller.may_run(workflow=workflow, job=job):
            return False
        return job is None or self._allowed_jobs is None or allows(self._allowed_jobs, job)

    def read(self, statement: str, **params: Any) -> list[Any]:
        """Rows of a statement, of this tenant alone, with plain Python values.

        Why something waits, or was rejected, names files to callers of the system alone.
        """
        rows = list(map(plain_row, self.store.read(lambda tx: tx.run(statement, tenant=self.tenant, **params))))
        telling = [column for column in ("wait_reason", "error") if rows and column in rows[0]._fields]
        if not telling or self.is_system:
            return rows
        return [_without_files(row, telling) for row in rows]

    def one(self, statement: str, **params: Any) -> Any:
        """The first row of a statement, or None; as `read`."""
        return next(iter(self.read(statement, **params)), None)

    def change(self, work: Callable[[Tx], T]) -> T:
        """A transaction; as `Store.transact`."""
        return self.store.transact(work)

    def refuse_below(self, role: Role, what: str = "this") -> None:
        """Raises: ApiFault 40301 if the caller's role does not reach."""
        if self.caller.role < role:
            has = f"has {self.caller.role.word}" if self.caller.role else "has none"
            raise ApiFault(40301, f"{what} needs role {role.word}; {self.caller.principal or 'nobody'} {has}")


def _without_files(row: Any, columns: Sequence[str]) -> Any:
    """A row of which these columns name no file."""
    told = {column: without_files(said) for column in columns if (said := getattr(row, column))}
    return row._replace(**told) if told else row
