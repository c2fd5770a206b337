"""Documents in three formats: texts stay texts, every key has its line, every fault is named."""

import json
import os
from itertools import pairwise

import pytest

from qflowd.define.documents import format_of, read, read_file
from qflowd.model.errors import FaultyDocument, InvalidConfig

YAML = """\
# a comment
symbol: 000300
words: [NO, on, 21:00, 2026-01-05, 1_000, +861012345, 0x1F, .inf, 68243E102, 1E1234]
numbers: [1, -2, 1.5, 1e3]
rest: [true, null, ~, "5"]
deep:
  a: &x {k: 1}
  b: *x
20260105: text key
"""
TOML = """\
symbol = "000300" # quoted, or TOML refuses it
words = [ "NO", 21:00, 09:30:00,
  2026-01-05, 2026-01-05 10:00:00Z ]
text = \"\"\"
# no comment
[not.a.table]
\"\"\"

[deep.a]
k.j = 1
"b.c" = {x = 1, y = [{z = 2},
  {z = 3}]}

[[list]]
k = 1
[[list]]
k = 2
"""
JSON = """\
{
  "a": [1, {"b": "x:,]}"},
    3],
  "c": {"d": {},
        "e\\u0041": null}
}
"""


def faults(text, format):
    with pytest.raises(FaultyDocument) as caught:
        read(text, format, "file")
    return str(caught.value)


def test_yaml_keeps_texts_that_only_look_like_something_else():
    data = read(YAML, "yaml", "f").data
    assert data["symbol"] == "000300"
    assert data["words"] == [
        "NO",
        "on",
        "21:00",
        "2026-01-05",
        "1_000",
        "+861012345",
        "0x1F",
        ".inf",
        "68243E102",
        "1E1234",
    ]
    assert data["numbers"] == [1, -2, 1.5, 1000.0]
    assert data["rest"] == [True, None, None, "5"]
    assert data["deep"] == {"a": {"k": 1}, "b": {"k": 1}}
    assert data["20260105"] == "text key"


def test_toml_dates_and_times_are_the_text_that_was_written():
    data = read(TOML, "toml", "f").data
    assert data["words"] == ["NO", "21:00", "09:30:00", "2026-01-05", "2026-01-05 10:00:00Z"]
    assert data["deep"] == {"a": {"k": {"j": 1}, "b.c": {"x": 1, "y": [{"z": 2}, {"z": 3}]}}}


@pytest.mark.parametrize(
    ("text", "format", "lines"),
    [
        (YAML, "yaml", {("symbol",): 2, ("words", 3): 3, ("deep",): 6, ("deep", "a", "k"): 7, ("deep", "b", "k"): 8}),
        (
            TOML,
            "toml",
            {
                ("words",): 2,
                ("words", 3): 3,
                ("text",): 4,
                ("deep",): 9,
                ("deep", "a", "k", "j"): 10,
                ("deep", "a", "b.c"): 11,
                ("deep", "a", "b.c", "y", 1, "z"): 12,
                ("list", 0, "k"): 15,
                ("list", 1, "k"): 17,
            },
        ),
        (JSON, "json", {("a",): 2, ("a", 1, "b"): 2, ("a", 2): 3, ("c", "d"): 4, ("c", "eA"): 5}),
    ],
)
def test_every_key_has_its_line(text, format, lines):
    document = read(text, format, "f")
    assert {path: document.line(path) for path in lines} == lines
    assert document.line((*next(iter(lines)), "unknown")) == document.line(next(iter(lines)))


def test_windows_line_ends_and_a_byte_order_mark_are_fine():
    for text, format in ((YAML, "yaml"), (TOML, "toml"), (JSON, "json")):
        windows = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
        document, plain = read(windows, format, "f"), read(text, format, "f")
        assert document.lines == plain.lines
        assert document.data == plain.data


