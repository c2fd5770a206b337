"""JSON text from strangers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.model import jsontext

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_is_read_again(value):
    assert jsontext.parse(jsontext.dump(value)) == jsontext.clean(value)


def test_equal_values_give_equal_texts():
    assert jsontext.dump({"b": 1, "a": [1, "é"]}) == jsontext.dump({"a": [1, "é"], "b": 1}) == '{"a":[1,"é"],"b":1}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ('{"a": 1, "a": 2}', "the key 'a' twice"),
        ("[NaN]", "NaN"),
        ("-Infinity", "Infinity"),
        ("1e999", "Infinity"),
        ("9" * 30, "64 bits"),
        ("9" * 9000, "64 bits"),
        ("[" * 1000 + "]" * 1000, "levels deep"),
        ('{"a":' * 100_000, "levels deep"),
        ("[" * 65 + "]" * 65, "levels deep"),
        (b'"\xff"', "not UTF-8"),
        ('"' + "x" * 10_000_000 + '"', "10,000,002 bytes; at most 1,000,000"),
        ('"' + "é" * 600_000 + '"', "1,200,002 bytes"),
    ],
)
def test_a_bad_text_is_answered_with_one_clear_sentence(text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        jsontext.parse(text, "params")
    assert str(caught.value).startswith("params ")
    assert len(str(caught.value)) < 200


def test_64_levels_are_not_too_deep():
    assert jsontext.depth(jsontext.parse("[" * 64 + "]" * 64)) == 64


def test_what_databases_refuse_is_replaced():
    assert jsontext.parse(r'{"k\u0000": ["a\u0000b", "\ud800"]}') == {"k\ufffd": ["a\ufffdb", "\ufffd"]}
    assert jsontext.parse(r'"\ud83d\ude00"') == "😀"
    assert jsontext.clean_text("a\0\udcff") == "a\ufffd\ufffd"
    assert jsontext.dump("\ud800") == '"\ufffd"'


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"a": [0, {"b": "x\0"}]}, "params.a[1].b contains NUL (U+0000), which databases cannot hold; leave it out"),
        (["\udcff"], "params[0] contains half a character (the surrogate U+DCFF), "),
        ({"k": {"a\0": 1}}, r"params.k has the key 'a\x00', which contains NUL"),
        ("\0", "params contains NUL"),
    ],
)
def test_what_is_sent_is_refused_where_databases_would_refuse_it(value, fault):
    with pytest.raises(jsontext.UnstorableText) as written:
        jsontext.dump_sent(value, "params")
    with pytest.raises(jsontext.UnstorableText) as read:
        jsontext.parse(json.dumps(value), "params", is_sent=True)
    assert str(read.value) == str(written.value)
    assert str(read.value).startswith(fault)
    harmless = {"a": ["\\u0000", "\\ud800", "😀"]}
    assert jsontext.parse(jsontext.dump_sent(harmless, "params"), is_sent=True) == harmless


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), b"x"])
def test_what_is_not_json_is_not_written(value):
    with pytest.raises(ValueError, match=r"JSON|not JSON compliant"):
        jsontext.dump(value)
