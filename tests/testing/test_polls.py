"""Jobs in two phases: submitted once, looked for until it is there, by a clock that is set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from qflowd import Defer, Fail, NotYet, context, job
from qflowd.jobs.decorators import InvalidJob
from qflowd.testing import Clock, run_job

START = "2026-11-20T09:30:00Z"


@dataclass
class Ticket:
    number: int
    day: date


class Vendor:
    """Takes orders; what is ordered lands at the `lands`-th look."""

    def __init__(self, lands: int = 3) -> None:
        self.lands = lands
        self.orders: list[str] = []
        self.looks: list[tuple[Any, ...]] = []

    def look(self, *told: Any) -> list[str]:
        self.looks.append(told)
        if len(self.looks) < self.lands:
            raise NotYet(f"{len(self.looks)} of {self.lands}")
        return [*self.orders, "landed"]


def downloads(
    vendor: Vendor, within: str = "20m", first: str | int | None = None, **settings: Any
) -> Callable[..., Any]:
    @job(**settings)
    def download(symbol: str, day: date) -> str:
        vendor.orders.append(symbol)
        return f"ticket {len(vendor.orders)}"

    @download.poll(every="2m", within=within, first=first)
    def landed(ticket: str, day: date) -> list[str]:
        return vendor.look(ticket, day)

    return download


PARAMS = {"symbol": "IBM", "day": "2026-11-20"}


def test_it_is_submitted_once_and_looked_for_until_it_is_there() -> None:
    vendor, clock = Vendor(lands=3), Clock(START)
    run = run_job(downloads(vendor), PARAMS, clock=clock)
    assert run.output == ["IBM", "landed"], run.error
    assert vendor.orders == ["IBM"]
    assert vendor.looks == [("ticket 1", date(2026, 11, 20))] * 3
    assert clock.now() == datetime(2026, 11, 20, 9, 36, tzinfo=UTC)
    assert run.tasks["download"].attempt == 1


def test_what_does_not_land_in_time_fails_the_attempt_and_the_next_one_submits_anew() -> None:
    vendor, clock = Vendor(lands=5), Clock(START)
    run = run_job(downloads(vendor, within="5m", retries=1, retry_delay="10m", jitter=0), PARAMS, clock=clock)
    assert run.output == ["IBM", "IBM", "landed"], run.error
    assert vendor.orders == ["IBM", "IBM"]
    assert [ticket for ticket, _ in vendor.looks] == ["ticket 1"] * 3 + ["ticket 2"] * 2
    [failed, _] = run.attempts
    assert failed.error == "not there 5m after it was submitted (looked 3 times): 3 of 5"
    assert run.tasks["download"].attempt == 2


@pytest.mark.parametrize(("first", "lands", "minute"), [(0, 1, 30), ("0s", 3, 34), ("5m", 2, 37)])
def test_the_first_look_may_come_at_another_time(first: str | int, lands: int, minute: int) -> None:
    vendor, clock = Vendor(lands=lands), Clock(START)
    run = run_job(downloads(vendor, first=first), PARAMS, clock=clock)
    assert run.output == ["IBM", "landed"], run.error
    assert clock.now() == datetime(2026, 11, 20, 9, minute, tzinfo=UTC)


def test_what_is_not_there_in_time_is_given_up_by_looks_that_begin_at_once() -> None:
    vendor, clock = Vendor(lands=9), Clock(START)
    run = run_job(downloads(vendor, within="5m", first=0), PARAMS, clock=clock)
    assert "not there 5m after it was submitted (looked 4 times): 4 of 9" in str(run.error)
    assert clock.now() == datetime(2026, 11, 20, 9, 35, tzinfo=UTC)


def test_an_error_while_looking_costs_an_attempt_and_the_next_one_looks_for_the_same_ticket() -> None:
    orders, looks = [], []

    @job(retries=1)
    def fetch() -> dict[str, int]:
        orders.append(1)
        return {"number": 7}

    @fetch.poll(every="30s", within="10m")
    def landed(ticket: dict[str, int]) -> int:
        looks.append(ticket["number"])
        if len(looks) == 1:
            raise ConnectionError("reset")
        return ticket["number"]

    run = run_job(fetch)
    assert (run.output, orders, looks, len(run.attempts)) == (7, [1], [7, 7], 2)


def test_a_ticket_that_the_vendor_has_lost_is_forgotten_by_saving_nothing() -> None:
    orders = []

    @job(retries=1)
    def fetch() -> int:
        orders.append(1)
        return len(orders)

    @fetch.poll(every="30s", within="10m")
    def landed(ticket: int) -> int:
        if ticket == 1:
            context().save(None)
            raise LookupError("unknown ticket")
        return ticket

    assert (run_job(fetch).output, len(orders)) == (2, 2)


def test_the_ticket_has_the_type_of_its_hint_and_both_phases_may_be_coroutines() -> None:
    seen = []

    @job
    async def fetch(n: int) -> Ticket:
        await asyncio.sleep(0)
        return Ticket(n, date(2026, 11, 20))

    @fetch.poll(every="30s", within="10m")
    async def landed(ticket: Ticket, n: int) -> int:
        await asyncio.sleep(0)
        seen.append((ticket, n))
        return ticket.number

    assert run_job(fetch, {"n": 4}).output == 4
    assert seen == [(Ticket(4, date(2026, 11, 20)), 4)]


@pytest.mark.parametrize("error", [Fail("refused"), Defer(60, reason="closed")], ids=["Fail", "Defer"])
def test_the_words_of_a_job_mean_the_same_in_its_first_phase(error: Exception) -> None:
    calls = []

    @job
    def fetch() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return 1

    fetch.poll(every="30s", within="10m")(lambda ticket: ticket)
    run = run_job(fetch)
    assert (run.state, len(calls)) == (("FAILED", 1) if isinstance(error, Fail) else ("SUCCESS", 2))


def test_what_the_first_phase_keeps_for_itself_is_no_ticket() -> None:
    @job(retries=1)
    def fetch() -> int:
        if context().saved is None:
            context().save({"pages": 3})
            raise ConnectionError("reset")
        return int(context().saved["pages"])

    fetch.poll(every="30s", within="10m")(lambda ticket: ticket + 1)
    assert run_job(fetch).output == 4


def test_a_poll_that_cannot_be_is_refused_with_what_is_possible() -> None:
    @job(name="refused")
    def fetch(symbol: str) -> int: ...

    with pytest.raises(InvalidJob, match="every='soon'"):
        fetch.poll(every="soon", within="1m")
    with pytest.raises(InvalidJob, match="shorter than every"):
        fetch.poll(every="2m", within="1m")
    with pytest.raises(InvalidJob, match="within='1m' is shorter than first='2m'"):
        fetch.poll(every="1s", within="1m", first="2m")
    with pytest.raises(InvalidJob, match="first='soon'"):
        fetch.poll(every="1s", within="1m", first="soon")
    with pytest.raises(InvalidJob, match="needs a parameter for what the job returned"):
        fetch.poll(every="1s", within="1m")(lambda: None)
    with pytest.raises(InvalidJob, match="the job has no param 'day'; it has symbol"):
        fetch.poll(every="1s", within="1m")(lambda ticket, day: None)

    def unresolved(ticket: Tickt) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    fetch.poll(every="1s", within="1m")(unresolved)
    with pytest.raises(InvalidJob, match="hint cannot be resolved: name 'Tickt'"):
        run_job(fetch, {"symbol": "IBM"})
    with pytest.raises(InvalidJob, match="already has a poll"):
        fetch.poll(every="1s", within="1m")(lambda ticket: None)
