"""`qflowd late`: dates without a good run by when one is expected, for people and programs, with an exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from qflowd.cli import events as events_module
from qflowd.engine.late.late_dates import LateDates
from tests.cli.conftest import Run
from tests.conftest import GetServer
from tests.support.lab import Lab


@pytest.fixture
def lab(get_server: GetServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A store that commands find by the environment, with a workflow that expects runs."""
    server = get_server("sqlite")
    url = server.create_store()
    monkeypatch.setenv("QFLOWD_DATABASE_URL", url)
    lab = Lab(url)
    lab.workflow("bars", {"a": []}, calendar="XSHG", expect_by="close+3h")
    LateDates(lab.store, lab.topics).tick()
    yield lab
    lab.close()
    server.start().give_back(url)


def test_late_dates_are_listed_with_what_is_there_and_the_exit_code_says_whether_there_are_any(
    run: Run, lab: Lab
) -> None:
    nothing = run("late")
    assert (nothing.code, nothing.err) == (0, "nothing is late\n")
    lab.clock.time = datetime(2026, 11, 23, 11, tzinfo=UTC)
    number = lab.start("bars", business_date="2026-11-23")
    LateDates(lab.store, lab.topics).tick()
    found = run("late")
    assert found.code == 1
    assert "nothing" in found.out.splitlines()[2]
    [monday, friday] = run("late", "--json").json
    assert (monday["workflow"], monday["business_date"], monday["instance_id"]) == ("bars", "2026-11-23", number)
    assert (friday["state"], friday["ended_at"]) == (None, None)
    assert friday["expected_at"].startswith("2026-11-20T10:00:00")
    lab.run()
    assert [row["business_date"] for row in run("late", "--json").json] == ["2026-11-20"]
    everything = run("late", "--all")
    assert (everything.code, len(everything.out.splitlines())) == (1, 3)
    assert "SUCCESS" in everything.out


def test_events_are_listed_and_followed_without_losing_one_that_is_committed_late(
    run: Run, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = run("events")
    assert (nothing.code, nothing.err) == (0, "no events\n")
    lab.clock.time = datetime(2026, 11, 23, 11, tzinfo=UTC)
    LateDates(lab.store, lab.topics).tick()
    monday, friday = run("events", "--workflow", "bars", "--json").json
    assert (monday["event"], monday["business_date"], friday["business_date"]) == (
        "workflow.late", "2026-11-23", "2026-11-20",
    )  # fmt: skip
    assert '{"expected_at": "2026-' in run("events").out
    assert run("events", "--since", "2026-11-23T12:00:00Z").err == "no events\n"
    assert "a duration" in run("events", "--since", "soon").err
    assert "-f" in run("events", "-f", "--json").err

    insert = (
        "INSERT INTO qflow.event (id, tenant, event, workflow, at, data)"
        " SELECT {}, tenant, event, '{}', at, data FROM qflow.event WHERE id = " + str(friday["id"])
    )
    later = iter([(9, "above"), (7, "below")])

    def poll(look: Callable[[float], None], *_: object) -> None:
        look(0)
        for number, workflow in later:
            lab.sql(insert.format(number, workflow))
            look(0)
        look(0)

    monkeypatch.setattr(events_module, "poll", poll)
    told = run("events", "-f")
    assert [line.split("workflow=")[1].split()[0] for line in told.out.splitlines()] == ["above", "below"]
    assert "following" in told.err
