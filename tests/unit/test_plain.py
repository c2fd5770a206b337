"""Every value that a job or a caller may hand in becomes the same plain JSON at every door."""

import dataclasses
import datetime as dt
import enum
import types
import uuid
from collections import OrderedDict
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zoneinfo import ZoneInfo

import attrs
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest

from qflowd.model.plain import plain

DAY = dt.date(2026, 1, 5)
NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


class Side(enum.Enum):
    BUY = "buy"


class Level(enum.IntEnum):
    HIGH = 2


class Point(NamedTuple):
    x: int
    y: int


class Word(str):
    __slots__ = ()


class Later(dt.datetime):
    pass


@dataclasses.dataclass
class Bar:
    day: dt.date
    close: object


@dataclasses.dataclass
class Empty:
    pass


@attrs.define
class Quote:
    bid: object


class Renamed(msgspec.Struct, rename="camel"):
    last_price: float


class Model(pydantic.BaseModel):
    day: dt.date
    price: Decimal


def row(**values):
    return Bar(DAY, values)


CASES = {
    "nothing": (None, None),
    "numbers": ([1, 1.5, True, 2**64 - 1, -(2**63)], [1, 1.5, True, 2**64 - 1, -(2**63)]),
    "subclass of str": (Word("IBM"), "IBM"),
    "enum": ([Side.BUY, Level.HIGH], ["buy", 2]),
    "date": (DAY, "2026-01-05"),
    "datetime": (NOON, "2026-01-05T12:00:00+00:00"),
    "datetime in a zone": (
        dt.datetime(2026, 1, 5, 9, 30, tzinfo=ZoneInfo("America/New_York")),
        "2026-01-05T09:30:00-05:00",
    ),
    "subclass of datetime": (Later(2026, 1, 5), "2026-01-05T00:00:00"),
    "time": (dt.time(21), "21:00:00"),
    "timedelta": (dt.timedelta(days=1, seconds=2), "P1DT2S"),
    "Decimal": (Decimal("1.10"), "1.10"),
    "UUID": (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "Path": ([Path("/data/bars"), PurePosixPath("a")], ["/data/bars", "a"]),
    "tuples": ((1, (2,)), [1, [2]]),
    "namedtuple": (Point(1, 2), [1, 2]),
    "range": (range(3), [0, 1, 2]),
    "mappings": ([OrderedDict(a=1), types.MappingProxyType({"b": DAY})], [{"a": 1}, {"b": "2026-01-05"}]),
    "keys": ({7: 1, DAY: 2, None: 3, True: 4, Side.BUY: 5}, {"7": 1, "2026-01-05": 2, "null": 3, "true": 4, "buy": 5}),
    "dataclass": (Bar(DAY, Decimal(2)), {"day": "2026-01-05", "close": "2"}),
    "empty dataclass": (Empty(), {}),
    "attrs": (Quote(NOON), {"bid": "2026-01-05T12:00:00+00:00"}),
    "msgspec": (Renamed(1.5), {"lastPrice": 1.5}),
    "pydantic": (Model(day=DAY, price="1.10"), {"day": "2026-01-05", "price": "1.10"}),
    "numpy scalars": (
        [np.int8(1), np.uint64(2**64 - 1), np.float32(0.5), np.float64(1.5), np.bool_(1), np.str_("a")],
        [1, 2**64 - 1, 0.5, 1.5, True, "a"],
    ),
    "numpy longdouble": (np.longdouble("1.5"), 1.5),
    "numpy days": (np.datetime64("2026-01-05"), "2026-01-05"),
    "numpy nanoseconds": (np.datetime64("2026-01-05T12:00", "ns"), "2026-01-05T12:00:00"),
    "numpy odd nanoseconds": (np.datetime64(1, "ns"), "1970-01-01T00:00:00.000000001"),
    "numpy missing time": (np.datetime64("NaT", "ns"), None),
    "numpy duration": (np.timedelta64(1500, "ms"), "PT1.5S"),
    "numpy duration in nanoseconds": (np.timedelta64(1_500_000_000, "ns"), "PT1.5S"),
    "numpy arrays": ([np.arange(3), np.eye(1), np.array(7)], [[0, 1, 2], [[1.0]], 7]),
    "numpy array of one": (np.array([7]), [7]),
    "numpy array of longdoubles": (np.array([1.5], np.longdouble), [1.5]),
    "numpy array of times": (
        np.array([["2026-01-05", "NaT"]], "datetime64[ns]"),
        [["2026-01-05T00:00:00", None]],
    ),
    "numpy keys": ({np.int64(1): 1, np.str_("a"): 2}, {"1": 1, "a": 2}),
    "pandas Timestamp": (pd.Timestamp("2026-01-05 12:00", tz="UTC"), "2026-01-05T12:00:00+00:00"),
    "pandas missing": ([pd.NaT, pd.NA], [None, None]),
    "pandas Timedelta": (pd.Timedelta("1 day 2s"), "P1DT2S"),
    "pandas Period": (pd.Period("2026-01", "M"), "2026-01"),
    "pandas Series": (pd.Series([1.5, 2.5], index=["IBM", "AAPL"]), {"IBM": 1.5, "AAPL": 2.5}),
    "pandas Series by day": (
        pd.Series([1], index=pd.DatetimeIndex(["2026-01-05"])),
        {"2026-01-05T00:00:00": 1},
    ),
    "pandas Series of one": (pd.Series([7]), {"0": 7}),
    "pandas DataFrame": (pd.DataFrame({"close": [1.5]}, index=["IBM"]), {"close": {"IBM": 1.5}}),
    "pandas arrays": (
        [pd.Index([1, 2]), pd.array([1, None], dtype="Int64"), pd.Categorical(["a"])],
        [[1, 2], [1, None], ["a"]],
    ),
    "polars Series of one": (pl.Series([7]), [7]),
    "polars frame of one row": (pl.DataFrame({"day": [DAY], "close": [1.5]}), [{"day": "2026-01-05", "close": 1.5}]),
    "deep": ([{"a": [row(b=np.float64(1))]}], [{"a": [{"day": "2026-01-05", "close": {"b": 1.0}}]}]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_value_becomes_plain_json(name):
    given, expected = CASES[name]
    found = plain(given)
    assert found == expected
    assert types_in(found) == types_in(expected)


def types_in(value):
    if isinstance(value, dict):
        return {key: types_in(item) for key, item in value.items()}
    return [types_in(item) for item in value] if isinstance(value, list) else type(value)


CYCLE: list = []
CYCLE.append(CYCLE)

REFUSED = {
    "nan": ({"close": [1.0, float("nan")]}, "output['close'][1] is nan, which JSON does not have; give None"),
    "nan in a column": ([1.0, float("nan")], "output[1] is nan"),
    "wide number in a column": ([1, 2**64], "output[1] is a whole number of more than 64 bits"),
    "infinity": (np.float32("inf"), "output is inf"),
    "numpy nan": ([np.array([np.nan])], "output[0][0] is nan"),
    "Decimal nan": ({"a": Decimal("NaN")}, "output['a'] is Decimal('NaN')"),
    "pandas nan": (pd.Series([np.nan], index=["IBM"]), "output['IBM'] is nan"),
    "dataclass nan": (row(b=float("nan")), "output['close']['b'] is nan"),
    "longdouble beyond floats": (np.longdouble("1e4000"), "output is inf"),
    "wide whole number": ([2**70], "output[0] is a whole number of more than 64 bits; give it as a string"),
    "the same key": ({1: 1, "1": 2}, "output['1'] holds the key '1' twice"),
    "the same index": (pd.Series([1, 2], index=["a", "a"]), "holds the key 'a' twice"),
    "key of a tuple": ({(1, 2): 3}, "output[(1, 2)] has a key of type tuple; keys of JSON are strings"),
    "bytes": ([b"x"], "output[0] is a builtins.bytes"),
    "numpy bytes": (np.bytes_(b"x"), "numpy.bytes_"),
    "set": ([{1, 2}], "output[0] is a builtins.set"),
    "complex": (np.complex128(1), "complex"),
    "wide complex": (np.clongdouble(1), "complex"),
    "numpy function": (np.sin, "output is a numpy.ufunc"),
    "object": (object(), "output is a builtins.object"),
    "class": (Bar, "output is a builtins.type"),
    "numpy class": (np.ndarray, "output is a builtins.type"),
    "function": (len, "builtin_function_or_method"),
    "lazy frame": (pl.LazyFrame({"a": [1]}), "LazyFrame"),
    "itself": (CYCLE, "contains itself"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_json_does_not_have_is_refused_with_its_place(name):
    given, words = REFUSED[name]
    with pytest.raises(ValueError, match=r"^output") as caught:
        plain(given, "output")
    assert words in str(caught.value)
