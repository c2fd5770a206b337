"""Keeping the registry in step with the folders: look, try, hand over. Nothing here waits for user code."""

import logging
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qflowd import resources
from qflowd.model.jsontext import clean_text
from qflowd.plugins.findings import IMPORT_TIMEOUT_S, Findings, Request
from qflowd.plugins.registry import Advance, Registry
from qflowd.plugins.source import Scan, SourceFile, scan
from qflowd.plugins.trial_link import Trial, TrialFailed
from qflowd.plugins.watch import FolderWatch

ALWAYS = frozenset({"log", "delay"})
SHIPPED = ALWAYS | {"shell"}
HOLD_S = 10.0  # a file that drops all its jobs is believed after so long
RETRY_S = 30.0
POLL_S = 0.02

logger = logging.getLogger(__name__)


class Reloader:
    """The registry of the plugin folders, the installed plugins and those that ship with qflowd.

    Args:
        folders: plugin folders, in the order in which they win a job's name.
        enable: shipped plugins that are off unless named, such as `shell`.
        env, cwd: environment and current folder for trying files; those of the workers.
        on_change, wake: see `tell`.
        watch: of these folders, if it is to be another than the usual one.
        timeout_s: for importing one file.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        enable: Sequence[str] = (),
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        on_change: Callable[[Registry], None] = lambda _registry: None,
        wake: Callable[[], None] = lambda: None,
        watch: FolderWatch | None = None,
        timeout_s: float = IMPORT_TIMEOUT_S,
    ) -> None:
        self.registry = Registry()
        self.is_ready = False  # the folders have been read once and the registry is true
        self._has_begun = False
        self._shipped = shipped(enable)
        self.tell(on_change, wake)
        self._env, self._cwd = env, cwd
        self._timeout_s = timeout_s
        self._watch = watch or FolderWatch(folders, (".py",), self._wake_up)
        self._scan = Scan()
        self._reloads = 0
        self._is_reload_asked = False
        self._next: tuple[bool, bool] | None = None  # (discover, skip culprits) of the advance to begin
        self._owes_retry = False  # to culprits, with all the time that a file may take
        self._steps: Generator[Request, Findings, Registry] | None = None
        self._running: tuple[bool, bool] = (False, False)
        self._trial: Trial | None = None
        self._emptied: dict[tuple[str, str], float] = {}  # (path, hash) -> since when it defines no job
        self._hold_due: float | None = None
        self._later = (False, True)  # the advance to begin when that is due

    def tell(self, on_change: Callable[[Registry], None], wake: Callable[[], None]) -> None:
        """Whom to tell from now on.

        Args:
            on_change: called from `poll()` with each new registry.
            wake: called from another thread when `poll()` should be called soon.
        """
        self._on_change, self._wake = on_change, wake

    def begin(self) -> None:
        """Read the folders and start trying them, unless that was done; `wait_s()` until `is_ready`."""
        if not self._has_begun:
            self._has_begun = True
            self._scan = self._watch.start()
            self._begin(discover=True, skip_culprits=False)

    def wait_s(self, timeout_s: float) -> None:
        """One round of `poll()`, as soon as what is being tried has answered; at most so much later.

        Raises: TrialFailed if files cannot be tried at all.
        """
        if self._trial is not None:
            self._trial.wait_s(timeout_s)
        self.poll()

    def start(self) -> Registry:
        """Begin, and wait until the registry is ready.

        Raises: TrialFailed.
        """
        self.begin()
        while not self.is_ready:
            self.wait_s(POLL_S)
        return self.registry

    def stop(self) -> None:
        """Stop watching, and kill what is being tried."""
        self._abandon()
        self._watch.stop()

    def reload(self) -> None:
        """Read everything again, installed plugins too, at the next `poll()`. May be called from any thread."""
        self._is_reload_asked = True
        self._wake()

    def poll(self) -> float:
        """One bounded round; returns seconds until the next is due, unless `wake` comes first."""
        if self._is_reload_asked:
            self._is_reload_asked = False
            self._abandon()
            self._reloads += 1
            self._watch.look_again()
            self._emptied.clear()
            self._next = (True, False)
        self._look()
        if self._steps is None and self._next is not None:
            self._begin(*self._next)
        if self._steps is not None:
            self._step()
        if self._steps is not None or self._next is not None:
            return POLL_S
        waits = [self._watch.due_s()]
        if self._hold_due is not None:
            waits.append(max(0.0, self._hold_due - time.monotonic()))
        return min(waits)

    def _look(self) -> None:
        is_retrying = self._steps is not None and self._retries_culprits
        if self._steps is not None and not is_retrying:
            return
        found = self._watch.poll()
        if found is not None:
            self._scan = found
            self._owes_retry |= is_retrying
            self._abandon()  # a retry of culprits gives way to what is new
            self._next = (self._next is not None and self._next[0], True)
        elif self._hold_due is not None and time.monotonic() >= self._hold_due and self._steps is None:
            self._hold_due = None
            self._next, self._later = self._next or self._later, (False, True)

    @property
    def _retries_culprits(self) -> bool:
        return self.is_ready and self._running == (False, False)

    def _begin(self, discover: bool, skip_culprits: bool) -> None:  # noqa: FBT001 - the pair in self._next
        self._next = None
        self._hold_due = None
        self._running = (discover, skip_culprits)
        self._steps = Advance(
            self.registry,
            _without_shipped(self._scan).plus(self._shipped),
            import_path=tuple(filter(None, sys.path)),
            salt=str(self._reloads),
            discover=discover,
            skip_culprits=skip_culprits,
            timeout_s=self._timeout_s,
            may_empty=self._may_empty,
            hurry=self.is_ready and not self._retries_culprits,
        ).steps()
        self._try(next(self._steps))

    def _try(self, request: Request) -> None:
        self._trial = Trial(request, env=self._env, cwd=self._cwd)

    def _step(self) -> None:
        if self._steps is None or self._trial is None:
            return
        try:
            answer = self._trial.poll()
            if answer is None:
                return
            self._try(self._steps.send(answer))
        except StopIteration as end:
            self._accept(end.value)
        except TrialFailed as error:
            if not self.is_ready:
                raise
            logger.error("%s; plugins stay as they are, next try in %g s", error, RETRY_S)  # noqa: TRY400
            self._steps = self._trial = None
            self._later = self._running
            self._hold_due = time.monotonic() + RETRY_S

    def _accept(self, registry: Registry) -> None:
        self._steps = self._trial = None
        before, self.registry = self.registry, registry
        is_news = (before.generation, before.culprits) != (registry.generation, registry.culprits)
        if self.is_ready and not self._retries_culprits and registry.culprits and (is_news or self._owes_retry):
            self._next = (False, False)  # it only takes long, or what is new mends it
        self._owes_retry = False
        if self.is_ready and registry.looks_like(before):
            return
        self.is_ready = True
        _report(before, registry)
        self._on_change(registry)

    def _wake_up(self) -> None:
        self._wake()

    def _abandon(self) -> None:
        if self._trial is not None:
            self._trial.stop()
        self._steps = self._trial = None

    def _may_empty(self, file: SourceFile) -> bool:
        now = time.monotonic()
        since = self._emptied.setdefault((file.path, file.hash), now)
        if self._reloads and self._running[0]:
            return True
        if now - since < HOLD_S:
            self._hold_due = min(self._hold_due or since + HOLD_S, since + HOLD_S)
            return False
        return True


def shipped(enable: Sequence[str]) -> Scan:
    """The plugins that come with qflowd and are on: `log`, `delay`, and those of `enable`."""
    found = scan([resources.plugins_dir()], (".py",), trusted_only=False)
    names = {Path(path).stem: path for path in found.files if Path(path).stem in SHIPPED}
    errors = {
        f"[plugins] enable: {name}": f"qflowd ships no plugin {name!r}; there are {', '.join(sorted(names))}"
        for name in enable
        if name not in names
    }
    chosen = {path: found.files[path] for name, path in names.items() if name in ALWAYS or name in enable}
    return Scan(chosen, errors, found.roots)


def _without_shipped(found: Scan) -> Scan:
    """In a checkout `plugins/` may be the user's folder too; what ships is still on or off by `enable`."""
    home = resources.plugins_dir()
    files = {
        path: file
        for path, file in found.files.items()
        if Path(path).stem not in SHIPPED or Path(path).parent.resolve() != home
    }
    return replace(found, files=files)


def _report(before: Registry, now: Registry) -> None:
    added, gone = sorted(now.jobs.keys() - before.jobs.keys()), sorted(before.jobs.keys() - now.jobs.keys())
    changed = sorted(
        name for name in now.jobs.keys() & before.jobs.keys() if now.jobs[name].hash != before.jobs[name].hash
    )
    news = {"new": added, "changed": changed, "withdrawn": gone}
    told = "".join(f"; {what}: {', '.join(names)}" for what, names in news.items() if names)
    logger.info("plugins: generation %s, %d jobs%s", now.generation, len(now.jobs), told)
    for path, error in now.errors.items():
        if before.errors.get(path) != error:
            level = logging.INFO if path in now.put_off else logging.ERROR
            # A name that is no UTF-8 would keep the whole line out of the log.
            said = error if error.startswith(path) else f"{path}: {error}"
            logger.log(level, "plugin %s", clean_text(said))
