"""`wait_for` in a file: what it may say, and each fault in a sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from qflowd.define import workflow_file
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.file_patterns import fault_in_pattern
from qflowd.define.waits import moment
from qflowd.define.writing import dump
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import WaitFor

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def text(task: str) -> str:
    return f"workflow: w\nparams: {{m: {{type: string}}}}\ntasks:\n  {task}\n"


@pytest.mark.parametrize(
    ("written", "wait"),
    [
        ("{signal: bars.ready}", WaitFor(signal="bars.ready")),
        (
            '{signal: "bars/{{ params.m }}", timeout: 2h, on_timeout: skip}',
            WaitFor(signal="bars/{{ params.m }}", timeout="2h", on_timeout="skip"),
        ),
        ("{workflow: cn_bars}", WaitFor(workflow="cn_bars")),
        (
            '{workflow: cn_bars, business_date: "{{ params.m }}", timeout: 3h}',
            WaitFor(workflow="cn_bars", business_date="{{ params.m }}", timeout="3h"),
        ),
        ("{delay: 10m}", WaitFor(delay="10m")),
        ("{until: 2026-11-20T16:00:00Z}", WaitFor(until="2026-11-20T16:00:00Z")),
        (
            '{approval: "Ship it?", deadline: 1h, default: approve}',
            WaitFor(approval="Ship it?", deadline="1h", default="approve"),
        ),
        ("{file: /in/bars.csv}", WaitFor(file="/in/bars.csv")),
        (
            '{file: "/in/{{ params.m }}/bars_*.csv", stable: 30s, ok: .ok, checksum: .md5, at_least: 2, timeout: 2h}',
            WaitFor(
                file="/in/{{ params.m }}/bars_*.csv",
                stable="30s",
                ok=".ok",
                checksum=".md5",
                at_least=2,
                timeout="2h",
            ),
        ),
        ("{sql: SELECT 1, connection: vendor}", WaitFor(sql="SELECT 1", connection="vendor")),
        (
            '{sql: "SELECT x::int FROM b WHERE m = :m", connection: v, params: {m: "{{ params.m }}"}, every: 1m, timeout: 2h}',
            WaitFor(
                sql="SELECT x::int FROM b WHERE m = :m",
                connection="v",
                params={"m": "{{ params.m }}"},
                every="1m",
                timeout="2h",
            ),
        ),
    ],
)
def test_a_wait_is_read_and_written_back(written: str, wait: WaitFor) -> None:
    workflow = workflow_file.parse(text(f"a: {{wait_for: {written}}}"), "yaml", "f.yaml")
    assert (workflow.tasks[0].wait_for, workflow.tasks[0].only_waits) == (wait, True)
    assert workflow_file.parse(json.dumps(dump(workflow)), "json", "w.json") == workflow
    built = WorkflowBuilder("w").with_params(m={"type": "string"})
    about = dump(workflow)["tasks"]["a"]["wait_for"]
    assert built.with_task(TaskBuilder("a").with_wait_for(**about)).build() == workflow


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        ("a: {wait_for: 10m}", "wait_for: must hold keys and values, not a string"),
        (
            "a: {wait_for: {}}",
            "wait_for: names nothing to wait for; one of signal, workflow, dataset, delay, until, approval, file, sql is needed",
        ),
        (
            "a: {wait_for: {moon: full, timeout: 2h}}",
            "wait_for: has moon, timeout, but nothing to wait for; one of signal, workflow, ",
        ),
        (
            "a: {wait_for: {signal: x, delay: 5m}}",
            "wait_for: names signal and delay; one of signal, workflow, dataset, delay, until, approval, file, sql is needed",
        ),
        ("a: {wait_for: {signal: two words}}", "wait_for.signal: the name of a signal 'two words' contains ' '"),
        ("a: {wait_for: {delay: soon}}", "wait_for.delay: 'soon' is not a duration"),
        ("a: {wait_for: {until: noon}}", "wait_for.until: 'noon' is not an instant"),
        (
            "a: {wait_for: {signal: x, timeout: later}}",
            "wait_for.timeout: 'later' is neither a duration such as \"2h\" nor an instant",
        ),
        ("a: {wait_for: {signal: x, on_timeout: wait}}", "wait_for.on_timeout: must be one of fail, skip, continue"),
        ("a: {wait_for: {signal: x, deadline: 1h}}", "wait_for.deadline: unknown key"),
        ("a: {wait_for: {approval: x, timeout: 1h}}", "wait_for.timeout: unknown key"),
        ("a: {wait_for: {workflow: cn bars}}", "wait_for.workflow: workflow key 'cn bars' contains ' '"),
        ("a: {wait_for: {workflow: w}}", "wait_for.workflow: is this workflow itself: name another `business_date`"),
        (
            "a: {wait_for: {workflow: x, business_date: monday}}",
            "wait_for.business_date: 'monday' is not a date; write it like 2026-11-20",
        ),
        ("a: {wait_for: {signal: x, business_date: 2026-11-20}}", "wait_for.business_date: unknown key"),
        (
            "a: {wait_for: {file: in/bars.csv}}",
            "wait_for.file: 'in/bars.csv' is relative, and daemons run anywhere: begin with /",
        ),
        ("a: {wait_for: {file: /in/../bars.csv}}", "wait_for.file: '/in/../bars.csv' holds '..'"),
        ("a: {wait_for: {file: /in/}}", "wait_for.file: '/in/' names a folder; name files in it, as in /in/*.csv"),
        (
            'a: {wait_for: {file: "/in/*/bars.csv"}}',
            "wait_for.file: the folder '*' holds a wildcard; only the last part of a path may",
        ),
        ("a: {wait_for: {file: /in/x, checksum: .crc}}", "must be one of .md5, .sha1, .sha256, .sha512, not '.crc'"),
        ("a: {wait_for: {file: /in/x, ok: a/b}}", "wait_for.ok: 'a/b' is not a suffix such as .ok"),
        ("a: {wait_for: {file: /in/x, at_least: 0}}", "wait_for.at_least: must be "),
        ("a: {wait_for: {file: /in/x, stable: soon}}", "wait_for.stable: 'soon' is not a duration"),
        ("a: {wait_for: {sql: SELECT 1}}", "wait_for: needs `connection`: the name of one under [connections]"),
        ("a: {wait_for: {sql: SELECT 1, conection: v}}", "wait_for.conection: unknown key"),
        ("a: {wait_for: {sql: SELECT 1, connection: a b}}", "wait_for.connection: name of a connection 'a b' contains"),
        ("a: {wait_for: {sql: SELECT 1, connection: v, every: 1s}}", "wait_for.every: must be 5s or longer, not '1s'"),
        (
            'a: {wait_for: {sql: "SELECT {{ params.m }}", connection: v}}',
            "wait_for.sql: holds {{; write a named value such as :d, and give it under `params`",
        ),
        ("a: {wait_for: {sql: DROP TABLE b, connection: v}}", "wait_for.sql: must be one SELECT, or WITH"),
        ("a: {wait_for: {sql: SELECT 1; SELECT 2, connection: v}}", "wait_for.sql: holds a semicolon; one statement"),
        ("a: {wait_for: {sql: SELECT 1 -- x, connection: v}}", "wait_for.sql: holds a comment"),
        (
            'a: {wait_for: {sql: "SELECT \'a", connection: v}}',
            "wait_for.sql: holds a quotation mark that nothing closes",
        ),
        ("a: {wait_for: {sql: 'SELECT \\', connection: v}}", "wait_for.sql: holds a backslash or a NUL"),
        (
            'a: {wait_for: {sql: "SELECT :d, :e", connection: v, params: {e: 1}}}',
            "wait_for.sql: `params` does not give d, which the query names",
        ),
        (
            "a: {wait_for: {sql: SELECT 1, connection: v, params: {d: 1}}}",
            "wait_for.params: gives d, which the query does not name with a colon in front",
        ),
        (
            'a: {wait_for: {sql: "SELECT :d", connection: v, params: {d: [1]}}}',
            "wait_for.params: d must be one value: a string, a number, true, false or null",
        ),
        ('a: {wait_for: {signal: "{{ params.n }}"}}', "wait_for.signal: params has no 'n'"),
        ('a: {wait_for: {signal: "{{ b.output }}"}}', "wait_for.signal: the output of 'b' is not known here"),
        ("a: {wait_for: {delay: 5m}, retries: 3}", "tasks.a.retries: is for a task with a job; this one only waits"),
        ("a: {wait_for: {delay: 5m}, map: [1]}", "tasks.a.map: is for a task with a job; this one only waits"),
    ],
)
def test_what_a_wait_cannot_say_is_faulted(task: str, fault: str) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        workflow_file.parse(text(task), "yaml", "f.yaml")
    assert any(fault in str(found) for found in caught.value.faults), caught.value


@pytest.mark.parametrize(
    ("value", "instant"),
    [("90m", "11:00"), (60, "09:31"), ("2026-11-20T18:00:00+08:00", "10:00"), ("2026-11-20 12:00", "12:00")],
)
def test_a_deadline_is_a_duration_or_an_instant(value: str | int, instant: str) -> None:
    assert moment(value, NOW) == datetime.fromisoformat(f"2026-11-20T{instant}:00+00:00")


def test_anything_else_is_neither() -> None:
    for value in (None, True, "soon", [1], -5):
        with pytest.raises(ValueError, match="neither a duration"):
            moment(value, NOW)


def test_a_path_that_expressions_make_too_long_is_not_looked_for() -> None:
    assert fault_in_pattern("/in/" + "x" * 996) is None
    assert str(fault_in_pattern("/in/" + "x" * 997)).endswith("has 1,001 characters; at most 1,000 are allowed")
