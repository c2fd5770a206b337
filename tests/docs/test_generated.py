"""Pages that repeat what code says, and must say the same."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest

from qflowd.api.codes import CODES
from qflowd.config import from_settings, records
from qflowd.define.functions import FUNCTIONS
from qflowd.define.rows import read_overrides
from qflowd.define.session_functions import SESSION_FUNCTIONS
from qflowd.define.settings import SETTINGS
from qflowd.jobs.context import Context
from qflowd.model import instruments, states
from qflowd.model.plain import plain
from qflowd.model.workflow import BUILT_IN, Settings
from tests.docs.pages import ROOT

GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")
LISTENERS = (ROOT / "docs" / "listeners.md").read_text("utf-8")
STATES = (ROOT / "docs" / "states.md").read_text("utf-8")


def section(text: str, heading: str) -> str:
    match = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, heading
    return match[1]


def first_cells(text: str) -> set[str]:
    """Words in code in the first column of tables."""
    return {
        word
        for line in text.splitlines()
        if line.startswith("| `")
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("[database]", records.DatabaseKeys),
        ("[daemon]", records.DaemonConfig),
        ("[plugins]", records.PluginsConfig),
        ("[workflows]", records.WorkflowsConfig),
        ("[waits]", records.WaitsConfig),
        ("[connections.NAME]", records.ConnectionKeys),
        ("[log]", records.LogConfig),
        ("[retention]", records.RetentionConfig),
        ("[api]", records.ApiConfig),
        ("[pools.NAME]", records.PoolConfig),
        ("[limits]", records.LimitConfig),
    ],
)
def test_the_page_of_configuration_explains_every_key_with_its_default(heading: str, kind: type) -> None:
    lines = [line for line in section(CONFIGURATION, heading).splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [name.strip("`") for name, *_ in rows] == [field.name for field in fields(kind)]
    for field, (_, value_type, default, meaning) in zip(fields(kind), rows, strict=True):
        assert value_type
        assert meaning
        if default == "`none`":
            assert not field.default
        elif re.fullmatch("`[^`]*`", default) and not issubclass(kind, records.DatabaseKeys):
            word = default.strip("`")
            value = {"true": True, "false": False}.get(word, int(word) if word.isdigit() else word)
            assert field.metadata["read"](value) == field.default


def test_the_page_of_the_api_explains_every_code() -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == CODES


def test_the_database_has_the_defaults_that_the_page_gives() -> None:
    url = from_settings({}).database.url
    assert url == f"sqlite:///{Path.cwd()}/qflow.db"
    assert from_settings({"database": {"kind": "sqlite"}}).database.url == url
    assert from_settings({"database": {"kind": "mysql"}}).database.url == "mysql://localhost/"


@pytest.mark.parametrize(
    ("heading", "kind"), [("Task", states.TaskState), ("Instance", states.InstanceState), ("Reasons", states.Reason)]
)
def test_the_page_of_states_explains_all_there_are_and_no_others(heading: str, kind: type[IntEnum]) -> None:
    there = set(states.words(kind).values())
    assert first_cells(section(STATES, heading)) == there


@pytest.mark.parametrize(("heading", "kind"), [("Task", states.TaskState), ("Instance", states.InstanceState)])
def test_the_diagrams_name_only_states_that_exist(heading: str, kind: type[IntEnum]) -> None:
    drawn = set(re.findall(r"\b([A-Z_]{4,})\b", section(STATES, heading).split("```")[1]))
    assert drawn - {state.name for state in kind} == set()
    assert {state.name for state in kind} <= drawn


def test_the_words_of_saga_and_answers_are_there() -> None:
    for state in (*states.SagaState, *states.AnswerState):
        assert f"`{state.name}`" in STATES


def test_the_page_of_listeners_names_all_events_that_there_are_with_all_their_figures() -> None:
    rows = [line.split("|") for line in LISTENERS.splitlines() if line.startswith("| `")]
    events = {kind.__name__: kind for kind in instruments.Event.__subclasses__()}
    assert {row[1].strip(" `") for row in rows} == events.keys()
    for row in rows:
        figures = set(events[row[1].strip(" `")].__struct_fields__)
        assert figures <= set(re.findall(r"`(\w+)`", row[3])), row[1]


def test_the_guide_explains_every_function_of_expressions_and_no_others() -> None:
    cells = first_cells(section(GUIDE, "Expressions"))
    named = {match[1] for cell in cells if (match := re.fullmatch(r"(\w+)\(.*\)", cell))}
    assert named == FUNCTIONS.keys() | SESSION_FUNCTIONS.keys()


def test_the_guide_explains_every_job_setting_with_its_default() -> None:
    table = section(GUIDE, "Retries, timeouts, memory, pools")
    assert first_cells(table) == set(Settings.__struct_fields__)
    for line in table.splitlines():
        if match := re.match(r"\| `(retries|jitter|priority)` \| ([\d.]+) \|", line):
            assert float(match[2]) == getattr(BUILT_IN, match[1])


def test_the_guide_explains_everything_that_context_offers() -> None:
    named = {
        re.match(r"\.?(\w+)", word)[1]
        for cell in first_cells(section(GUIDE, "context()"))
        for word in cell.split()
        if word[0] == "."
    }  # type: ignore[index]
    public = {name for name in vars(Context) if not name.startswith("_")} - {"mark_cancelled", "spawns"}
    assert named == public


class Side(Enum):
    BUY = "buy"


class Bar(msgspec.Struct):
    close: float


# Every word of the first column, with what the second promises.
CONVERTED = {
    "None": (None, None),
    "bool": (True, True),
    "str": (np.str_("a"), "a"),
    "int": (2**64 - 1, 2**64 - 1),
    "float": (np.float64(0.5), 0.5),
    "list": ([1], [1]),
    "tuple": ((1,), [1]),
    "range": (range(2), [0, 1]),
    "dict": ({1: 2}, {"1": 2}),
    "msgspec.Struct": (Bar(1.5), {"close": 1.5}),
    "Enum": (Side.BUY, "buy"),
    "date": (date(2026, 1, 5), "2026-01-05"),
    "datetime": (datetime(2026, 1, 5, 21, tzinfo=ZoneInfo("Asia/Shanghai")), "2026-01-05T21:00:00+08:00"),
    "time": (time(21), "21:00:00"),
    "numpy.datetime64": (np.datetime64("2026-01-05", "ns"), "2026-01-05T00:00:00"),
    "pandas.Timestamp": (pd.Timestamp("2026-01-05"), "2026-01-05T00:00:00"),
    "timedelta": (timedelta(days=1, seconds=2), "P1DT2S"),
    "numpy.timedelta64": (np.timedelta64(2, "s"), "PT2S"),
    "pandas.Timedelta": (pd.Timedelta("2s"), "PT2S"),
    "Decimal": (Decimal("1.10"), "1.10"),
    "UUID": (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
    "Path": (Path("a"), "a"),
    "pandas.Period": (pd.Period("2026-01", "M"), "2026-01"),
    "pandas.NaT": (pd.NaT, None),
    "pandas.NA": (pd.NA, None),
    "NaT": (np.datetime64("NaT"), None),
    "longdouble": (np.longdouble(1.5), 1.5),
    "Series": ([pl.Series([1]), pd.Series([1], ["a"])], [[1], {"a": 1}]),
    "DataFrame": ([pl.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]})], [[{"a": 1}], {"a": {"0": 1}}]),
}
REFUSED = {'Decimal("NaN")': Decimal("NaN")}
FOREIGN = {"Table", "float", "int"}  # pyarrow is not installed for tests; two are named again in later rows


def test_the_table_of_values_is_what_the_converter_does() -> None:
    rows = [line.split("|")[1] for line in section(GUIDE, "Outputs").splitlines() if line.startswith("| ")][1:]
    named = {word for row in rows for word in re.findall(r"`([^`]+)`", row)}
    assert named - FOREIGN == (CONVERTED.keys() | REFUSED.keys()) - FOREIGN
    for given, expected in CONVERTED.values():
        assert plain(given) == expected
    for refused in REFUSED.values():
        with pytest.raises(ValueError, match="does not have"):
            plain(refused)


def test_the_contract_names_all_settings_that_overrides_take() -> None:
    text = (ROOT / "docs" / "sql-contract.md").read_text("utf-8")
    [listed] = re.findall(r"and the job settings\s+`([a-z_\s]+)`", text)
    assert sorted(listed.split()) == sorted(SETTINGS)


def test_an_unknown_key_of_overrides_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(ValueError, match="unknown key; known: ") as caught:
        read_overrides('{"tasks": {"bars": {"x": 1}}}')
    assert set(str(caught.value).partition("known: ")[2].split(", ")) == {*SETTINGS, "params", "skip"}
