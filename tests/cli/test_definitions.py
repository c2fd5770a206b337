"""`qflowd definitions`, and where `qflowd plan --explain` says that values come from."""

from __future__ import annotations

import json

TYPE = "task_type: bars\njob: fetch\nparams: {symbol: {type: string}, days: {type: integer, default: 5}}\nretries: 3\n"
DEFINITION = "task: us_bars\ntype: bars\nparams: {days: 2}\ntimeout: 5m\n"
DAILY = "workflow: daily\ndefaults: {retries: 1}\ntasks:\n  load: {task: us_bars, params: {symbol: AAPL}, pool: io}\n"


def store(engine, kind, name, document, **more):
    row = {"tenant": "default", "name": name, "kind": kind, "document": json.dumps(document), "source_text": ""}
    row |= {"format": "yaml", "hash": "h", "created_at": "NOW", "updated_at": "NOW"}
    engine.sql(engine.insert("task_definition", **row, **more))


def test_definitions_are_sent_listed_and_archived(run, own_engine, tmp_path):
    for name, text in (("bars", TYPE), ("us_bars", DEFINITION), ("bad", "task: bad\n")):
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    assert run("definitions", "define", "bars.yaml", "us_bars.yaml", "--no-wait").out == (
        "define bars: asked\ndefine us_bars: asked\n"
    )
    rows = own_engine.sql("SELECT action, args FROM qflow.commands ORDER BY id")
    assert [(action, json.loads(args)["source"]) for action, args in rows] == [
        ("define_task", TYPE),
        ("define_task", DEFINITION),
    ]
    assert run("definitions", "define", "bad.yaml").err == "qflowd: bad.yaml:1: needs either a job or a type\n"
    for action in ("archive", "unarchive"):
        assert run("definitions", action, "us_bars", "--no-wait").out == f"{action} us_bars: asked\n"
    assert [
        action for (action,) in own_engine.sql("SELECT action FROM qflow.commands WHERE task = 'us_bars' ORDER BY id")
    ] == [
        "archive_task",
        "unarchive_task",
    ]
    assert run("definitions").err == "no task types and no task definitions\n"

    store(
        own_engine, "type", "bars", {"job": "fetch", "params": {"days": {"default": 5}}}, job="fetch", updated_by="ann"
    )
    store(own_engine, "definition", "us_bars", {"type": "bars"}, type="bars", archived_at="NOW")
    assert [line.split()[:4] for line in run("definitions").out.splitlines()] == [
        ["NAME", "KIND", "JOB", "TYPE"],
        ["bars", "type", "fetch", run("definitions", "--json").json[0]["updated_at"][:10]],
    ]
    assert [row["name"] for row in run("definitions", "--all", "--json").json] == ["bars", "us_bars"]


def test_the_answer_to_an_archiving_names_who_uses_it_and_the_way_back(run, sqlite_engine):
    sqlite_engine.daemon()
    for group, target, result, says in [
        (
            "definitions",
            "us_bars",
            {"task": "us_bars", "kind": "definition", "workflows": ["daily", "weekly"]},
            "made of it: daily, weekly (stored versions run on, new ones are refused)",
        ),
        (
            "workflows",
            "load",
            {"workflow": "load", "open_instances": 2, "workflows": ["nightly"]},
            "2 open instances will run to the end; started by tasks of nightly, which will fail",
        ),
    ]:
        thread = sqlite_engine.answer_commands(result=json.dumps(result))
        ran = run(group, "archive", target)
        thread.join()
        assert ran.out == f"archive {target}: done; {says}; `qflowd {group} unarchive {target}` brings it back\n"


