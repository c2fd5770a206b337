"""The rig: a database, a folder for a daemon of some build, the daemon itself, and the questions that all benchmarks ask."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.builds import Build
from qflowd.model.states import InstanceState, TaskState
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Store
from tests.support.servers import MAKERS

DATABASES = ("sqlite", "postgres", "mariadb")
PROCESSES = 2  # of the daemon's only pool
NOOP = "from qflowd import job\n\n\n@job\ndef noop() -> dict:\n    return {'ok': 1}\n"
SECONDS = {  # from the submission to the close of an instance
    "sqlite": "SELECT MAX(finished_at - created_at) / 1e6 FROM qflow.workflow_instance WHERE id = {id}",
    "postgres": "SELECT EXTRACT(EPOCH FROM finished_at - created_at) FROM qflow.workflow_instance WHERE id = {id}",
    "mysql": "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, finished_at) / 1e6 FROM qflow.workflow_instance WHERE id = {id}",
}


class Rig:
    """One daemon's folder beside one empty database."""

    def __init__(self, build: Build, url: str, folder: Path, server_log: Path) -> None:
        self.build, self.url, self.folder, self.server_log = build, url, folder, server_log
        (folder / "plugins").mkdir(mode=0o755)
        (folder / "workflows").mkdir(mode=0o755)
        self.configure(PROCESSES)
        self.daemon: subprocess.Popen[bytes] | None = None
        subprocess.run([*self.command, "migrate"], env=self.env, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        self.store = Store(url)

    @property
    def dialect(self) -> str:
        """`sqlite`, `postgres` or `mysql`."""
        return self.store.dialect.name

    @property
    def pid(self) -> int:
        """The process of the daemon that runs."""
        assert self.daemon is not None
        return self.daemon.pid

    @property
    def command(self) -> list[str]:
        """What starts this build's command line."""
        return [self.build.python, "-m", "qflowd"]

    @property
    def env(self) -> Mapping[str, str]:
        """Its environment, which names configuration and database."""
        return os.environ | {"QFLOWD_CONFIG": str(self.folder / "qflowd.toml"), "QFLOWD_DATABASE_URL": self.url}

    def configure(self, processes: int, more: str = "") -> None:
        """Write the configuration: the size of the only pool, and whatever else; before the daemon starts."""
        (self.folder / "qflowd.toml").write_text(
            '[plugins]\ndirs = ["plugins"]\n[workflows]\ndirs = ["workflows"]\n'
            f"[pools.default]\nprocesses = {processes}\n{more}"
        )

    def start(self) -> float:
        """Start the daemon; seconds until it says that it is ready."""
        began = time.monotonic()
        with (self.folder / "daemon.log").open("wb") as log:
            self.daemon = subprocess.Popen([*self.command, "run"], env=self.env, cwd=self.folder, stderr=log)
        self.wait_for(lambda: b"ready in" in (self.folder / "daemon.log").read_bytes(), "the daemon to be ready")
        return time.monotonic() - began

    def stop(self) -> None:
        """End the daemon, if one runs."""
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(30)
            self.daemon = None

    def plugin(self, name: str, text: str) -> None:
        """Drop a plugin file in, whole."""
        self._drop("plugins", name, text)

    def workflow(self, key: str, tasks: Mapping[str, Any], **more: Any) -> None:
        """Drop a workflow file in, whole; `tasks` and what else it says, as in a document."""
        self._drop("workflows", f"{key}.json", json.dumps({"workflow": key, "tasks": tasks} | more))

    def _drop(self, folder: str, name: str, text: str) -> None:
        part = self.folder / f".{name}"
        part.write_text(text)
        part.chmod(0o644)
        part.rename(self.folder / folder / name)

    def submit(self, count: int = 1, **columns: Any) -> None:
        """Rows in the inbox, in one transaction."""

        def insert(tx: Any) -> None:
            for _ in range(count):
                tx.run("insert_submission", **(SUBMISSION | {"trigger_type": "bench"} | columns))

        self.store.transact(insert)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a ready text, in a snapshot of its own."""
        return self.store.connection().script(sql)

    def admit_then_begin(self, workflow: str, instances: int, timeout_s: float = 120.0, plugin: str = NOOP) -> None:
        """Have everything admitted while no daemon knows the job; then drop its plugin in."""
        if self.daemon is None:
            self.start()
        stored = f"SELECT 1 FROM qflow.workflow_definition WHERE workflow = '{workflow}'"
        self.wait_for(lambda: bool(self.ask(stored)), f"workflow {workflow}")
        admitted = "SELECT COUNT(*) FROM qflow.workflow_instance"
        wanted = self.ask(admitted)[0][0] + instances
        self.submit(instances, workflow=workflow)
        self.wait_for(lambda: self.ask(admitted)[0][0] == wanted, "admission", timeout_s)
        self.plugin("noop.py", plugin)

    def submit_to_close(self, workflow: str) -> float:
        """Seconds from the submission to the close of one instance."""
        closed = self.closed()
        self.submit(workflow=workflow)
        self.wait_for(lambda: self.closed() > closed, f"the end of {workflow}")
        [(number,)] = self.ask("SELECT MAX(id) FROM qflow.workflow_instance")
        [(seconds,)] = self.ask(SECONDS[self.dialect].format(id=number))
        return float(seconds)

    def closed(self) -> int:
        """How many instances have ended well; one that does not makes every wait for it end in vain."""
        ended = f"SELECT COUNT(*) FROM qflow.workflow_instance WHERE state = {InstanceState.SUCCESS:d}"
        return int(self.ask(ended)[0][0])

    def count_successes(self, wanted: int) -> None:
        """Raises: SystemExit unless so many tasks have succeeded."""
        [(done,)] = self.ask(f"SELECT COUNT(*) FROM qflow.task_instance WHERE state = {TaskState.SUCCESS:d}")
        if done != wanted:
            raise SystemExit(f"{done} tasks are SUCCESS, not {wanted}")

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 120.0) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until or (self.daemon and self.daemon.poll() is not None):
                log = (self.folder / "daemon.log").read_text()[-2000:]
                raise SystemExit(f"{self.build.name}: waited in vain for {what}\n{log}")
            time.sleep(0.02)


MakeRig = Callable[[Build], Rig]


@contextlib.contextmanager
def rigs(database: str) -> Iterator[MakeRig]:
    """A maker of rigs, each on a server of its own with its default durability: a new one ends the one before.

    On a server that others have written to, the later one is slower: of checkpoints and of what they left in catalogs.
    """
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as current:
        numbers = itertools.count()

        def make(build: Build) -> Rig:
            current.close()
            folder = Path(home) / f"rig{next(numbers)}"
            folder.mkdir(mode=0o755)
            server = current.enter_context(MAKERS[database](durable=True))
            rig = Rig(build, server.create_database(), folder, server.log)
            current.callback(rig.store.close)
            current.callback(rig.stop)
            return rig

        yield make


# -- what the kernel says of processes


def children(pid: int) -> list[int]:
    """The processes that this one has started and that have not been reaped."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def nursery_and_workers(daemon: int) -> tuple[int, list[int]]:
    """The one child of a daemon, and that one's children."""
    [nursery] = children(daemon)
    return nursery, children(nursery)


def resident_mb(pid: int) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def cpu_s(pid: int) -> float:
    """Seconds on a core; to the nanosecond, where `stat` samples a hundred times a second and misses short waking."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def bytes_read(pids: Iterable[int]) -> int:
    """Bytes that these processes have read from files and pipes so far."""
    return sum(int(Path(f"/proc/{pid}/io").read_text().split("\n")[0].split()[1]) for pid in pids)
