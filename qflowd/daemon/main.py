"""`qflowd run`: signals, readiness, the watchdog, and the way to the end."""

import gc
import logging
import math
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from qflowd.config.records import Config
from qflowd.daemon import log as daemon_log
from qflowd.daemon.idle import report_outcome, wait_until_idle
from qflowd.daemon.plugins import reloader_for
from qflowd.store.clock import boottime
from qflowd.workers import linux

if TYPE_CHECKING:
    from qflowd.daemon.api_process import ApiProcess
    from qflowd.daemon.daemon import Daemon
    from qflowd.store.tx import Fault

log = logging.getLogger("qflowd")
AT_ONCE_S = 3.0  # to write what is known after the second signal


def main(config: Config, *, until_idle: bool = False, fault: "Fault | None" = None) -> int:
    """Run a daemon until it is told to stop, or until nothing is left to do.

    Args:
        fault: called at every point of a transaction; tests kill the daemon there.

    Returns: 0; 1 if `until_idle` and an instance failed meanwhile, or a task is left that could never begin.
    """
    daemon_log.set_up(config.log.format, config.log.level)
    linux.hide_from_peers()  # workers run as the same user, and must not read the password of the database here
    began = time.monotonic()
    reloader = reloader_for(config)
    reloader.poll()
    # Imported only now: the process that tries the plugins works meanwhile.
    from qflowd.daemon.daemon import Daemon
    from qflowd.daemon.notify import Watchdog, notify, watchdog_s
    from qflowd.engine.service import ServiceThread

    daemon = Daemon(config, reloader=reloader, fault=fault)
    stop = _StopOnSignal(daemon)
    # A run that ends by itself has nobody who would look at it.
    api = _api_process(config, daemon) if config.api.enabled and not until_idle else None
    try:
        daemon.start()
        gc.freeze()  # rows come and go by the thousand; what is here now stays. Saves a tenth of the hot loop
        gc.set_threshold(50_000, 20, 100)
        started_at = daemon.store.clock.now()
        if not stop.asked.is_set():
            notify("READY=1")
            log.info(
                "ready in %.2f s: daemon %d on %s", time.monotonic() - began, daemon.identity.id, config.database.shown
            )
        if feed_s := watchdog_s():
            ServiceThread(Watchdog(daemon.lease, feed_s), daemon.topics).start()
        if until_idle:
            wait_until_idle(daemon, stop.asked.is_set)
        else:
            stop.asked.wait()
        if not stop.is_to_start_again:
            notify("STOPPING=1")
            daemon.stop()
            if not daemon.is_drained():
                log.info("stopping once what runs has ended; a second signal ends it now")
            daemon.drain(lambda: boottime() > stop.ends_at)
            return int(until_idle and report_outcome(daemon, started_at))
    finally:
        if api is not None:
            api.close()
        daemon.close()
        log.info("stopped")
    # Every cache here belongs to the file that was replaced; the process keeps its number, by which systemd knows it.
    return os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - ourselves


def _api_process(config: Config, daemon: "Daemon") -> "ApiProcess":
    """The HTTP server, which comes up beside the daemon."""
    from qflowd.daemon.api_process import ApiProcess
    from qflowd.engine.service import ServiceThread

    process = ApiProcess(config.file)
    ServiceThread(process, daemon.topics).start()
    return process


class _StopOnSignal:
    """First TERM or INT: drain. Second: now. HUP: read plugins again."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self.asked = threading.Event()
        self.ends_at = math.inf  # CLOCK_BOOTTIME: then without the database too
        self.is_to_start_again = False
        daemon.start_again = self._start_again
        # The kernel may give a signal to any thread, and does after SIGCONT. The main thread, asleep, would run no handler
        # then; so the interpreter's own handler writes the number into a pipe, and a thread acts on it.
        self._signals, handler = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(handler, False)
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(handler, warn_on_full_buffer=False)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(signum, _left_to_the_pipe)
        threading.Thread(target=self._act, name="qflowd-signals", daemon=True).start()

    def _start_again(self) -> None:
        self.is_to_start_again = not self.asked.is_set()
        self.asked.set()

    def _act(self) -> None:
        while True:
            for signum in os.read(self._signals, 64):
                if signum == signal.SIGHUP:
                    self._daemon.reload_plugins()
                elif signum in (signal.SIGTERM, signal.SIGINT):
                    is_second = self.asked.is_set()
                    if is_second:
                        self.ends_at = min(self.ends_at, boottime() + AT_ONCE_S)
                    self.is_to_start_again = False
                    self.asked.set()
                    self._daemon.stop(now=is_second)


def _left_to_the_pipe(signum: int, frame: FrameType | None) -> None:
    """Without a handler of Python's nothing would be written."""
