"""A plugin folder, and a reloader on it that is polled until something holds."""

import os
import threading
import time
from pathlib import Path

import pytest

from qflowd.plugins.reload import Reloader
from qflowd.workers.environment import worker_env


class Folder:
    """Writes drop-in files as an ordinary editor does."""

    def __init__(self, path):
        self.path = path

    def write(self, name, source):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return str(path)

    def job(self, name, file=None, returns="1"):
        return self.write(file or f"{name}.py", f"from qflowd import job\n@job\ndef {name}():\n    return {returns}\n")


@pytest.fixture
def folder(tmp_path):
    before = os.umask(0o022)
    (tmp_path / "plugins").mkdir()
    yield Folder(tmp_path / "plugins")
    os.umask(before)


@pytest.fixture
def make_reloader():
    """Reloaders that are stopped in the end."""
    made = []

    def make(*folders, **options):
        env = worker_env(os.environ)
        on_change = options.pop("on_change", lambda _registry: None)
        made.append(Reloader([Path(folder) for folder in folders], options.pop("enable", ()), env=env, **options))
        made[-1].on_change = on_change
        return made[-1]

    yield make
    for reloader in made:
        reloader.stop()


def poll_until(reloader, condition, within_s=15.0):
    """Poll as the daemon does; returns the seconds it took."""
    start = time.monotonic()
    while not condition(reloader.registry):
        if time.monotonic() - start > within_s:
            pytest.fail(f"not within {within_s} s; errors: {dict(reloader.registry.errors)}")
        time.sleep(min(reloader.poll(), 0.01))
    return time.monotonic() - start


class Served:
    """A reloader that a thread serves as the daemon does: it sleeps as long as `poll()` says."""

    def __init__(self, make_reloader, *folders, **options):
        self.changed = threading.Condition()
        self._is_over = False
        self.reloader = make_reloader(*folders, on_change=self._on_change, **options)
        self.reloader.start()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._is_over:
            time.sleep(self.reloader.poll())

    def _on_change(self, _registry):
        with self.changed:
            self.changed.notify_all()

    def until(self, condition, within_s=15.0):
        """Wait for registries until one meets `condition`; well below the 30 s after which all is read anyway."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self.reloader.registry), within_s):
                pytest.fail(f"not within {within_s} s; errors: {dict(self.reloader.registry.errors)}")

    def stop(self):
        self._is_over = True
        self._thread.join()


@pytest.fixture
def serve(make_reloader):
    """Serves reloaders until the test is over."""
    served = []

    def start(*folders, **options):
        served.append(Served(make_reloader, *folders, **options))
        return served[-1]

    yield start
    for each in served:
        each.stop()
