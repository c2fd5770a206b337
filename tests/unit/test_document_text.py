"""The text of a document says the same as the document, in each format."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.define.document_text import write_text
from qflowd.define.documents import read
from qflowd.define.workflow_file import parse
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidRequest

FORMATS = ("yaml", "toml", "json")
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)))
VALUES = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(TEXTS, some, max_size=3), max_leaves=8
)
WORKFLOW = """
workflow: cn/eod
title: 收盘
schedule: {cron: "30 16 * * 1-5", timezone: Asia/Shanghai}
params: {day: {type: string, default: "2026-01-05"}, codes: {type: array, default: ["000300", "NO"]}}
defaults: {retries: 2, timeout: 1h30m}
tasks:
  fetch: {job: fetch, params: {url: "http://x/?a=1&b='2'", n: 1.5, deep: {a: [1, {b: true}]}}}
  bars: {job: bars, after: {fetch: "{{ fetch.output.ok }}"}, map: "{{ params.codes }}", limits: {"vendor:a": 1}}
"""


@pytest.mark.parametrize("format", FORMATS)
@given(st.dictionaries(TEXTS.filter(bool), VALUES, min_size=1, max_size=5))
def test_every_document_is_read_back_as_it_was(format, document):
    assert read(write_text(document, format), format, "x").data == document


@pytest.mark.parametrize("format", FORMATS)
def test_a_workflow_is_the_same_workflow_in_each_format(format):
    workflow = parse(WORKFLOW, "yaml", "x")
    assert parse(write_text(dump(workflow), format), format, "x") == workflow


@pytest.mark.parametrize(
    "text", ["000300", "NO", "2026-01-05", "21:00", "1e3", "null", "~", "'", '"', "a: b", "# x", " "]
)
@pytest.mark.parametrize("format", FORMATS)
def test_strings_stay_strings(format, text):
    assert read(write_text({"a": text, "b": [text]}, format), format, "x").data == {"a": text, "b": [text]}


def test_a_null_is_refused_for_toml_with_its_place():
    with pytest.raises(
        InvalidRequest, match=r"params\.day\.default is null, which TOML cannot say; ask for yaml or json"
    ):
        write_text({"params": {"day": {"default": None}}}, "toml")
