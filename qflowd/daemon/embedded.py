"""`Engine`: the daemon inside a user's program.

It touches no signal handler, no logging configuration and no setting of the interpreter: the program is the user's.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.config import from_settings
from qflowd.config import load as load_config
from qflowd.config.records import PoolConfig
from qflowd.daemon.daemon import Daemon
from qflowd.daemon.idle import report_outcome, wait_until_idle
from qflowd.daemon.program import Program, program_job
from qflowd.define.builders import WorkflowBuilder
from qflowd.engine.definitions.workflow_store import canonical
from qflowd.model.errors import InvalidRequest
from qflowd.model.instruments import Instruments, Listener
from qflowd.model.workflow import Workflow
from qflowd.store.dialects import dialect_for
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from qflowd.workers.threads import INLINE, Threads

log = logging.getLogger("qflowd")
INLINE_THREADS: Final = 4
NOW_S: Final = 10.0  # how long an end "now" waits for what comes back to be written


class Engine:
    """A qflowd daemon inside this program.

        engine = Engine("sqlite:///qflow.db", pools={"default": 2})
        engine.with_job(fetch_bars)
        with engine:
            run = engine.client.submit(job="fetch_bars", params={"symbol": "AAPL"})
            print(run.wait(), run.output())

    Args:
        url: of the database; None: that of the configuration (`QFLOWD_DATABASE_URL`, the file, ./qflow.db).
        config: a configuration file. Without it and without `url`, the usual one is looked for (`QFLOWD_CONFIG`,
            ./qflowd.toml); with a `url` none is.
        pools: by name, the number of worker processes, or what a file says: `{"processes": 2, "threads": 4}`. For
            the pool `inline`, where functions run that no worker can import, the number of threads (default 4).
        plugins, workflows: folders to follow, in place of those of the configuration.
        daemon: `name`, `lease`, `grace`, `timeout`, `run_dir`, as in the section `[daemon]`.

    Raises: InvalidConfig with every fault.

    An Engine may be started again after it was stopped. Workers see neither this program's environment (except the
    few names that the configuration allows) nor its memory. Changed code of a job needs a new start of the program.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        config: str | Path | None = None,
        pools: Mapping[str, int | Mapping[str, int]] | None = None,
        plugins: Sequence[str | Path] | None = None,
        workflows: Sequence[str | Path] | None = None,
        **daemon: Any,
    ) -> None:
        is_alone = url is not None and config is None
        folders = {"plugins": plugins, "workflows": workflows}
        settings: dict[str, dict[str, Any]] = {
            "daemon": {key: str(value) if isinstance(value, Path) else value for key, value in daemon.items()},
            "pools": {name: _pool(name, size) for name, size in (pools or {}).items()},
        }
        for name, given in folders.items():
            if given is not None or is_alone:
                settings[name] = {"dirs": [str(folder) for folder in given or ()]}
        if url is not None:
            settings["database"] = {"url": url}
        if is_alone:
            self._config = from_settings(settings)
        else:
            path, environ = None if config is None else Path(config), os.environ if url is None else {}
            self._config = load_config(path, environ, settings)
        self._program = Program()
        self._instruments = Instruments()
        self._lock = threading.RLock()
        self._client_lock = threading.Lock()  # its own: a job in a thread may ask for the client while stop() waits
        self._daemon: Daemon | None = None
        self._client: Client | None = None

    # -- what it knows

    def with_job(
        self, function: Callable[..., Any], *, name: str | None = None, inline: bool | None = None, **settings: Any
    ) -> Self:
        """Make `function` a job, decorated with `@job` or not. Call it before `start()`.

        A function at the top of a module runs in worker processes, which import that module by its name. A closure,
        lambda, local function or bound method runs in a thread of this process, pool `inline`. Such a thread cannot
        be killed: a timeout makes the attempt FAILED (`timeout`) and sets `context().cancelled`; a coroutine is
        cancelled, anything else continues beside the next attempt, and what it returns is dropped. There
        `context().logger` writes to `qflow.logs`; what is printed stays this program's output.

        Args:
            name: of the job; the function's own if not given.
            inline: True runs an importable function in a thread too; False refuses one that is not importable.
            settings: as of `@job`, for a function that is not decorated.

        Raises: InvalidJob, for a function of the program's main file too: workers do not run that.
        """
        added = program_job(function, name=name, run_inline=inline, settings=settings)
        with self._lock:
            if self._daemon is not None:
                raise InvalidRequest("the engine runs; jobs are added before start(), or after stop()")
            self._program.add_job(added)
        return self

    def with_workflow(self, workflow: Workflow | WorkflowBuilder) -> Self:
        """Store a workflow when the engine starts, or at once if it runs; a changed one becomes the next version.

        Raises: InvalidWorkflow; if it runs also InvalidRequest and StoreUnavailable.
        """
        built = workflow.build() if isinstance(workflow, WorkflowBuilder) else workflow
        canonical(built)
        with self._lock:
            if self._daemon is not None:
                self._daemon.store_workflow(built)
            self._program.workflows[built.key] = built
        return self

    def with_listener(self, listener: Listener) -> Self:
        """Have `listener` called with every event, a record of `qflowd.model.instruments`, from now on.

        The engine's threads call it, so it must be quick. One that raises is logged once.
        """
        self._instruments.listen(listener)
        return self

    # -- its life

    @property
    def is_running(self) -> bool:
        return self._daemon is not None

    @property
    def client(self) -> Client:
        """A client of the engine's database, which is migrated if need be. What is submitted now waits for `start()`.

        Raises: as `start()`; InvalidRequest if this program has the SQLite file open by other means.
        """
        with self._client_lock:
            if self._client is None:
                self._refuse_open_file()
                store = Store(self._config.database.url)
                try:
                    migrate(store)
                except BaseException:
                    store.close()
                    raise
                self._client = Client(DatabaseTransport(store))
            return self._client

    def start(self) -> Self:
        """Come up; returns when ready. Waits as long as the database is away. Does nothing if it runs.

        Raises: SchemaTooNew, StoreUnsupported, QflowdError for what waiting does not fix; InvalidRequest inside a
            worker, or if this program has the SQLite file open by other means than qflowd.
        """
        with self._lock:
            if self._daemon is not None:
                return self
            if "QFLOWD_CREW" in os.environ:
                raise InvalidRequest(
                    "an Engine was started by a module that a worker imports; start it below `if __name__ == '__main__':`"
                )
            self._refuse_open_file()
            daemon = self._build_daemon()
            try:
                daemon.start()
            except BaseException:
                daemon.close()
                raise
            self._daemon = daemon
            log.info("ready: daemon %d on %s", daemon.identity.id, self._config.database.shown)
        return self

    def stop(self, *, now: bool = False, timeout: float | None = None) -> None:
        """Take no more, let what runs finish, give back the rest. Does nothing if it does not run.

        Closes the connections of `client`; it connects again when it is used again.

        Args:
            now: kill the workers; what they ran comes back, and runs again when a daemon comes.
            timeout: seconds to wait for what runs; then as `now`. None: as long as it takes.
        """
        with self._lock:
            daemon = self._daemon
            if daemon is None:
                return
            try:
                if now or not daemon.drain(_is_after(timeout)):
                    daemon.drain(_is_after(NOW_S), now=True)
            except BaseException:  # Ctrl-C while it waits: the user has no patience left
                daemon.drain(_is_after(NOW_S), now=True)
                raise
            finally:
                self._daemon = None
                with self._client_lock:
                    if self._client is not None:
                        self._client.close()
                daemon.close()

    def run_until_idle(self, timeout: float | None = None) -> bool:
        """Run until nothing is open but what waits for a time, a fact, a person or an unknown job; stops what it started.

        Args:
            timeout: seconds; None waits for ever.

        Returns: whether no instance failed meanwhile, and no task is left that could never begin.

        Raises: TimeoutError; as `start()`.
        """
        daemon = self._daemon
        if daemon is None:
            with self:
                return self.run_until_idle(timeout)
        since = daemon.store.clock.now()
        if not wait_until_idle(daemon, _is_after(timeout)):
            raise TimeoutError(f"there is still work to do after {timeout:g} s")
        return not report_outcome(daemon, since)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Drained and stopped; after an error in the block, stopped now."""
        self.stop(now=error is not None)

    def _build_daemon(self) -> Daemon:
        config, backends, inline = self._config, {}, self._program.inline()
        if inline:
            config = replace(config, pools={INLINE: PoolConfig(1, INLINE_THREADS), **config.pools})
            backends[INLINE] = partial(Threads, inline)
        return Daemon(config, program=self._program, backends=backends, instruments=self._instruments)

    def _refuse_open_file(self) -> None:
        """A second SQLite library in one process takes away the first one's locks."""
        file = dialect_for(self._config.database.url).file
        if file is None:
            return
        from qflowd.store.open_files import is_open_elsewhere

        if is_open_elsewhere(file):
            raise InvalidRequest(
                f"this program has {file} open by other means than qflowd (Python's sqlite3, or a plain open()); "
                "closing that would drop qflowd's locks. Close it first, or read it in another process"
            )


def _pool(name: str, size: int | Mapping[str, int]) -> dict[str, int]:
    """A pool as a file holds it: a number means processes, for the pool of this process threads."""
    if isinstance(size, Mapping):
        return dict(size)
    return {"threads" if name == INLINE else "processes": size}


def _is_after(timeout_s: float | None) -> Callable[[], bool]:
    """Says whether so many seconds have passed since now; None: never."""
    end = math.inf if timeout_s is None else time.monotonic() + timeout_s
    return lambda: time.monotonic() > end
