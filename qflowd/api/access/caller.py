"""Who calls: what an authenticated request may see and do."""

from collections.abc import Sequence
from dataclasses import dataclass

from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.quotas import allows
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
    is_bound: bool = False  # a token that is good for some workflows, jobs or networks alone

    @property
    def has_lists(self) -> bool:
        """Whether it may run some workflows or jobs alone."""
        return bool(self.workflows or self.jobs)

    def may_run(self, *, workflow: str | None = None, job: str | None = None) -> bool:
        """Whether its lists let it start this workflow, or this job by itself.

        A list of workflows alone lists no job that is run by itself, as that is in none of them.
        """
        if job is not None and self.workflows and not self.jobs:
            return False
        return _is_listed(workflow, self.workflows) and _is_listed(job, self.jobs)


NOBODY = Caller("")


def _is_listed(name: str | None, patterns: Sequence[str]) -> bool:
    return name is None or not patterns or allows(patterns, name)
