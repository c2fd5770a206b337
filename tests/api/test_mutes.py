"""Mutes: a group of failures that nobody wants to hear of for a while; it stays a failure, and is still listed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.api.today import overview
from qflowd.model.roles import Role
from tests.support.house import House

GROUP = {"workflow": "gated", "task": "first", "error_class": "ValueError"}


@pytest.fixture(scope="module")
def failed(house: House) -> int:
    """An instance of which `first` has failed."""
    number, gate = house.running()
    house.open(gate, "fail")
    assert house.ended(number) == "FAILED"
    return number


@pytest.fixture(autouse=True)
def heard_again(house: House) -> Iterator[None]:
    yield
    house.post("/failures/unmute?wait=30", {"group": GROUP})


def groups(house: House, query: str = "") -> list[Any]:
    return list(house.api.get(f"/failures?group=1{query}").data["items"])


def heard_of(house: House) -> tuple[int, list[str]]:
    """What the first page and the bell tell of failures; asked for as now."""
    overview._SEEN.__init__(1.0)  # type: ignore[misc]
    found = house.api.get("/overview").data
    told = house.api.get("/notifications").data
    return found["failures"], [each["subject"] for each in told if each["kind"] == "failure"]


def test_a_group_that_is_muted_is_listed_and_is_not_told(house: House, failed: int) -> None:
    before = heard_of(house)
    assert before == (1, ["gated › first"])
    reply = house.post("/failures/mute?wait=30", {"group": GROUP, "for": "2h", "reason": "the vendor knows"})
    assert (reply.status, reply.data["state"], reply.data["result"]["task"]) == (200, "DONE", "first")
    [group] = groups(house)
    assert (group["mute_reason"], group["count"]) == ("the vendor knows", 1)
    assert group["muted_by"].startswith("system-")
    assert group["muted_until"] > group["newest_at"]
    assert (groups(house, "&muted=0"), len(groups(house, "&muted=1"))) == ([], 1)
    assert heard_of(house) == (0, [])
    assert house.api.get("/failures").data["items"][0]["muted_until"] is None  # of groups alone
    [entry] = house.api.get("/audit?action=MUTE").data["items"]
    assert (entry["principal"], entry["after"]["reason"]) == (group["muted_by"], "the vendor knows")
    assert house.post("/failures/unmute?wait=30", {"group": GROUP}).status == 200
    assert (groups(house)[0]["muted_until"], heard_of(house)) == (None, before)
    assert house.post("/failures/unmute?wait=30", {"group": GROUP}).code == 40901


def test_a_mute_ends_by_itself_and_the_last_one_counts(house: House, failed: int) -> None:
    for period, why in (("1d", "first"), ("3d", "second")):
        house.post("/failures/mute?wait=30", {"group": GROUP, "for": period, "reason": why})
    assert [group["mute_reason"] for group in groups(house)] == ["second"]
    renderer = house.api.store.dialect.renderer
    past = renderer.templates["clock_plus"].format(-1)
    house.api.store.connection().script(f"UPDATE qflow.failure_mute SET ends_at = {past} WHERE ends_at > {past}")
    assert [group["muted_until"] for group in groups(house)] == [None]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"task": "first", "for": "1h"}, "error_class"),
        (GROUP | {"for": "500d"}, "at most 400d"),
        (GROUP | {"for": "0s"}, "above 0"),
        (GROUP | {"for": 3}, "for"),
        (GROUP, "for"),
        (GROUP | {"for": "1h", "since": "1h"}, "since"),
    ],
)
def test_what_cannot_be_meant_is_refused(house: House, args: Any, said: str) -> None:
    reply = house.post("/commands?wait=30", {"action": "mute", "args": args, "reason": "x"})
    assert reply.status == 422
    assert said in reply.message
    without = house.post("/commands?wait=30", {"action": "mute", "args": GROUP | {"for": "1h"}})
    assert "needs a reason" in without.message


def test_muting_takes_an_operator_and_a_list_bounds_it(house: House) -> None:
    body = {"group": GROUP, "reason": "x"}
    assert house.api.as_(Role.SUBMIT).post("/failures/mute", body).code == 40301
    bound = house.api.as_(Role.OPERATE, workflows=("greet",))
    assert bound.post("/failures/mute", body).code == 40302
    assert bound.post("/commands", {"action": "mute", "args": GROUP, "reason": "x"}).code == 40302
    assert house.api.get("/failures?muted=1").code == 40002


def test_the_command_line_mutes_and_ends_it(house: House, failed: int) -> None:
    def command(*args: str) -> str:
        environment = os.environ | {"QFLOWD_DATABASE_URL": house.api.url}
        name = ["mute", "first", "--workflow", "gated", "--error-class", "ValueError", *args]
        done = subprocess.run([sys.executable, "-m", "qflowd", *name], env=environment, capture_output=True, check=True)
        return done.stdout.decode()

    assert json.loads(command("--reason", "known", "--json"))["state"] == "DONE"
    assert [group["mute_reason"] for group in groups(house)] == ["known"]
    assert command("--off") == "unmute gated › first: not muted any more\n"
