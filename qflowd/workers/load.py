"""From the name of a job to its function, in a worker."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from qflowd.jobs import decorators
from qflowd.jobs.manifest import Manifest
from qflowd.jobs.signature import Signature, signature


class Loaded(NamedTuple):
    """A job that is ready to be called."""

    function: Callable[..., Any]
    signature: Signature
    is_async: bool


class Jobs:
    """The jobs of one generation. Modules are imported when a job of theirs is first asked for."""

    def __init__(self, manifest_fd: int) -> None:
        self._fd = manifest_fd
        self._is_installed = False
        self.known: dict[tuple[str, str], Loaded] = {}  # by module and name

    def load(self, module: str, job: str) -> Loaded:
        """Import `module` and find `job` in it.

        Raises: whatever the import raises, or InvalidJob if the module does not define the job.
        """
        if not self._is_installed:
            Manifest.decode(os.pread(self._fd, os.fstat(self._fd).st_size, 0)).install()
            self._is_installed = True
        __import__(module)
        spec = decorators.find(module, job)
        found = Loaded(spec.function, signature(spec.function), spec.is_async)
        self.known[module, job] = found
        return found
