"""The daemon that an `Engine` runs: beside files and plugins it knows the jobs and workflows of the program around it."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from qflowd.config.records import Config, PoolConfig
from qflowd.daemon.assembly import Daemon
from qflowd.daemon.program import ProgramJob
from qflowd.engine.workflow_store import canonical, store_workflow
from qflowd.model.errors import InvalidRequest
from qflowd.model.instruments import Instruments
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import Job, Workflow
from qflowd.plugins.registry import Registry
from qflowd.store.tx import Tx
from qflowd.workers.threads import INLINE, Threads

log = logging.getLogger("qflowd")
INLINE_THREADS: Final = 4


class EmbeddedDaemon(Daemon):
    """A daemon inside a program, whose interpreter it leaves as it is."""

    def __init__(
        self,
        config: Config,
        jobs: Mapping[str, ProgramJob],
        workflows: Mapping[str, Workflow],
        instruments: Instruments | None = None,
    ) -> None:
        self._program_jobs: dict[str, Job] = {name: each.job for name, each in jobs.items()}
        self._program_workflows = tuple(workflows.values())
        functions = {name: each.function for name, each in jobs.items() if each.function is not None}
        if functions:
            config = replace(config, pools={INLINE: PoolConfig(1, INLINE_THREADS), **config.pools})
        backends = {INLINE: partial(Threads, functions)} if functions else {}
        super().__init__(config, backends=backends, instruments=instruments)

    def store_workflow(self, workflow: Workflow) -> None:
        """Make `workflow` the active version of its key, unless it is already.

        Raises: InvalidRequest if a file of our folders defines it; StoreUnavailable.
        """
        folders = self._config.workflows.dirs

        def store_own(tx: Tx) -> int | None:
            row = tx.one("find_definition", tenant=DEFAULT_TENANT, workflow=workflow.key)
            file = row.file if row is not None and row.enabled else None
            if file and any(map(Path(file).is_relative_to, folders)):
                raise InvalidRequest(f"workflow {workflow.key} is defined by {file} too; keep one of the two")
            source = canonical(workflow)
            return store_workflow(
                tx, workflow, source=source, document=source, format="json", file=None, pool_of=self._pool_of
            )

        version = self.store.transact(store_own)
        if version is not None:
            log.info("workflow %s: version %d", workflow.key, version)
            self.topics.publish("schedule")

    def _store_own_workflows(self) -> None:
        for workflow in self._program_workflows:
            self.store_workflow(workflow)

    def _registry(self) -> Registry:
        """Plugins and the program's own jobs; for a name that both define, the program wins."""
        plugins = super()._registry()
        errors = dict(plugins.errors)
        for name in plugins.jobs.keys() & self._program_jobs.keys():
            file = plugins.jobs[name].file
            text = f"job {name!r} is already defined by {self._program_jobs[name].file}; rename one of them"
            errors[file] = f"{errors[file]}; {text}" if file in errors else text
        manifest = plugins.manifest
        if "" in sys.path:  # `python -c` and shells import from the current folder
            manifest = msgspec.structs.replace(manifest, import_path=(*manifest.import_path, str(Path.cwd())))
        return replace(plugins, jobs={**plugins.jobs, **self._program_jobs}, errors=errors, manifest=manifest)
