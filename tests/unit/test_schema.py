"""JSON Schema of params."""

import http.server
import threading

import pytest

from qflowd.define.schema import Schema, schema_fault, workflow_schema
from qflowd.engine.plans.plan import compile_plan, single_job
from qflowd.model.workflow import Job, Task, Workflow

PARAMS = {
    "day": {"type": "string", "format": "date"},
    "symbols": {"type": "array", "items": {"type": "string"}, "default": []},
    "n": {"type": "integer", "minimum": 1, "default": 1},
}


def test_good_params_have_no_fault():
    assert Schema(workflow_schema(PARAMS)).faults({"day": "2026-01-05", "symbols": ["A"], "n": 2}) == []
    assert Schema(workflow_schema(None)).faults({"anything": [1]}) == []


def test_each_fault_names_its_place():
    found = Schema(workflow_schema(PARAMS)).faults({"day": "soon", "symbols": ["A", 3], "n": 0, "x": 1})
    assert len(found) == 4
    assert 'day: "soon" is not a "date"; write it like "2026-11-20"' in found
    assert any(fault.startswith("symbols[1]: 3") for fault in found)
    assert any(fault.startswith("n: 0") for fault in found)
    assert any("'x'" in fault for fault in found)
    assert Schema(workflow_schema(PARAMS)).faults({}) == ["day: is missing"]
    assert Schema({"properties": {"a": {"required": ["b"]}}}).faults({"a": {}}) == ["a.b: is missing"]
    assert Schema(workflow_schema({})).faults({"x": 1}) != []


def test_a_param_that_there_is_not_is_named_with_the_nearest_that_there_is():
    assert Schema(workflow_schema(PARAMS)).faults({"day": "2026-01-05", "symbol": []}) == [
        "there is no 'symbol'; did you mean symbols?"
    ]
    assert Schema(workflow_schema({"day": {}})).faults({"day": 1, "x": 1}) == ["there is no 'x'; known: day"]
    inner = {"type": "object", "properties": {"bank": {}}, "additionalProperties": False}
    [fault] = Schema({"properties": {"account": inner}}).faults({"account": {"bnk": 1}})
    assert fault == "account: there is no 'bnk'; did you mean bank?"
    schema = {"$defs": {"A": inner}, "properties": {"a": {"$ref": "#/$defs/A"}}}
    assert Schema(schema).faults({"a": {"bnk": 1}})[0].startswith("a: there is no 'bnk'")


def test_a_number_becomes_text_where_only_text_fits():
    schema = Schema(workflow_schema(PARAMS))
    assert schema.coerce({"day": 20260105, "symbols": [1, "B"], "n": 2, "x": 3}) == {
        "day": "20260105",
        "symbols": ["1", "B"],
        "n": 2,
        "x": 3,
    }
    assert Schema({"type": ["string", "integer"]}).coerce(5) == 5
    assert Schema({"type": "string"}).coerce(True) is True


def test_an_instant_needs_its_offset_and_the_fault_says_so():
    [fault] = Schema({"type": "string", "format": "date-time"}).faults("2026-11-20T21:00:00")
    assert '"2026-11-20T21:00:00+08:00", with its offset from UTC' in fault


def test_truth_values_that_sql_functions_write_as_numbers_are_taken():
    schema = Schema(workflow_schema({"flag": {"type": "boolean"}, "n": {"type": ["boolean", "integer"]}}))
    assert schema.coerce({"flag": 1, "n": 1}) == {"flag": True, "n": 1}
    assert schema.coerce({"flag": 0, "n": 0})["flag"] is False
    assert schema.faults(schema.coerce({"flag": 2, "n": 1})) == ['flag: 2 is not of type "boolean"; write it like true']


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "strng"}, "strng"),
        ({"minimum": "a"}, "number"),
        ({"pattern": "("}, "regex"),
        ({"$ref": "#/nothing"}, "nothing"),
        ({"$ref": "file:///etc/passwd"}, "never fetched"),
        ({"$schema": "http://example.invalid/schema"}, "meta-schema"),
    ],
)
def test_what_is_not_a_schema_is_named(schema, reason):
    assert reason in schema_fault(schema)


def test_a_schema_is_never_fetched():
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/secret"
        assert "never fetched" in schema_fault({"$ref": url})
        assert schema_fault({"properties": {"a": {"$dynamicRef": url}}})
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


def test_a_hostile_pattern_costs_nothing():
    assert Schema({"type": "string", "pattern": "^(a+)+$"}).faults("a" * 5000 + "!") != []


def test_a_long_value_makes_a_short_message():
    assert all(len(fault) < 400 for fault in Schema({"type": "integer"}).faults("x" * 100_000))


def test_a_plan_prepares_its_schema_once_and_anew_when_its_job_changes():
    plan = compile_plan(1, Workflow("w", (Task("a", "j"),), params=PARAMS))
    assert plan.schema(None) is plan.schema(None)
    assert plan.schema(None).faults({"day": "2026-01-05", "n": 0}) != []
    alone, job, other = single_job("j"), Job("j", "m", "f", "h", params_schema=PARAMS), Job("j", "m", "f", "h")
    assert alone.schema(job) is alone.schema(job)
    assert alone.schema(other) is alone.schema(None)
    assert alone.schema(other) is not alone.schema(job)
