"""What the daemon asks of the throw-away process that imports plugins, and what that answers: a JSON document a line."""

import msgspec

from qflowd.jobs.manifest import Manifest
from qflowd.model.workflow import Job


class TrialRequest(msgspec.Struct, frozen=True):
    """Import everything in `manifest`, and what is installed.

    `ruinous`: code hash of a module, or label of an entry point -> why it is not imported: a process did not survive it.
    """

    manifest: Manifest
    ruinous: dict[str, str]
    parent: int  # process id


class Importing(msgspec.Struct, frozen=True, tag=True):
    """What is imported from now on: code hash of a module (of its file alone, while that is read), or label of an entry point."""

    code: str


class FileFinding(msgspec.Struct, frozen=True):
    """What importing one module or entry point gave. `imports`: modules of the manifest that it needs, directly or not."""

    jobs: tuple[Job, ...] = ()
    error: str = ""
    imports: tuple[str, ...] = ()


class Findings(msgspec.Struct, frozen=True, tag=True):
    """The answer, by name of module or label of entry point. What user code has started may hold the pipe open after it."""

    found: dict[str, FileFinding] = {}


Message = Importing | Findings
