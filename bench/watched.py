"""What it costs the engine that somebody looks: no-op tasks a second with and without a dashboard's requests, in turn."""

import threading
import time
from argparse import Namespace
from statistics import mean
from typing import NamedTuple

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from bench.served import Api, exists, get, served, token_of
from bench.throughput import run

ABOUT = "what a dashboard that looks costs the engine: its stream, and what a run's page asks again while it changes"
SHAPES = ("flat", "chain")  # in chains, the instance that is watched changes until the end
WATCHED = 1  # the instance whose page is open
TOPICS = ("overview", "notifications", "instances", f"instance:{WATCHED}")
AGAIN = ("/instances/{id}/tasks?limit=200", "/instances/{id}/timeline?bins=200")
AGAIN_S = 5.0  # as the page does it
LONGER = 10  # than other runs, which end before the stream has looked more than once or twice
NOBODY, STREAM, PAGE = range(3)  # who looks: nobody, a stream that is read, a page that asks again as well


def measure(make: MakeRig, build: Build, args: Namespace) -> dict[str, float]:
    """Runs of a shape, there and back, so that a slower machine is slower for all."""
    figures = {}
    for shape in SHAPES:
        found: dict[int, list[_Run]] = {NOBODY: [], STREAM: [], PAGE: []}
        for who in (NOBODY, STREAM, PAGE, PAGE, STREAM, NOBODY):
            found[who].append(_run(make(build), shape, LONGER * args.tasks, who))
        alone = found[NOBODY]
        figures[f"{shape}, watched, of unwatched"] = _mean(found[PAGE], "rate") / _mean(alone, "rate")
        figures[f"{shape}, daemon's CPU, of unwatched"] = _mean(found[PAGE], "cpu_s") / _mean(alone, "cpu_s")
        figures[f"{shape}, the stream, % of a core"] = 100 * _mean(found[STREAM], "share")
        figures[f"{shape}, stream and page, % of a core"] = 100 * _mean(found[PAGE], "share")
    return figures


class _Run(NamedTuple):
    """Tasks a second, the daemon's CPU time, and the share of a core that the API's process took meanwhile."""

    rate: float
    cpu_s: float
    share: float


def _mean(runs: list[_Run], name: str) -> float:
    return mean(getattr(each, name) for each in runs)


def _run(rig: Rig, shape: str, tasks: int, who: int) -> _Run:
    if who == NOBODY:
        return _Run(run(rig, shape, tasks), cpu_s(rig.pid), 0.0)
    with served(rig) as api:
        page = _Page(api, token_of(rig), asks=who == PAGE)
        rate = run(rig, shape, tasks)
        share = page.share()
        page.close()
    if page.events == 0:
        raise SystemExit("the stream has told nothing: nobody watched")
    return _Run(rate, cpu_s(rig.pid), share)


class _Page:
    """A page that is open: a thread that reads the stream, and one that `asks` again for what the stream only names."""

    def __init__(self, api: Api, token: str, *, asks: bool) -> None:
        self.events = 0
        self._since: tuple[float, float] | None = None  # when all had been told once, and the CPU time used until then
        self._api, self._token = api, token
        self._is_closed = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._ask)[: 1 + asks]]
        for thread in self._threads:
            thread.start()

    def share(self) -> float:
        """The part of a core that the API has used since the page was filled."""
        if self._since is None:
            raise SystemExit("the stream has not told what there is: nobody watched")
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
        answer, told = get(connection, f"/stream?topics={','.join(TOPICS)}", self._token), 0
        while not self._is_closed.is_set():
            line = answer.readline()
            self.events += line.startswith(b"event: delta")
            told += line.startswith(b"event: snapshot")
            if told == len(TOPICS) and self._since is None:
                self._since = time.monotonic(), cpu_s(self._api.pid)

    def _ask(self) -> None:
        connection = self._api.connect()
        while not self._is_closed.wait(AGAIN_S):
            for path in AGAIN:
                get(connection, path.format(id=WATCHED), self._token).read()
