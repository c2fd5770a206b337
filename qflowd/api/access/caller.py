"""Who calls: what an authenticated request may see and do."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.roles import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal as a request shows it. `role` is already bounded by the token's ceiling.

    `workflows`, `jobs`: globs of what may be run; empty: all. `session_secret`: of a session, for its CSRF token.
    """

    principal: str
    tenant: str = DEFAULT_TENANT
    role: Role = Role.NONE
    principal_id: int | None = None
    token: str | None = None  # its id, never its secret
    session: int | None = None
    session_secret: str = ""
    workflows: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()

    def may_run(self, *, workflow: str | None = None, job: str | None = None) -> bool:
        """Whether its lists let it start this workflow or job."""
        return _is_listed(workflow, self.workflows) and _is_listed(job, self.jobs)


NOBODY = Caller("")


def _is_listed(name: str | None, globs: Iterable[str]) -> bool:
    globs = tuple(globs)
    return name is None or not globs or any(fnmatchcase(name, glob) for glob in globs)
