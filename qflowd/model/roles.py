"""Roles of those who call the API: each may do all that those before it may."""

from enum import IntEnum


class Role(IntEnum):
    """What a caller may do. Codes are stored and never change meaning."""

    NONE = 0  # nobody: health, the descriptions of the API, logging in
    READ = 1  # look
    SUBMIT = 2  # start workflows and jobs
    OPERATE = 3  # pause, resume, terminate, retry, handle failures
    DEFINE = 4  # change workflows, task types, task definitions
    ADMIN = 5  # people, tokens, audit of one tenant
    SYSTEM = 6  # all tenants

    @property
    def word(self) -> str:
        """As it is written in requests and pages: `operate`."""
        return self.name.lower()
