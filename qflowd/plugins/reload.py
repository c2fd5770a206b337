"""Keeping the registry in step with the folders: look, try, adopt or keep. Nothing here waits for user code."""

import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from qflowd import resources
from qflowd.model.jsontext import clean_text
from qflowd.plugins.folder_watch import FolderWatch
from qflowd.plugins.registry import Change, Registry
from qflowd.plugins.source import Scan, source_file
from qflowd.plugins.trial import IMPORT_TIMEOUT_S, Trial, TrialFailed

ALWAYS = ("delay", "log")
SHIPPED = (*ALWAYS, "shell")
RETRY_S = 30.0  # after a trial that failed outside any file
POLL_S = 0.02

logger = logging.getLogger(__name__)


class Reloader:
    """The registry of the plugin folders, the installed plugins and those that ship with qflowd.

    Args:
        folders: plugin folders, in the order in which they win a job's name.
        enable: shipped plugins that are off unless named, such as `shell`.
        env, cwd: environment and current folder for trying files; those of the workers.
        timeout_s: for importing one file.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        enable: Sequence[str] = (),
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout_s: float = IMPORT_TIMEOUT_S,
    ) -> None:
        self.registry = Registry()
        self.on_change: Callable[[Registry], None] = lambda _registry: None  # called from `poll()` with each new one
        self.is_ready = False  # the folders have been read once and the registry is true
        self._enable = enable
        self._env, self._cwd, self._timeout_s = env, cwd, timeout_s
        self._watch = FolderWatch(folders, (".py",))
        self._change = Change(self.registry, Scan())
        self._trial: Trial | None = None
        self._try_at = 0.0  # at the start, and after a trial that failed
        self._is_reload_asked = False
        self._is_forced = True  # the next registry is adopted, though it may look as before
        self._ruinous: dict[str, str] = {}  # see `TrialRequest`

    def wait_s(self, timeout_s: float) -> None:
        """One round of `poll()`, as soon as what is being tried has answered; at most so much later.

        Raises: TrialFailed if files cannot be tried at all.
        """
        if self._trial is not None:
            self._trial.wait_s(timeout_s)
        self.poll()

    def start(self) -> Registry:
        """Wait until the registry is ready.

        Raises: TrialFailed.
        """
        while not self.is_ready:
            self.wait_s(POLL_S)
        return self.registry

    def stop(self) -> None:
        """Kill what is being tried."""
        if self._trial is not None:
            self._trial.stop()
        self._trial = None

    def reload(self) -> None:
        """Read everything again, installed plugins too, at the next `poll()`. May be called from any thread."""
        self._is_reload_asked = True

    def poll(self) -> float:
        """One bounded round; the first reads the folders and starts trying. Returns seconds until the next is due.

        Raises: TrialFailed while the registry is not ready.
        """
        try:
            self._advance()
        except TrialFailed as error:
            if not self.is_ready:
                raise
            logger.error("%s; plugins stay as they are, next try in %g s", error, RETRY_S)  # noqa: TRY400
            self._trial, self._try_at = None, time.monotonic() + RETRY_S
        if self._trial is not None:
            return POLL_S
        return min(self._watch.due_s(), max(0.0, self._try_at - time.monotonic()))

    def _advance(self) -> None:
        if self._is_reload_asked:
            self._is_reload_asked = False
            self.stop()
            self._ruinous.clear()
            self._is_forced, self._try_at = True, 0.0
        if self._trial is None:
            scan = self._watch.poll() if time.monotonic() < self._try_at else self._watch.start()
            if scan is not None:
                self._change = Change(self.registry, _with_shipped(scan, self._enable))
                self._try()
                self._try_at = math.inf
        findings = None if self._trial is None else self._trial.poll()
        if findings is None:
            return
        registry = self._change.judge(findings)
        if registry is None:
            self._try()
        else:
            self._trial = None
            self._adopt(registry)

    def _try(self) -> None:
        manifest, env, cwd = self._change.manifest(), self._env, self._cwd
        self._trial = Trial(manifest, self._ruinous, env=env, cwd=cwd, timeout_s=self._timeout_s)

    def _adopt(self, registry: Registry) -> None:
        if registry == self.registry and not self._is_forced:
            return
        before, self.registry = self.registry, registry
        self.is_ready, self._is_forced = True, False
        _report(before, registry)
        self.on_change(registry)


def _with_shipped(scan: Scan, enable: Sequence[str]) -> Scan:
    """With the plugins that come with qflowd and are on; in a checkout, their folder may be the user's too."""
    home = str(resources.folder("plugins"))
    paths = {name: f"{home}/{name}.py" for name in SHIPPED}
    files = {path: file for path, file in scan.files.items() if os.path.realpath(path) not in paths.values()}
    for path in (path for name, path in paths.items() if name in ALWAYS or name in enable):
        files[path] = source_file(path, home, Path(path).read_bytes())
    errors = {
        f"[plugins] enable: {name}": f"qflowd ships no plugin {name!r}; there are {', '.join(SHIPPED)}"
        for name in enable
        if name not in SHIPPED
    }
    return Scan(files, {**scan.errors, **errors}, (*scan.roots, home))


def _report(before: Registry, now: Registry) -> None:
    added, gone = sorted(now.jobs.keys() - before.jobs.keys()), sorted(before.jobs.keys() - now.jobs.keys())
    changed = sorted(
        name for name in now.jobs.keys() & before.jobs.keys() if now.jobs[name].hash != before.jobs[name].hash
    )
    news = {"new": added, "changed": changed, "withdrawn": gone}
    listed = "".join(f"; {what}: {', '.join(names)}" for what, names in news.items() if names)
    logger.info("plugins: %d jobs%s", len(now.jobs), listed)
    for path, error in now.errors.items():
        if before.errors.get(path) != error:
            # A name that is not UTF-8 would keep the whole line out of the log.
            logger.error("plugin %s", clean_text(error if error.startswith(path) else f"{path}: {error}"))