def test_plan_makes_the_nodes_of_a_file_and_explains_them(run, sqlite_engine, tmp_path):
    document = {"job": "fetch", "retries": 3, "params": {"symbol": {"type": "string"}, "days": {"default": 5}}}
    store(sqlite_engine, "type", "bars", document)
    store(sqlite_engine, "definition", "us_bars", {"type": "bars", "params": {"days": 2}, "timeout": "5m"})
    (tmp_path / "daily.yaml").write_text(DAILY, "utf-8")
    [step] = run("plan", "daily.yaml", "--json").json["tasks"]
    assert (step["job"], step["retries"], step["timeout"]) == ("fetch", 1, "5m")
    assert step["params"] == {"days": 2, "symbol": "AAPL"}
    explained = run("plan", "daily.yaml", "--explain", "--json").json
    assert [(row["key"], row["value"], row["source"], row["over"]) for row in explained] == [
        ("pool", "io", "node", {"built-in": "default"}),
        ("timeout", "5m", "definition us_bars", {}),
        ("retries", 1, "workflow defaults", {"type bars": 3, "built-in": 0}),
        ("params.days", 2, "definition us_bars", {"type bars": 5}),
        ("params.symbol", "AAPL", "node", {}),
    ]
    assert "definition us_bars" in run("plan", "daily.yaml", "--explain").out
    (tmp_path / "daily.yaml").write_text(DAILY.replace("us_bars", "eu_bars"), "utf-8")
    ran = run("plan", "daily.yaml")
    assert (
        ran.err
        == "qflowd: daily.yaml:4: tasks.load.task: there is no task definition 'eu_bars'; did you mean us_bars?\n"
    )
    assert run("validate", "daily.yaml").out == (
        "daily.yaml:4: tasks.load.task: there is no task definition 'eu_bars'; did you mean us_bars?\n"
    )


def test_plan_explains_which_files_beside_a_workflow_say_what(run, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[domains]\nequities = "desk"\n', "utf-8")
    (tmp_path / "workflows").mkdir()
    for name, text in (("bars", TYPE), ("us_bars", DEFINITION), ("daily", "domain: equities\n" + DAILY)):
        (tmp_path / "workflows" / f"{name}.yaml").write_text(text, "utf-8")
    explained = run("plan", "workflows/daily.yaml", "--explain", "--json").json
    assert [(row["key"], row["source"], row["file"]) for row in explained] == [
        ("pool", "node", None),
        ("timeout", "definition us_bars", str(tmp_path / "workflows/us_bars.yaml")),
        ("retries", "workflow defaults", None),
        ("params.days", "definition us_bars", str(tmp_path / "workflows/us_bars.yaml")),
        ("params.symbol", "node", None),
    ]
    assert explained[0]["over"] == {"domain equities": "desk", "built-in": "default"}
    head, _, timeout, *_ = run("plan", "workflows/daily.yaml", "--explain").out.splitlines()
    assert head.split() == ["TASK", "KEY", "VALUE", "FROM", "FILE", "OVER"]
    assert timeout.split() == ["load", "timeout", "5m", "definition", "us_bars", "workflows/us_bars.yaml"]
    assert run("plan", "workflows/daily.yaml", "--json").json["tasks"][0]["params"] == {"days": 2, "symbol": "AAPL"}
    (tmp_path / "workflows/us_bars.yaml").unlink()
    (tmp_path / "workflows/bars.yaml").unlink()
    ran = run("plan", "workflows/daily.yaml")
    assert (ran.code, ran.err) == (5, ran.err)
    assert "there is no database file" in ran.err


def test_a_file_that_could_not_become_a_definition_is_listed_with_its_error(run, own_engine):
    store(own_engine, "type", "bars", {"job": "fetch"}, job="fetch", file="/w/bars.yaml", file_hash="h")
    for file, name, error in (
        ("/w/bars.yaml", "bars", "/w/bars.yaml:3: x"),
        ("/w/new.yaml", "new", "/w/new.yaml:1: y"),
    ):
        row = {"file": file, "definition": name, "error": error, "updated_at": "NOW"}
        own_engine.sql(own_engine.insert("workflow_fault", **row))
    rows = run("definitions", "--json").json
    assert [(row["name"], row["kind"], row["source"], row["file"], row["error"]) for row in rows] == [
        ("bars", "type", "file", "/w/bars.yaml", "/w/bars.yaml:3: x"),
        ("new", "", "file", "/w/new.yaml", "/w/new.yaml:1: y"),
    ]
    assert [line.split()[-2:] for line in run("definitions").out.splitlines()[1:]] == [
        ["/w/bars.yaml:3:", "x"],
        ["/w/new.yaml:1:", "y"],
    ]
    assert run("workflows", "--json").json == []