@pytest.mark.parametrize(
    ("text", "format", "message"),
    [
        ("a: 1\na: 2", "yaml", "file:2: a: duplicate key; it is already in line 1"),
        ('{"a": 1,\n "a": 2}', "json", "file:2: a: duplicate key; it is already in line 1"),
        ("a = 1\na = 2", "toml", "file:2: is not valid TOML"),
        ("a: [", "yaml", "is not valid YAML"),
        ("a: 1\n\tb: 2", "yaml", "file:2: is not valid YAML"),
        ("{", "json", "file:1: is not valid JSON"),
        ("a = 000300", "toml", "file:1: is not valid TOML"),
        ("a: !!python/object/apply:os.system [ls]", "yaml", "is not supported"),
        ("a: &a [*a]", "yaml", "names nothing that is complete here"),
        ("a: 1\n---\nb: 2", "yaml", "file:2: holds more than one document"),
        ("a:\n  <<: {b: 1}", "yaml", "file:2: a: merge keys"),
        ("? [a]\n: 1", "yaml", "a key must be a string"),
        ("", "yaml", "is empty"),
        ("# nothing\n", "toml", None),
        ("", "json", "is empty"),
        ("- a", "yaml", "must hold keys and values"),
        ("[1]", "json", "must hold keys and values"),
        (b"\x7fELF\x02\x01\x01\0\0", "yaml", "is not UTF-8"),
        (b"a = '\xff'", "toml", "is not UTF-8"),
        ("a: \x01", "yaml", "control characters"),
        ("a: " + "x" * 1_000_001, "yaml", "is too large"),
        ("a: 99999999999999999999", "yaml", "64 bits"),
        ("a = nan", "toml", "NaN or Infinity"),
        ('{"a": 1e999}', "json", "NaN or Infinity"),
        ('{"a": NaN}', "json", "NaN or Infinity"),
        ('b: 1\na: ["x\\0"]', "yaml", "file:2: a[0]: contains NUL (U+0000), which databases cannot hold"),
        ('{"a": "\\ud800"}', "json", "file:1: a: contains half a character"),
        ('{"a\\u0000": 1}', "json", "has the key 'a\\x00', which contains NUL"),
        ("a = " + "9" * 6000, "toml", "64 bits"),
    ],
)
def test_a_bad_document_is_answered_with_its_fault(text, format, message):
    if message is None:
        assert read(text, format, "file").data == {}
    else:
        assert message in faults(text, format)


@pytest.mark.parametrize(
    ("text", "format"),
    [
        ("[" * 100_000, "yaml"),
        ("- " * 5000, "yaml"),
        ("a: " + "[" * 70 + "]" * 70, "yaml"),
        ('{"a":' * 50_000, "json"),
        ('{"a":' + "[" * 70 + "]" * 70 + "}", "json"),
        ("a = " + "[" * 50_000, "toml"),
        ("a = " + "[" * 70 + "]" * 70, "toml"),
    ],
)
def test_a_deep_document_is_refused_and_nothing_breaks(text, format):
    assert "nested more than 64 levels deep" in faults(text, format)


def test_an_alias_bomb_is_refused_before_it_grows():
    names = [f"a{n}" for n in range(40)]
    bomb = "a0: &a0 [x, x]\n" + "".join(f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise(names))
    assert "holds more than 100,000 values" in faults(bomb, "yaml")


def test_all_duplicate_keys_are_reported_at_once():
    assert len(faults("a: 1\na: 2\nb: {c: 1, c: 2}", "yaml").splitlines()) == 2


def test_the_name_of_a_file_tells_its_format(tmp_path):
    assert [format_of(name) for name in ("a.yaml", "b.YML", "c.toml", "d.json")] == ["yaml", "yaml", "toml", "json"]
    with pytest.raises(InvalidConfig, match=r"must end in \.yaml"):
        format_of("a.ini", InvalidConfig)
    (tmp_path / "a.json").write_text(json.dumps({"a": 1}))
    assert read_file(tmp_path / "a.json").data == {"a": 1}
    with pytest.raises(FaultyDocument, match="cannot be read: No such file"):
        read_file(tmp_path / "none.json")


def test_a_named_pipe_is_refused_before_anybody_waits_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "w.yaml")
    with pytest.raises(FaultyDocument, match="cannot be read: it is a named pipe"):
        read_file(tmp_path / "w.yaml")
