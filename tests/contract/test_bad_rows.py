"""Rows that cannot be carried out: each is answered in the row, clearly, and nothing else is lost."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.contract.desk import Desk, Row
from tests.support.daemon import until

DEEP = '{"a":' * 1000 + "1" + "}" * 1000
BAD = {
    "neither workflow nor job": ({"submitted_by": "me"}, "either a workflow or a job"),
    "both": ({"workflow": "daily_bars", "job": "hello"}, "either a workflow or a job, not both"),
    "empty names": ({"workflow": "", "job": ""}, "either a workflow or a job"),
    "unknown workflow": ({"workflow": "dayly_bars"}, "no workflow 'dayly_bars'; did you mean daily_bars"),
    "unknown job": ({"job": "helo"}, "no daemon has ever registered a job 'helo'; did you mean hello"),
    "a key that none can have": ({"workflow": "drop table; --"}, "workflow.*contains ' '"),
    "a very long key": ({"workflow": "w" * 900}, "900 characters; at most 200"),
    "an emoji as key": ({"job": "hello\U0001f600"}, "contains '\U0001f600'"),
    "trailing blank": ({"workflow": "daily_bars "}, "contains ' '"),
    "another case": ({"workflow": "Daily_Bars"}, "no workflow 'Daily_Bars'"),
    "unknown version": ({"workflow": "daily_bars", "version": 99}, "has no version 99"),
    "version zero": ({"workflow": "daily_bars", "version": 0}, "version: must be a whole number from 1"),
    "version of a job": ({"job": "hello", "version": 1}, "version: .*only a workflow"),
    "invalid JSON": ({"job": "hello", "params": '{"name": '}, "params is not valid JSON"),
    "no JSON at all": ({"job": "hello", "params": ""}, "params is not valid JSON"),
    "a list": ({"job": "hello", "params": "[1]"}, "params: must be a JSON object"),
    "a text": ({"job": "hello", "params": '"x"'}, "params: must be a JSON object"),
    "NaN": ({"job": "hello", "params": '{"name": NaN}'}, "NaN, which JSON does not have"),
    "Infinity": ({"job": "hello", "params": '{"name": 1e999}'}, "Infinity, which JSON does not have"),
    "a key twice": ({"job": "hello", "params": '{"name": "a", "name": "b"}'}, "the key 'name' twice"),
    "a giant number": ({"job": "hello", "params": '{"name": ' + "9" * 30 + "}"}, "more than 64 bits"),
    "1,000 levels": ({"job": "hello", "params": DEEP}, "more than 64 levels deep"),
    "against the schema": ({"job": "large", "params": '{"size": "abc"}'}, "params: .*size"),
    "an unknown param": ({"job": "hello", "params": '{"nme": "x"}'}, r"params: there is no 'nme'; did you mean name\?"),
    "a missing param": ({"job": "large"}, "params: .*size"),
    "a param of the workflow": ({"workflow": "daily_bars", "params": '{"trade_date": "tomorrow"}'}, "params: .*trade_date"),
    "overrides that are no JSON": ({"workflow": "daily_bars", "overrides": "{"}, "overrides is not valid JSON"),
    "overrides without tasks": ({"workflow": "daily_bars", "overrides": '{"bars": {}}'}, "overrides: bars"),
    "overrides of an unknown task": ({"workflow": "daily_bars", "overrides": '{"tasks": {"brs": {}}}'}, "overrides: no task 'brs'.*bars"),
    "overrides of an item": ({"workflow": "daily_bars", "overrides": '{"tasks": {"bars[AAPL]": {"retries": 1}}}'}, "overrides: 'bars.AAPL.' is a part of task bars; overrides are of whole tasks"),
    "overrides with an unknown key": (
        {"workflow": "daily_bars", "overrides": '{"tasks": {"bars": {"timeot": "5m"}}}'},
        "overrides: .*timeot.*did you mean timeout",
    ),
    "overrides with a bad value": (
        {"workflow": "daily_bars", "overrides": '{"tasks": {"bars": {"timeout": "soon"}}}'},
        "overrides: .*timeout",
    ),
    "overrides with bad params": ({"workflow": "daily_bars", "overrides": '{"tasks": {"bars": {"params": 1}}}'}, "overrides: .*params"),
    "override params of the wrong type": (
        {"workflow": "daily_bars", "overrides": '{"tasks": {"bars": {"params": {"factor": "much"}}}}'},
        'overrides.tasks.bars.params: factor: "much" is not of type "number"',
    ),
    "override params that the job does not have": (
        {"workflow": "daily_bars", "overrides": '{"tasks": {"bars": {"params": {"fctor": 2}}}}'},
        "overrides.tasks.bars.params: .*fctor",
    ),
    "priority too high": ({"job": "hello", "priority": 1001}, "priority: must be a whole number from -1000 to 1000, not 1001"),
    "priority too low": ({"job": "hello", "priority": -1001}, "priority"),
    "hold of two": ({"job": "hello", "hold": 2}, "hold: must be a whole number from 0 to 1, not 2"),
    "an empty tenant": ({"job": "hello", "tenant": ""}, "tenant must not be empty"),
    "a strange tenant": ({"job": "hello", "tenant": "a b"}, "tenant 'a b' contains ' '"),
    "an empty key": ({"job": "hello", "idempotency_key": ""}, "idempotency_key: is empty"),
    "a long idempotency key": ({"job": "hello", "idempotency_key": "k" * 201}, "idempotency_key: has 201 characters"),
    "a long name": ({"job": "hello", "name": "n" * 999}, "name: has 999 characters"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_row_that_cannot_be_meant_is_answered_in_the_row(desk: Desk, case: str):
    values, expected = BAD[case]
    number = desk.submit(**values)
    beside = desk.submit(job="hello", params='{"name": "beside"}')
    error = desk.rejected(number)
    assert re.search(expected, error), error
    assert desk.run("SELECT 1 FROM qflow.instances WHERE id = %s", (number,)) == []
    assert desk.ended(beside)["state"] == "SUCCESS"


def test_all_faults_of_a_row_are_told_at_once(desk: Desk):
    error = desk.rejected(desk.submit(priority=5000, hold=7, params="{", overrides="["))
    told = [re.split("[: ]", line)[0] for line in error.splitlines()]
    assert told == ["name", "params", "priority", "hold", "overrides"]


def test_ten_megabytes_of_params_are_refused(desk: Desk):
    large = '{"name": "' + "x" * 10_000_000 + '"}'
    by_bytes = '{"name": "' + "é" * 900_000 + '"}'  # under the limit by characters
    params, accents, overrides = (
        desk.submit(job="hello", params=large),
        desk.submit(job="hello", params=by_bytes),
        desk.submit(job="hello", overrides=large),
    )
    assert desk.rejected(params) == "params has 10,000,012 characters; at most 1,048,576 bytes are allowed"
    assert "at most 1,048,576" in desk.rejected(accents)
    assert "overrides has 10,000,012 characters" in desk.rejected(overrides)
    desk.is_alive()
    desk.forget(params, accents, overrides)


def test_a_dozen_rows_of_nearly_a_megabyte_are_admitted_together(desk: Desk):
    text = '{"name": "' + "x" * 900_000 + '"}'
    with_them = desk.connect()
    desk.run("BEGIN", connection=with_them)
    numbers = [desk.submit(connection=with_them, job="hello", params=text) for _ in range(12)]
    desk.run("COMMIT", connection=with_them)
    with_them.close()
    for number in numbers:
        assert desk.ended(number)["state"] == "SUCCESS"
    desk.forget(*numbers)


UNREADABLE = {
    "sqlite": {
        "text that is no UTF-8": ("job", "CAST(x'ff41' AS TEXT)", "utf-8|UTF-8"),
        "a blob as workflow": ("workflow", "x'00ff'", "workflow must be text, not bytes"),
        "a blob as job": ("job", "x'68656c6c6f'", "job must be text, not bytes"),
        "a blob as params": ("params", "x'ff00'", "params: is a blob of 2 bytes that are not UTF-8; write JSON text, such as {}"),
        "a blob as overrides": ("overrides", "x'ff00'", "overrides"),
        "a blob as tenant": ("tenant", "x'ff00'", "tenant must be text"),
        "a blob as name": ("name", "x'ff00'", "name: "),
        "a blob as key": ("idempotency_key", "x'ff00'", "idempotency_key: "),
        "a blob as run_at": ("run_at", "x'ff00'", "run_at: "),
        "a blob as priority": ("priority", "x'ff00'", "priority: must be a whole number .*, not b'"),
        "a real as priority": ("priority", "1.5", "priority: must be a whole number .*, not 1.5"),
        "a text as priority": ("priority", "'high'", "priority: must be a whole number .*, not 'high'"),
        "a text as hold": ("hold", "'yes'", "hold: must be a whole number .*, not 'yes'"),
        "a text as version": ("version", "'one'", "version: must be a whole number .*, not 'one'"),
        "a huge priority": ("priority", "9223372036854775807", "priority: "),
        "a real of no size": ("priority", "9e999", "priority: must be a whole number .*, not inf"),
        "NUL in a name": ("workflow", "'a' || char(0) || 'b'", r"contains '\\x00'"),
        "run_at in words": ("run_at", "'tomorrow'", "run_at: 'tomorrow' is not an instant; write it like 2026-11-20T09:30:00Z"),
        "run_at as a number": ("run_at", "1795168800", "run_at: '1795168800' is not an instant"),
        "a date that is none": ("business_date", "'2026-02-30'", "business_date: '2026-02-30' is not a date"),
        "a date with half a time": ("business_date", "'2026-11-20T'", "business_date: '2026-11-20T' is no"),
        "created_at in words": ("created_at", "'now'", "created_at: 'now' is not an instant"),
        "run_at at the end of time": ("run_at", "'9999-12-31T23:59:59-12:00'", "run_at: .* is not an instant"),
    },
    "postgres": {
        "an infinite run_at": ("run_at", "'infinity'", "cannot be taken: .*infinity"),
        "run_at before Christ": ("run_at", "'0044-03-15 BC'", "cannot be taken: .*BC"),
        "an infinite date": ("business_date", "'-infinity'", "cannot be taken: .*infinity"),
        "created_at in ten thousand years": ("created_at", "'12026-11-20'", "cannot be taken: .*year"),
    },
    "mariadb": {
        "a zero date": ("business_date", "'0000-00-00'", "business_date"),
        "a zero run_at": ("run_at", "'0000-00-00 00:00:00'", "run_at"),
    },
}  # fmt: skip


def test_values_that_no_other_database_takes_are_refused_in_their_row_only(desk: Desk):
    """Some of them the daemon's driver cannot even fetch."""
    if desk.kind == "mariadb":
        desk.run("SET SESSION sql_mode = ''")
    ids = {}
    for case, (column, value, expected) in UNREADABLE[desk.kind].items():
        target = {"workflow": "name", "job": "name"}.get(column, "job")
        sql = f"INSERT INTO qflow.submissions ({column}, {target}) VALUES ({value}, 'hello')"
        desk.run(sql)
        ids[case] = (desk.run("SELECT MAX(id) AS id FROM qflow.submissions")[0]["id"], expected)
    beside = desk.submit(job="hello")
    assert desk.ended(beside)["state"] == "SUCCESS"
    faults = []
    for case, (number, expected) in ids.items():
        row = desk.answer(number)
        if row["state"] != "REJECTED" or not re.search(expected, row["error"] or ""):
            faults.append((case, row))
    assert faults == []
    desk.is_alive()
    desk.forget(*(number for number, _ in ids.values()))


