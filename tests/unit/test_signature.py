"""Type hints become JSON Schema, and JSON becomes what the hints say."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import attrs
import jsonschema_rs
import msgspec
import pydantic
import pytest

from qflowd.define.schema import Schema
from qflowd.jobs.decorators import InvalidJob
from qflowd.jobs.signature import params_schema, signature
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


class PriceModel(pydantic.BaseModel):
    price: Decimal


@attrs.define
class Ticket:
    price: float


class Order(msgspec.Struct, rename="camel"):
    last_price: float


@dataclass
class Session:
    opens: time
    at: datetime | None


class Buy(msgspec.Struct, tag=True):
    lots: int


class Sell(msgspec.Struct, tag=True):
    lots: int
    reason: str


class Fill(TypedDict, total=False):
    at: NotRequired[datetime]
    zoned: Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass
class Tree:
    at: time
    below: list["Tree"]


@dataclass
class Book:
    quote: Quote
    windows: list[Window]


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
    (PriceModel, {"price": "1.10"}, PriceModel(price="1.10")),
    (list[PriceModel], [{"price": 2}], [PriceModel(price=2)]),
    (Ticket, {"price": 1}, Ticket(1.0)),
    (Order, {"lastPrice": 1}, Order(1.0)),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (dict[date, float], {"2026-01-05": 1}, {date(2026, 1, 5): 1.0}),
    (timedelta, "PT1H30M", timedelta(minutes=90)),
    (bytes, "SUJN", b"IBM"),
    (datetime, "2026-01-05 21:00", datetime(2026, 1, 5, 21)),  # noqa: DTZ001
    (list[time], ["21:00"], [time(21)]),
    (datetime | None, "2026-01-05T21:00", datetime(2026, 1, 5, 21)),  # noqa: DTZ001
    (Session, {"opens": "09:30", "at": None}, Session(time(9, 30), None)),
]

# What differs in spelling only is adapted, at the door and in the worker alike.
ADAPTED = [
    (str, 600519, "600519"),
    (list[str], [600519, "000300"], ["600519", "000300"]),
    (str | None, 600519, "600519"),
    (dict[str, list[str]], {"a": [1]}, {"a": ["1"]}),
    (int, 5.0, 5),
    (list[int] | None, [5.0], [5]),
    (tuple[str, int], [1, 2.0], ("1", 2)),
    (bool, 1, True),
    (bool | None, 0, False),
    (bool, "TRUE", True),
    (float, "1e5", 100000.0),
    (int, "12e3", 12000),
    (Literal[1, 2], 1.0, 1),
    (Window | None, {"first": "2026-01-05", "last": "2026-01-06"}, Window(date(2026, 1, 5), date(2026, 1, 6))),
    (Quote, {"price": 1, "venue": 7}, {"price": 1.0, "venue": "7"}),
    (Path | int, 5.0, 5),
    (date, "20260105", date(2026, 1, 5)),
    (Fill, {"at": "2026-01-05 21:00"}, {"at": datetime(2026, 1, 5, 21)}),  # noqa: DTZ001
    (list[Fill], [{"zoned": "2026-01-05T21:00:00Z"}], [{"zoned": datetime(2026, 1, 5, 21, tzinfo=UTC)}]),
    (dict[str, date], {"a": "20260105"}, {"a": date(2026, 1, 5)}),
    (Tree, {"at": "21:00", "below": [{"at": "22:00", "below": []}]}, Tree(time(21), [Tree(time(22), [])])),
]


def bind(function, params):
    return signature(function).bind(params)


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


@pytest.mark.parametrize(("hint", "given", "expected"), ADAPTED, ids=lambda case: str(case)[:40])
def test_what_differs_in_spelling_is_adapted_at_both_doors(hint, given, expected):
    function = function_of(hint)
    schema = Schema(params_schema(function))
    assert schema.faults(schema.coerce({"value": given})) == []
    bound = bind(function, {"value": given})
    assert bound == {"value": expected}
    assert type(bound["value"]) is type(expected)


@pytest.mark.parametrize(
    ("hint", "given", "example"),
    [
        (datetime, "soon", "2026-11-20T21:00:00"),
        (time, "9 pm", "21:00"),
        (list[datetime], ["soon"], "2026-11-20T21:00:00"),
        (Session, {"opens": "soon", "at": None}, "21:00"),
        (Fill, {"zoned": "2026-01-05T21:00:00"}, "with its offset"),
        (Decimal, "cheap", "1.25"),
        (Decimal, "NaN", "1.25"),
        (date, "20.11.2026", "2026-11-20"),
        (timedelta, "P1Y", "PT1H30M"),
        (bytes, "%", "SUJN"),
        (int, "5", "5"),
        (bool, 2, "true"),
    ],
)
def test_what_cannot_be_converted_is_refused_at_the_door_with_an_example(hint, given, example):
    schema = Schema(params_schema(function_of(hint)))
    [fault] = schema.faults(schema.coerce({"value": given}))
    assert "write it like" in fault
    assert example in fault


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (Window, {"first": "2026-01-05", "last": "2026-01-06", "lats": 1}),
        (list[Window], [{"first": "2026-01-05", "last": "2026-01-06", "lats": 1}]),
        (Window | None, {"first": "2026-01-05", "last": "2026-01-06", "lats": 1}),
        (Quote, {"price": 1.5, "lats": 1}),
        (PriceModel, {"price": 1, "lats": 1}),
        (PriceModel | None, {"price": 1, "lats": 1}),
        (Ticket, {"price": 1, "lats": 1}),
        (Order, {"lastPrice": 1, "lats": 1}),
        (Book, {"quote": {"price": 1, "lats": 1}, "windows": []}),
        (Book, {"quote": {"price": 1}, "windows": [{"first": "2026-01-05", "last": "2026-01-06", "lats": 1}]}),
    ],
    ids=lambda case: str(case)[:40],
)
def test_a_key_that_a_record_does_not_have_is_refused_at_both_doors(hint, given):
    function = function_of(hint)
    assert Schema(params_schema(function)).faults({"value": given}) != []
    with pytest.raises(InvalidParams, match="unknown key 'lats'"):
        bind(function, {"value": given})


def test_a_record_that_takes_any_key_still_does():
    class Loose(pydantic.BaseModel, extra="allow"):
        price: float

    function = function_of(Loose)
    assert jsonschema_rs.is_valid(params_schema(function), {"value": {"price": 1, "more": 2}})
    assert bind(function, {"value": {"price": 1, "more": 2}})["value"].more == 2


def test_a_tagged_union_finds_its_record():
    function = function_of(Buy | Sell)
    assert bind(function, {"value": {"type": "Sell", "lots": 1.0, "reason": "x"}}) == {"value": Sell(1, "x")}
    with pytest.raises(InvalidParams, match="unknown key 'lats'"):
        bind(function, {"value": {"type": "Buy", "lots": 1, "lats": 1}})


@pytest.mark.parametrize(
    ("hint", "given"),
    [
        (int, "5"),
        (int, True),
        (int, None),
        (str, 5.5),
        (str, True),
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
        bind(fetch, {"symbol": 5.5, "colour": 1})
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


def test_a_default_stands_in_the_schema_as_an_output_would_and_not_at_all_if_it_is_not_json():
    def fetch(limit: float = float("nan"), model: PriceModel = PriceModel(price="1.10"), path: Path = Path("a")): ...  # noqa: B008

    properties = params_schema(fetch)["properties"]
    assert "default" not in properties["limit"]
    assert (properties["model"]["default"], properties["path"]["default"]) == ({"price": "1.10"}, "a")


def test_a_record_with_a_hint_that_names_nothing_is_refused():
    @dataclass
    class Broken:
        value: "Nonsense"  # noqa: F821

    with pytest.raises(InvalidJob, match="cannot come from JSON"):
        params_schema(function_of(Broken))


def test_shared_types_are_defined_once():
    def two(first: Window, second: Window): ...

    schema = params_schema(two)
    assert list(schema["$defs"]) == ["Window"]
    assert not jsonschema_rs.is_valid(schema, {"first": {}, "second": {}})
