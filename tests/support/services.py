"""Services of a daemon as tests of others need them, on a store of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qflowd.define.documents import SUFFIXES
from qflowd.engine.admission.admit import Admitter
from qflowd.engine.admission.intake import Intake
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.definitions.workflow_files import WorkflowFiles
from qflowd.engine.service import Topics
from qflowd.model.workflow import Job
from qflowd.plugins.folder_watch import FolderWatch
from qflowd.store.tx import Store


def admit_all(store: Store, *jobs: str) -> None:
    """Take every open submission. `jobs`: that are known beside the registered ones."""
    known = RegisteredJobs()
    known.own = {name: Job(name=name, module="", file="", hash="") for name in jobs}
    admitter = Admitter(store, Intake(Plans(), LaneIds(store), known), Topics())
    while admitter.tick() == 0:
        pass


def watch_files(
    store: Store, topics: Topics, folders: Sequence[Path], pool_of: Callable[[str], str | None]
) -> WorkflowFiles:
    """The service on these folders as after a start of the daemon: it has read all, and looks at files at each tick."""
    watch = FolderWatch(folders, tuple(SUFFIXES), trusted_only=False, settle_s=0, reread_s=0)
    service = WorkflowFiles(store, topics, folders, pool_of, watch=watch)
    service.read_all()
    return service