STRANGE_TEXTS = (
    "'; DROP TABLE submissions; --",
    "Grüße \U0001f600 ﷽",
    "\u202eright to left\u200b",
    "e\u0301",
    "\\",
    '"',
    "%s %(x)s {0} {{ x }}",
    "日本",
)


def test_odd_texts_travel_unharmed(desk: Desk):
    for text in STRANGE_TEXTS:
        params = json.dumps({"name": text}, ensure_ascii=False)
        number = desk.submit(job="hello", name=text, params=params, submitted_by=text, idempotency_key=text)
        assert desk.ended(number)["name"] == text
        assert json.loads(desk.tasks(number)["hello"]["output"])["greeting"] == f"Hello, {text}!"


def test_texts_that_no_database_holds_are_refused(desk: Desk):
    """Not changed in silence: a name that arrives as another one is found by nobody."""
    for text, fault in (("nul \\u0000", "NUL"), ("half \\ud800", "half a character")):
        number = desk.submit(job="hello", params=f'{{"name": "{text}"}}')
        assert f"params.name contains {fault}" in desk.rejected(number)


BAD_COMMANDS = {
    "unknown action": ({"action": "explode", "instance_id": 1}, "there is no action 'explode'"),
    "later action": ({"action": "purge", "instance_id": 1}, "'purge' is not supported yet"),
    "empty action": ({"action": ""}, "there is no action ''"),
    "no target": ({"action": "terminate"}, "terminate needs an instance_id"),
    "unknown instance": ({"action": "retry", "instance_id": 999_999}, "there is no instance 999999"),
    "negative instance": ({"action": "retry", "instance_id": -1}, "instance_id: must be a whole number from 1 to"),
    "huge instance": ({"action": "retry", "instance_id": 1 << 60}, "instance_id: must be a whole number from 1 to"),
    "unknown workflow": ({"action": "enable", "workflow": "nix"}, "no workflow 'nix'"),
    "no schedule": ({"action": "disable", "workflow": "daily_bars"}, "has no schedule"),
    "a filter": ({"action": "terminate", "instance_id": 1, "filter": "{}"}, "is empty, which would be every instance"),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_a_command_that_cannot_be_carried_out_is_answered_in_the_row(desk: Desk, case: str):
    values, expected = BAD_COMMANDS[case]
    row = desk.command(**values)
    assert (row["state"], row["result"]) == ("REJECTED", None)
    assert expected in row["error"]
    assert row["answered_at"] is not None


def test_commands_that_cannot_be_read_are_refused_by_themselves(desk: Desk):
    if desk.kind != "sqlite":
        pytest.skip("its types refuse them at once")
    values = ("CAST(x'ff41' AS TEXT), 1", "x'ff', 1", "'retry', 'many'", "'retry', 1.5", "'retry', x'ff'")
    for value in values:
        desk.run(f"INSERT INTO qflow.commands (action, instance_id) VALUES ({value})")
    last = desk.run("SELECT MAX(id) AS id FROM qflow.commands")[0]["id"]
    for number in range(last - len(values) + 1, last + 1):
        assert desk.rejected(number, "commands")
        desk.forget(number, table="commands")
    desk.is_alive()


UNREADABLE_SIGNALS = {"sqlite": ("name, payload", "'bytes', CAST(x'ff41' AS TEXT)"), "postgres": ("name, expires_at", "'bytes', 'infinity'")}  # fmt: skip


def test_a_signal_that_cannot_be_read_is_refused_and_delays_no_other(desk: Desk):
    if desk.kind not in UNREADABLE_SIGNALS:
        pytest.skip("its types refuse them at once")
    columns, values = UNREADABLE_SIGNALS[desk.kind]
    desk.run(f"INSERT INTO qflow.signals ({columns}) VALUES ({values})")
    unreadable = desk.run("SELECT MAX(id) AS id FROM qflow.signals")[0]["id"]
    desk.run("INSERT INTO qflow.signals (name) VALUES ('beside')")
    of_both = f"SELECT state, error FROM qflow.signals WHERE id >= {unreadable} ORDER BY id"
    until(lambda: all(row["state"] != "NEW" for row in desk.run(of_both)), 40)
    first, beside = desk.run(of_both)
    assert (first["state"], beside["state"]) == ("REJECTED", "ACCEPTED")
    assert first["error"].startswith("this row cannot be taken: ")
    desk.run(f"DELETE FROM qflow.signals WHERE id >= {unreadable}")


def test_numbers_of_equal_value_ask_for_the_same_thing_under_one_key(desk: Desk):
    spellings = [
        ('{"name": "a", "n": [23155.0, -0.0, 1e3]}', '{"tasks": {"hello": {"retries": 1, "timeout": "5m"}}}'),
        ('{"n": [23155, 0, 1000], "name": "a"}', '{"tasks":{"hello":{"timeout":"5m","retries":1}}}'),
    ]
    first, same = (
        taken(desk, workflow="any_params", params=params, overrides=overrides, idempotency_key="numbers/1")
        for params, overrides in spellings
    )
    assert same["instance_id"] == first["instance_id"] == first["id"]
    other = desk.submit(workflow="any_params", params='{"n": [23155.5, 0, 1000]}', idempotency_key="numbers/1")
    assert "asks for something else" in desk.rejected(other)
    true = taken(desk, workflow="any_params", params='{"n": true}', idempotency_key="numbers/2")
    assert true["instance_id"] == true["id"]
    one = desk.submit(workflow="any_params", params='{"n": 1}', idempotency_key="numbers/2")
    assert "asks for something else" in desk.rejected(one)


def taken(desk: Desk, **values: Any) -> Row:
    """The row of a submission with its answer: of two with one key that are open at once either may become the instance."""
    row = desk.answer(desk.submit(**values))
    assert row["state"] == "ACCEPTED", row
    return row


def test_a_boolean_that_sql_made_is_a_boolean(desk: Desk):
    """SQLite and MariaDB have none: a comparison is 1 or 0."""
    made = {
        "postgres": "CAST(json_build_object('is_full', 1 = 1, 'is_dry', 1 = 2) AS TEXT)",
        "mariadb": "JSON_OBJECT('is_full', 1 = 1, 'is_dry', 1 = 2)",
        "sqlite": "json_object('is_full', 1 = 1, 'is_dry', 1 = 2)",
    }[desk.kind]
    for target in ("job", "workflow"):
        desk.run(
            f"INSERT INTO qflow.submissions ({target}, params, submitted_by) VALUES ('switches', {made}, 'sql {target}')"
        )
        [row] = desk.run("SELECT id FROM qflow.submissions WHERE submitted_by = %s", (f"sql {target}",))
        assert desk.ended(row["id"])["state"] == "SUCCESS"
        [task] = desk.tasks(row["id"]).values()
        assert task["output"] == "[true,false]"


def test_a_repeated_idempotency_key_is_the_same_instance(desk: Desk):
    first = desk.submit(job="hello", params='{"name": "a", "name": "a"}', idempotency_key="daily/1")
    assert "twice" in desk.rejected(first)  # what cannot be read takes no key
    first = taken(desk, job="hello", params='{"name": "a"}', idempotency_key="daily/1")["id"]
    same = desk.submit(job="hello", params=' { "name" : "a" } ', idempotency_key="daily/1")
    other = desk.submit(job="hello", params='{"name": "b"}', idempotency_key="daily/1")
    other_tenant = desk.submit(job="hello", params='{"name": "b"}', idempotency_key="daily/1", tenant="desk2")
    other_case = desk.submit(job="hello", params='{"name": "b"}', idempotency_key="Daily/1")
    blank = desk.submit(job="hello", params='{"name": "b"}', idempotency_key="daily/1 ")
    assert (desk.answer(same)["state"], desk.answer(same)["instance_id"]) == ("ACCEPTED", first)
    assert f"belongs to submission {first}, which asks for something else" in desk.rejected(other)
    for number in (first, other_tenant, other_case, blank):
        assert desk.answer(number)["instance_id"] == number
    assert desk.run("SELECT 1 FROM qflow.instances WHERE id IN (%s, %s)", (same, other)) == []


def test_what_a_client_writes_into_answer_columns_is_ignored(desk: Desk):
    lies = {"state": "ACCEPTED", "instance_id": 7, "error": "no", "answered_at": "2020-01-01 00:00:00"}
    number = desk.submit(job="hello", **lies)
    until(
        lambda: (
            desk.instance(number)["state"] == "SUCCESS"
            if desk.run("SELECT 1 FROM qflow.instances WHERE id = %s", (number,))
            else None
        )
    )
    row = desk.run("SELECT * FROM qflow.submissions WHERE id = %s", (number,))[0]
    assert (row["state"], row["instance_id"], row["error"]) == ("ACCEPTED", number, None)
    assert str(row["answered_at"]) > "2026"
    bad = desk.submit(job="nix", **lies)
    row = until(
        lambda: (
            (row := desk.run("SELECT * FROM qflow.submissions WHERE id = %s", (bad,))[0])["state"] != "ACCEPTED" and row
        )
    )
    assert (row["state"], row["instance_id"]) == ("REJECTED", None)
    command = desk.insert("commands", action="terminate", instance_id=number, state="DONE", result="x", error="y")
    row = until(
        lambda: (row := desk.run("SELECT * FROM qflow.commands WHERE id = %s", (command,))[0])["answered_at"] and row
    )
    assert (row["state"], row["result"]) == ("REJECTED", None)
