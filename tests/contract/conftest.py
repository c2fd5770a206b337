"""One daemon per database for the whole folder; every test works with rows of its own.

No test here may have a store of its own on MariaDB: a server has room for one, and this daemon would run its tasks.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import KINDS, GetServer
from tests.contract.desk import Desk
from tests.support.daemon import Daemon

JOBS = '''
import logging
import os
import time

from qflowd import Defer, NotYet, Skip, context, job


@job
def hello(name: str = "world") -> dict:
    """Greet somebody."""
    return {"greeting": f"Hello, {name}!"}


@job
def list_symbols(trade_date: str = "") -> list[str]:
    return ["AAPL", "IBM"]


@job
def fetch_bars(symbols: list[str], trade_date: str = "", factor: float = 1.0) -> dict:
    """Bars of one day."""
    print("printed")
    context().logger.info("fetching %d symbols", len(symbols))
    logging.getLogger("vendor").warning("slow vendor", extra={"vendor": "x"})
    return {"count": len(symbols), "trade_date": trade_date, "factor": factor}


@job
def check_bars(count: int = 0) -> dict:
    return {"missing": 0}


@job
def fail(text: str = "no data for AAPL") -> None:
    raise ValueError(text)


@job(retries=1, retry_delay="100ms")
def flaky() -> str:
    if context().attempt == 1:
        raise OSError("vendor hung up")
    return "ok"


@job
def nothing() -> None:
    raise Skip("no data")


@job
def slow(seconds: float = 2.0) -> float:
    time.sleep(seconds)
    return seconds


@job(pool="one")
def in_turn(label: str = "", seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return label


@job(pool="one")
def held(gate: str) -> None:
    """Goes on when the file `gate` is there."""
    while not os.path.exists(gate):
        time.sleep(0.01)


@job
def counting(gate: str) -> None:
    """Says how far it is until the file `gate` is there."""
    context().progress(2, 8, "2 of 8 symbols")
    while not os.path.exists(gate):
        time.sleep(0.01)


@job
def put_off(gate: str) -> str:
    """Not before the file `gate` is there."""
    if not os.path.exists(gate):
        raise Defer(3600, reason="the exchange has not published yet")
    return "ok"


@job
def ordered(gate: str, pieces: int) -> str:
    print("submitted")
    return gate


@ordered.poll(every="50ms", within="5m")
def landed(ticket: str, pieces: int) -> int:
    """Not before the file `ticket` is there."""
    if not os.path.exists(ticket):
        raise NotYet(f"0 of {pieces} pieces")
    return pieces


@job
def large(size: int) -> str:
    return "x" * size


@job
def switches(is_full: bool, is_dry: bool | None = None) -> list:
    return [is_full, is_dry]


@job
def length(text: str) -> int:
    return len(text)


@job(limits={"vendor:quotes": 1})
def load() -> int:
    return 2


@load.compensation
def unload() -> None:
    """Undoes what `load` did."""


@job(pool="nowhere")
def without_pool() -> None:
    """No daemon has its pool."""
'''

DAILY = """
workflow: daily_bars
title: Daily bars
description: Bars of all symbols
domain: market
type: etl
tags: [eod, us]
params:
  trade_date: {type: string, format: date, default: "2026-11-20"}
defaults: {timeout: 1m}
tasks:
  universe: {job: list_symbols}
  bars: {job: fetch_bars, after: universe, params: {symbols: "{{ universe.output }}", trade_date: "{{ params.trade_date }}"}}
  check: {job: check_bars, after: bars, params: {count: "{{ bars.output.count }}"}}
"""

SCHEDULED = """
workflow: nightly
schedule: {cron: "0 17 * * mon-fri", timezone: Asia/Shanghai, catchup: last}
tasks:
  hello: {job: hello}
"""

YEARLY = """
workflow: yearly
schedule: {cron: "0 5 1 1 *", timezone: UTC}
tasks:
  hello: {job: hello}
"""

BROKEN = """
workflow: broken
tasks:
  good: {job: hello}
  bad: {job: fail, after: good}
  never: {job: hello, after: bad}
"""

STRANGE_JOB = """
workflow: strange_job
tasks:
  a: {job: not_here_yet}
"""

PASSES_ON = """
workflow: passes_on
tasks:
  first: {job: large, params: {size: 100000}}
  next: {job: length, after: first, params: {text: "{{ first.output }}"}}
"""

SWITCHES = """
workflow: switches
params:
  is_full: {type: boolean}
  is_dry: {type: [boolean, "null"], default: null}
tasks:
  a: {job: switches, params: {is_full: "{{ params.is_full }}", is_dry: "{{ params.is_dry }}"}}
"""

LOADS = """
workflow: loads
saga: true
tasks:
  load: {job: load}
  check: {job: fail, after: load}
"""

ANY_PARAMS = """
workflow: any_params
tasks:
  hello: {job: hello}
"""

WORKFLOWS = {
    "yearly.yaml": YEARLY,
    "switches.yaml": SWITCHES,
    "any_params.yaml": ANY_PARAMS,
    "daily.yaml": DAILY,
    "loads.yaml": LOADS,
    "nightly.yaml": SCHEDULED,
    "broken.yaml": BROKEN,
    "strange.yaml": STRANGE_JOB,
    "passes_on.yaml": PASSES_ON,
}
POOLS = "[pools.default]\nprocesses = 2\n[pools.one]\nprocesses = 1\n"

MakeDesk = Callable[[str], contextlib.AbstractContextManager[Desk]]


@pytest.fixture(scope="session")
def make_desk(get_server: GetServer, tmp_path_factory: pytest.TempPathFactory) -> MakeDesk:
    """Give a fresh store of a kind with a daemon that is ready."""

    @contextlib.contextmanager
    def make(kind: str) -> Iterator[Desk]:
        server = get_server(kind)
        url = server.create_database()
        folder = tmp_path_factory.mktemp(f"desk-{kind}")
        with Daemon(url, folder, plugins={"jobs.py": JOBS}, workflows=WORKFLOWS, config=POOLS) as daemon:
            desk = Desk(kind, server, url, daemon)
            try:
                yield desk
            finally:
                desk.close()
        server.start().drop_database(url)

    return make


@pytest.fixture(scope="package")
def desk_of(make_desk: MakeDesk) -> Iterator[Callable[[str], Desk]]:
    """The one desk of a kind of database; all live until the folder is done, in whatever order its files ask for them."""
    with contextlib.ExitStack() as desks:
        yield functools.cache(lambda kind: desks.enter_context(make_desk(kind)))


@pytest.fixture(scope="package", params=KINDS)
def desk(request: pytest.FixtureRequest, desk_of: Callable[[str], Desk]) -> Desk:
    """A store with a daemon, on each database in turn, shared by this folder's tests."""
    return desk_of(request.param)
