"""A client of one tenant neither sees nor commands what belongs to another, on every database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qflowd.client import Client
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.ids import key_range
from tests.client.conftest import Connect
from tests.support.stand_in import StandIn


@pytest.fixture
def other(connect: Connect) -> Iterator[Client]:
    with connect(tenant="fund_b") as client:
        yield client


def test_what_is_submitted_is_the_tenants_own(engine: StandIn, other: Client):
    number = other.submit(job="hello").id
    assert engine.sql(f"SELECT tenant FROM qflow.submissions WHERE id = {number}") == [("fund_b",)]


def test_lists_hold_the_tenants_rows_alone(engine: StandIn, client: Client, other: Client):
    ours = engine.admit(client.submit(job="shared").id, "shared")
    theirs = engine.admit(other.submit(job="shared").id, "shared", tenant="fund_b")
    waiting = client.count_new()
    other.submit(job="shared")
    for filters in ({}, {"state": "OPEN"}, {"workflow": "shared"}, {"workflow": "shared", "state": "RUNNING"}):
        assert [info.id for info in other.instances(**filters)] == [theirs], filters
        assert theirs not in [info.id for info in client.instances(**filters)]
        assert ours in [info.id for info in client.instances(**filters)]
    assert (client.count_new(), other.count_new()) == (waiting, other.count_new())
    engine.workflow("nightly", "{}", cron="0 17 * * *")
    assert other.workflows() == other.schedules() == other.fires("nightly") == []
    assert other.active_version("nightly") is None
    assert [row["tenant"] for row in client.workflows() if row["workflow"] == "nightly"] == ["default"]


def test_an_instance_of_another_tenant_does_not_exist(engine: StandIn, client: Client, other: Client):
    number = engine.admit(client.submit(job="hello").id)
    engine.log(number, "a secret")
    with pytest.raises(NotFound, match=f"no instance {number} of tenant fund_b"):
        other.instance(number)
    mine = other.submit(job="hello")
    mine.submission_id = number  # as if somebody had guessed it
    with pytest.raises(NotFound):
        mine.state()
    first, last = key_range(number).values()
    assert [
        *other.read_all("show_tasks", instance_id=number, after=first - 1, last=last, batch=9),
        *other.read_all("show_attempts", instance_id=number, after=0, after_fence=0, batch=9),
    ] == []
    assert other.read_all("list_logs", instance_id=number, after=0, batch=10) == []


def test_a_command_goes_out_in_the_tenants_name(engine: StandIn, other: Client):
    answer = other.command("terminate", 1, timeout=0)
    assert engine.sql(f"SELECT tenant FROM qflow.commands WHERE id = {answer.id}") == [("fund_b",)]


@pytest.mark.parametrize("name", ["", "a b", "x" * 201])
def test_a_name_that_no_tenant_can_have_is_refused(connect: Connect, name: str):
    with pytest.raises(InvalidRequest, match="tenant"):
        connect(tenant=name)


def test_pages_of_instances_follow_one_another(engine: StandIn, client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qflowd.client.views.PAGE", 3)
    numbers = [engine.admit(client.submit(job="paged").id, "paged") for _ in range(8)]
    assert [info.id for info in client.instances(workflow="paged")] == numbers[::-1]
    assert [info.id for info in client.instances(workflow="paged", limit=4)] == numbers[:3:-1]
