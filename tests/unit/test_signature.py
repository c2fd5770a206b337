"""Type hints become JSON Schema, and JSON becomes what the hints say."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import jsonschema_rs
import pytest

from qflowd.jobs.decorators import InvalidJob
from qflowd.jobs.signature import bind, params_schema
from qflowd.model.errors import InvalidParams


class Side(Enum):
    BUY = "buy"
    SELL = "sell"


@dataclass
class Window:
    first: date
    last: date


class Quote(TypedDict):
    price: float
    venue: NotRequired[str]


CASES = [
    (str, "000300", "000300"),
    (int, 5, 5),
    (float, 1, 1.0),
    (bool, True, True),
    (date, "2026-01-05", date(2026, 1, 5)),
    (datetime, "2026-01-05T21:00:00Z", datetime(2026, 1, 5, 21, tzinfo=UTC)),
    (time, "21:00", time(21)),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 2, Decimal(2)),
    (list[int], [1, 2], [1, 2]),
    (list[date], ["2026-01-05"], [date(2026, 1, 5)]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, float], {"a": 1}, {"a": 1.0}),
    (dict, {"a": [1]}, {"a": [1]}),
    (int | None, None, None),
    (date | None, "2026-01-05", date(2026, 1, 5)),
    (int | str, "5", "5"),
    (date | str, "soon", "soon"),
    (Literal["a", "b"], "b", "b"),
    (Side, "sell", Side.SELL),
    (Window, {"first": "2026-01-05", "last": "2026-01-06"}, Window(date(2026, 1, 5), date(2026, 1, 6))),
    (Quote, {"price": 1.5}, {"price": 1.5}),
    (Path, "/data/bars", Path("/data/bars")),
    (Any, {"x": None}, {"x": None}),
]


def function_of(hint):
    def function(value): ...

    function.__annotations__["value"] = hint
    return function


@pytest.mark.parametrize(("hint", "given", "expected"), CASES, ids=lambda case: str(case)[:40])
def test_json_that_fits_the_schema_becomes_the_hinted_type(hint, given, expected):
    function = function_of(hint)
    assert jsonschema_rs.is_valid(params_schema(function), {"value": given})
    bound = bind(function, {"value": given})
    assert bound == {"value": expected}
    assert type(bound["value"]) is type(expected)


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (int, "5"),
        (int, True),
        (int, None),
        (str, 5),
        (date, "yesterday"),
        (date, 20260105),
        (Side, "hold"),
        (list[int], [1, "a"]),
        (Literal["a"], "b"),
        (date | int, "x"),
    ],
)
def test_json_of_another_type_is_refused_by_the_name_of_its_parameter(hint, given):
    with pytest.raises(InvalidParams, match="job function: parameter 'value': "):
        bind(function_of(hint), {"value": given})


def test_missing_and_unknown_parameters_are_all_named_at_once():
    def fetch(symbol: str, day: date): ...

    with pytest.raises(InvalidParams) as caught:
        bind(fetch, {"symbol": 5, "colour": 1})
    for part in ("'symbol'", "unknown parameter 'colour'; there are: symbol, day", "'day' is missing"):
        assert part in str(caught.value)


def test_defaults_are_the_functions_own_and_stand_in_the_schema():
    def fetch(symbol: str, limit: int = 5, day: date = date(2026, 1, 5), note: str = None): ...  # noqa: RUF013 - people write it

    assert bind(fetch, {"symbol": "A"}) == {"symbol": "A"}
    assert bind(fetch, {"symbol": "A", "note": None}) == {"symbol": "A", "note": None}
    schema = params_schema(fetch)
    assert schema["required"] == ["symbol"]
    assert [part.get("default") for part in schema["properties"].values()] == [None, 5, "2026-01-05", None]
    assert jsonschema_rs.is_valid(schema, {"symbol": "A", "note": None})


def test_without_hints_anything_goes_and_kwargs_takes_the_rest():
    def anything(value, **rest): ...

    assert params_schema(anything) == {
        "type": "object",
        "properties": {"value": {}},
        "additionalProperties": True,
        "required": ["value"],
    }
    assert bind(anything, {"value": [1], "other": {"a": 1}}) == {"value": [1], "other": {"a": 1}}


def test_unknown_names_are_closed_out_without_kwargs():
    def closed(): ...

    assert params_schema(closed) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_a_type_that_json_cannot_carry_is_refused_with_a_remedy():
    class Frame: ...

    with pytest.raises(InvalidJob, match=r"parameter 'value' cannot come from JSON .*no type hint"):
        params_schema(function_of(Frame))


def test_a_hint_that_names_nothing_is_refused():
    def broken(value: "Nonsense"): ...  # noqa: F821

    with pytest.raises(InvalidJob, match="Nonsense"):
        params_schema(broken)


def test_shared_types_are_defined_once():
    def two(first: Window, second: Window): ...

    schema = params_schema(two)
    assert list(schema["$defs"]) == ["Window"]
    assert not jsonschema_rs.is_valid(schema, {"first": {}, "second": {}})
