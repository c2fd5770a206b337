"""Job loader: from the name of a job to its function, in a worker."""

import os
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

from qflowd.jobs import decorators
from qflowd.jobs.decorators import InvalidJob
from qflowd.jobs.manifest import install_from
from qflowd.jobs.polls import in_phases
from qflowd.jobs.signature import Signature, signature


class Loaded(NamedTuple):
    """A job that is ready to be called."""

    function: Callable[..., Any]
    signature: Signature


class JobLoader:
    """The jobs of one generation. Modules are imported when a job of theirs is first asked for."""

    def __init__(self, manifest_fd: int) -> None:
        self._fd = manifest_fd
        self._is_installed = False
        self.loaded: dict[tuple[str, str], Loaded] = {}  # by module and name

    def install(self) -> bool:
        """Let this process import plugins. False: it does so already."""
        if self._is_installed:
            return False
        install_from(f"/proc/{os.getpid()}/fd/{self._fd}")
        self._is_installed = True
        return True

    def load(self, module: str, job: str) -> Loaded:
        """Import `module` and find `job` in it; or with `module:name`, the function of that name, decorated or not.

        Raises: whatever the import raises, or InvalidJob if the module does not define the job.
        """
        if not module:
            raise InvalidJob(f"job {job} runs only in threads of the program that defined it; its tasks name no pool")
        self.install()
        module_name, _, path = module.partition(":")
        __import__(module_name)
        if path:
            result = loaded(_attribute(module_name, path))
        else:
            spec = decorators.find(module, job)
            result = Loaded(in_phases(decorators.outermost(spec), spec), signature(spec.function))
        self.loaded[module, job] = result
        return result


def loaded(function: Callable[..., Any]) -> Loaded:
    """`function`, ready to be called."""
    return Loaded(in_phases(function, getattr(function, "__qflowd_job__", None)), signature(function))


def _attribute(module: str, path: str) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = attrgetter(path)(sys.modules[module])
    except AttributeError:
        raise InvalidJob(f"module {module} no longer has a function {path!r}") from None
    return function
