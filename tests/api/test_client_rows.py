"""What the Python client reads over HTTP is what its caller may see, whatever is asked for."""

from __future__ import annotations

import pytest

from qflowd.model.ids import task_id
from qflowd.model.roles import Role
from tests.api.stand_in import Rows
from tests.support.http import ApiServer

SECRET = '"what desk_b has computed"'


@pytest.fixture(scope="module")
def two(api: ApiServer) -> tuple[int, int]:
    """An instance of tenant `default`, and one of `desk_b`, each with an output too large for its row."""
    rows = Rows(api)
    numbers = (
        rows.instance(None, "SUCCESS", ("SUCCESS",)),
        rows.instance(None, "SUCCESS", ("SUCCESS",), tenant="desk_b"),
    )
    for number, value in zip(numbers, ('"mine"', SECRET), strict=True):
        rows.sql(rows.insert("large_value", task_id=task_id(number, 0), part=0, value=value))
    rows.close()
    return numbers


def test_an_output_is_read_by_the_tenant_alone_that_it_is_of(api: ApiServer, two: tuple[int, int]) -> None:
    mine, theirs = two
    caller = api.as_(Role.READ)
    own = caller.get(f"/rows/show_large_output?id={task_id(mine, 0)}&instance_id={mine}")
    assert (own.status, len(own.data["rows"])) == (200, 1)
    for id, instance in ((theirs, mine), (theirs, theirs), (mine, theirs)):
        reply = caller.get(f"/rows/show_large_output?id={task_id(id, 0)}&instance_id={instance}")
        assert reply.code == 40002 or reply.data["rows"] == []
        assert SECRET.strip('"') not in reply.text
    theirs_by_sql = api.store.read(
        lambda tx: tx.run("show_large_output", id=task_id(theirs, 0), instance_id=mine, tenant="default")
    )
    assert theirs_by_sql == []


@pytest.mark.parametrize("bounds", ["first=0&last=9223372036854775807", "first=0&last=1048576"])
def test_rows_of_an_instance_are_asked_for_by_ids_that_it_can_have(
    api: ApiServer, two: tuple[int, int], bounds: str
) -> None:
    reply = api.get(f"/rows/show_first_tasks?instance_id={two[0]}&{bounds}&batch=1")
    assert (reply.status, reply.code) == (400, 40002), reply.body


def test_what_no_database_can_store_is_not_looked_for(api: ApiServer) -> None:
    for path in ("/rows/list_versions?workflow=%00", "/instances?workflow=a%00b"):
        reply = api.get(path)
        assert (reply.status, reply.code) == (400, 40002)
        assert "workflow" in reply.message
