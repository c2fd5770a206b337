"""What it costs the engine that somebody looks: no-op tasks a second with and without a dashboard's requests, in turn."""

import threading
import time
from argparse import Namespace
from statistics import mean

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from bench.served import Api, exists, get, served, token_of
from bench.throughput import run

ABOUT = "what a dashboard that looks costs the engine: its stream, and what a run's page asks again while it changes"
SHAPES = ("flat", "chain")  # in chains, the instance that is watched changes until the end
WATCHED = 1  # the instance whose page is open
TOPICS = f"overview,notifications,instances,instance:{WATCHED}"
AGAIN = ("/instances/{id}/tasks?limit=200", "/instances/{id}/timeline?bins=200")
AGAIN_S = 5.0  # as the page does it
LONGER = 10  # than other runs, which end before the stream has looked more than once or twice


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    """Runs of a shape: nobody, somebody, somebody, nobody, so that a slower machine is slower for both."""
    figures = {}
    for shape in SHAPES:
        found: dict[bool, list[float]] = {False: [], True: []}
        used: dict[bool, list[float]] = {False: [], True: []}
        shares = []
        for is_watched in (False, True, True, False):
            rig = make(build)
            rate, share = _run(rig, shape, LONGER * args.tasks, is_watched=is_watched)
            found[is_watched].append(rate)
            used[is_watched].append(cpu_s(rig.pid))
            rig.stop()
            if is_watched:
                shares.append(share)
        figures[f"{shape}, watched, of unwatched"] = mean(found[True]) / mean(found[False])
        figures[f"{shape}, daemon's CPU, of unwatched"] = mean(used[True]) / mean(used[False])
        figures[f"{shape}, API's share of a core, %"] = 100 * mean(shares)
    return figures


def _run(rig: Rig, shape: str, tasks: int, *, is_watched: bool) -> tuple[float, float]:
    """Tasks a second, and the share of a core that the API's process took meanwhile."""
    if not is_watched:
        return run(rig, shape, tasks), 0.0
    with served(rig) as api:
        page = _Page(api, token_of(rig))
        rate = run(rig, shape, tasks)
        share = page.share()
        page.close()
    if page.events == 0:
        raise SystemExit("the stream has told nothing: nobody watched")
    return rate, share


class _Page:
    """A page that is open: a thread that reads the stream, and one that asks again for what the stream only names."""

    def __init__(self, api: Api, token: str) -> None:
        self.events = 0
        self._since: tuple[float, float] | None = None  # when the stream was opened, and the CPU time used until then
        self._api, self._token = api, token
        self._is_closed = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._ask)]
        for thread in self._threads:
            thread.start()

    def share(self) -> float:
        """The part of a core that the API has used since the page was there; before, it was asked whether it can be."""
        if self._since is None:
            raise SystemExit("the stream has not been opened: nobody watched")
        began, used = self._since
        return (cpu_s(self._api.pid) - used) / (time.monotonic() - began)

    def close(self) -> None:
        self._is_closed.set()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        """The first topics are there at once; the instance is once it has been admitted."""
        connection = self._api.connect()
        while not self._is_closed.wait(0.05) and not exists(connection, f"/instances/{WATCHED}", self._token):
            pass
        answer = get(connection, f"/stream?topics={TOPICS}", self._token)
        self._since = time.monotonic(), cpu_s(self._api.pid)
        while not self._is_closed.is_set():
            self.events += answer.readline().startswith(b"event: delta")

    def _ask(self) -> None:
        connection = self._api.connect()
        while not self._is_closed.wait(AGAIN_S):
            for path in AGAIN:
                get(connection, path.format(id=WATCHED), self._token).read()
