"""Who calls the HTTP API: whose credentials these are, and what they let somebody see and do."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.quotas import allows
from qflowd.model.roles import Role


class Caller(NamedTuple):
    """A principal as its credentials show it. `role` is already bounded by the token's ceiling.

    `workflows`, `jobs`: globs of what may be run; empty: all. `secret`: what the cookie of a session holds.
    """

    principal: str
    tenant: str = DEFAULT_TENANT
    role: Role = Role.NONE
    principal_id: int | None = None
    token: str | None = None  # its id, never its secret
    session: int | None = None
    secret: str = ""
    workflows: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    is_bound: bool = False  # a token that is good for some workflows, jobs or networks alone
    used_at: datetime | None = None  # last noted use

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
