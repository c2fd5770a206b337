"""The rig: a database, a folder for a daemon, the daemon itself, and the questions that all benchmarks ask."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qflowd.store.inbox import SUBMISSION
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.servers import MAKERS

DATABASES = ("sqlite", "postgres", "mariadb")
NOOP = "from qflowd import job\n\n\n@job\ndef noop() -> dict:\n    return {'ok': 1}\n"


class Rig:
    """One daemon's folder beside one empty database."""

    def __init__(self, url: str, folder: Path, server_log: Path) -> None:
        self.url = url
        self.folder = folder
        self.server_log = server_log
        self.store = Store(url)
        migrate(self.store)
        (folder / "plugins").mkdir(mode=0o755)
        (folder / "workflows").mkdir(mode=0o755)
        (folder / "qflowd.toml").write_text(
            '[plugins]\ndirs = ["plugins"]\n[workflows]\ndirs = ["workflows"]\n[pools.default]\nprocesses = 2\n'
        )
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start the daemon; seconds until it says that it is ready."""
        env = os.environ | {"QFLOWD_CONFIG": str(self.folder / "qflowd.toml"), "QFLOWD_DATABASE_URL": self.url}
        began = time.monotonic()
        with (self.folder / "daemon.log").open("wb") as log:
            command = [sys.executable, "-m", "qflowd", "run"]
            self.daemon = subprocess.Popen(command, env=env, cwd=self.folder, stderr=log)
        self.wait_for(lambda: b"ready in" in (self.folder / "daemon.log").read_bytes(), "the daemon to be ready")
        return time.monotonic() - began

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(30)
            self.daemon = None

    def plugin(self, name: str, text: str) -> None:
        """Drop a plugin file in, whole."""
        self._drop("plugins", name, text)

    def workflow(self, name: str, text: str) -> None:
        self._drop("workflows", name, text)

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

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 120.0) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until or (self.daemon and self.daemon.poll() is not None):
                log = (self.folder / "daemon.log").read_text()[-2000:]
                raise SystemExit(f"waited in vain for {what}\n{log}")
            time.sleep(0.02)


@contextmanager
def started(database: str, plugin: str, text: str) -> Iterator[Rig]:
    """A rig with this plugin file, its daemon up."""
    with rigs(database) as make:
        rig = make()
        rig.plugin(plugin, text)
        rig.start()
        yield rig


@contextmanager
def rigs(database: str) -> Iterator[Callable[[], Rig]]:
    """A server with its default durability, and a maker of rigs on fresh databases of it."""
    with MAKERS[database](durable=True) as server, tempfile.TemporaryDirectory() as home:
        server.start()
        made: list[Rig] = []

        def make() -> Rig:
            for rig in made:
                rig.stop()
                rig.store.close()
            folder = Path(home) / f"rig{len(made)}"
            folder.mkdir(mode=0o755)
            made.append(Rig(server.create_database(), folder, server.log))
            return made[-1]

        try:
            yield make
        finally:
            for rig in made:
                rig.stop()
                rig.store.close()
