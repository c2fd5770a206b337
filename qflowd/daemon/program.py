"""Functions of a user's program as jobs: which of them workers can import by name, and which run in threads here."""

import hashlib
import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from qflowd.engine.definitions import workflow_store
from qflowd.engine.definitions.workflow_store import PoolOf
from qflowd.jobs import decorators
from qflowd.jobs.decorators import InvalidJob, JobSpec
from qflowd.jobs.recorded import recorded_job
from qflowd.model.errors import InvalidRequest
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import Job, Workflow
from qflowd.plugins.registry import Registry, note_duplicate
from qflowd.store.tx import Store, Tx
from qflowd.workers.job_loader import Loaded, loaded
from qflowd.workers.threads import INLINE

log = logging.getLogger("qflowd")
MAIN = "__main__"


class ProgramJob(NamedTuple):
    """A function of the program as a job. `inline` only where it runs in threads of this process."""

    job: Job
    function: Callable[..., Any]
    inline: Loaded | None


class Program:
    """What a program brings along beside files and plugins: jobs and workflows, by name."""

    def __init__(self) -> None:
        self.jobs: dict[str, ProgramJob] = {}
        self.workflows: dict[str, Workflow] = {}

    def add_job(self, added: ProgramJob) -> None:
        """Raises: InvalidJob if another function has the name."""
        if self.jobs.setdefault(added.job.name, added).function != added.function:
            raise InvalidJob(f"job {added.job.name!r} is already another function; give one of them a name=")
        self.jobs[added.job.name] = added

    def inline(self) -> dict[str, Loaded]:
        """Functions that run in threads of this process."""
        return {name: each.inline for name, each in self.jobs.items() if each.inline is not None}

    def registry(self, plugins: Registry) -> Registry:
        """Plugins and the program's own jobs; for a name that both define, the program wins."""
        own = {name: each.job for name, each in self.jobs.items()}
        errors = dict(plugins.errors)
        for name in plugins.jobs.keys() & own.keys():
            note_duplicate(errors, plugins.jobs[name].file, own[name])
        manifest = plugins.manifest
        if "" in sys.path:  # `python -c` and shells import from the current folder
            manifest = msgspec.structs.replace(manifest, import_path=(*manifest.import_path, str(Path.cwd())))
        return replace(plugins, jobs={**plugins.jobs, **own}, errors=errors, manifest=manifest)


def program_job(
    function: Callable[..., Any], *, name: str | None, run_inline: bool | None, settings: Mapping[str, Any]
) -> ProgramJob:
    """The job that `function` is.

    Raises: InvalidJob if it cannot be one, or neither workers nor threads could run it as asked.
    """
    spec = _spec(function, name, settings)
    module = _place(function, spec, run_inline=run_inline)
    if not module:
        where = f"job {spec.name} runs in a thread of this program"
        if spec.settings.pool not in (None, INLINE):
            raise InvalidJob(f"{where}, so it cannot be in pool {spec.settings.pool!r}")
        if spec.settings.memory is not None:
            raise InvalidJob(f"{where}, where no memory limit can be kept")
        spec = replace(spec, settings=msgspec.structs.replace(spec.settings, pool=INLINE))
    elif spec.settings.pool == INLINE:
        raise InvalidJob(f"job {spec.name}: pool {INLINE!r} is for jobs in threads of the program; name another")
    file, digest = _origin(function, spec)
    job = recorded_job(replace(spec, function=function), module=module, file=file, digest=digest)
    return ProgramJob(job, function, None if module else loaded(function))


def _spec(function: Callable[..., Any], name: str | None, settings: Mapping[str, Any]) -> JobSpec:
    recorded = getattr(function, "__qflowd_job__", None)
    if not isinstance(recorded, JobSpec):
        return decorators.describe(function, name=name, **settings)
    if name is not None or settings:
        raise InvalidJob(f"job {recorded.name} has its name and settings from @job; change them there")
    return recorded


def _place(function: Callable[..., Any], spec: JobSpec, *, run_inline: bool | None) -> str:
    """What a worker imports: the module whose decorator records it, `module:name`, or nothing for a thread here."""
    module, path = function.__module__, function.__qualname__
    if run_inline or (inspect.ismethod(function) and run_inline is None):
        return ""
    if hasattr(function, "__qflowd_job__") and spec.module != MAIN and _holds(spec.module, function):
        return spec.module
    if "<" in path and run_inline is None:  # <locals>, <lambda>
        return ""
    remedy = "move it to the top of a module of its own, or run it in a thread of this program: inline=True"
    if module == MAIN:
        raise InvalidJob(
            f"job {spec.name} is defined in the program's main file or in a notebook, which workers do not run: {remedy}"
        )
    if "<" in path or not _is_found(function, module, path):
        raise InvalidJob(f"job {spec.name}: workers would not find it as {module}.{path}: {remedy}")
    return f"{module}:{path}"


def _holds(module: str, function: Callable[..., Any]) -> bool:
    return any(value is function for value in vars(sys.modules.get(module, object)).values())


def _is_found(function: Callable[..., Any], module: str, path: str) -> bool:
    try:
        return attrgetter(path)(sys.modules[module]) is function
    except (KeyError, AttributeError):
        return False


def _origin(function: Callable[..., Any], spec: JobSpec) -> tuple[str, str]:
    """The file that holds it and the hash of its bytes; without a file (a shell, a notebook) that of its code."""
    file = Path(spec.file)
    try:
        return str(file.absolute()), hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return spec.file, hashlib.sha256(inspect.unwrap(function).__code__.co_code).hexdigest()


def store_workflow(store: Store, workflow: Workflow, folders: Sequence[Path], pool_of: PoolOf) -> bool:
    """Make a workflow of the program the active version of its key; False if it is already.

    Raises: InvalidRequest if a file of these folders defines it; StoreUnavailable.
    """
    source = workflow_store.canonical(workflow)

    def store_own(tx: Tx) -> int | None:
        row = tx.one("find_definition", tenant=DEFAULT_TENANT, workflow=workflow.key)
        file = row.file if row is not None and row.enabled else None
        if file and any(map(Path(file).is_relative_to, folders)):
            raise InvalidRequest(f"workflow {workflow.key} is defined by {file} too; keep one of the two")
        return workflow_store.store_workflow(tx, workflow, source=source, format="json", file=None, pool_of=pool_of)

    version = store.transact(store_own)
    if version is not None:
        log.info("workflow %s: version %d", workflow.key, version)
    return version is not None
