"""What a job returned, as JSON text that every database takes."""

import json

import pytest

from qflowd.workers.task_result import encode_output


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a\0b", "a\ufffdb"),
        ("\0\0", "\ufffd\ufffd"),
        ("\\\0", "\\\ufffd"),
        (r"\u0000", r"\u0000"),
        (r"\\u0000", r"\\u0000"),
        ({"k": r"C:\u0000"}, {"k": r"C:\u0000"}),
        (["lone \ud800"], ["lone \ufffd"]),
    ],
)
def test_an_output_stays_json_whatever_its_texts_hold(value, kept) -> None:
    assert json.loads(encode_output(value)) == kept
