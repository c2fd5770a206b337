"""Task types and definitions: nodes are made of them when a version is stored, and a change of one makes new versions."""

import json

import pytest

from qflowd.define import stored
from tests.support.versions import versions

TYPE = """
task_type: bars
job: work
params: {symbol: {type: string}, days: {type: integer, default: 5}}
retries: 3
timeout: 10m
pool: io
"""
DEFINITION = """
task: us_bars
type: bars
title: Bars of the US
params: {market: US}
timeout: 5m
"""
MARKET = TYPE.replace("params: {", "params: {market: {type: string}, ")


def define(lab, source, format="yaml", **columns):
    return lab.command("define_task", args=json.dumps({"source": source, "format": format}), **columns)


def defined(lab, *sources):
    for source in sources:
        state, answer = define(lab, source)
        assert state == "DONE", answer


def task(lab, key="load", workflow="daily"):
    """A task of the active version, as it is stored."""
    [(document,)] = lab.sql(f"SELECT document FROM qflow.versions WHERE state = 'ACTIVE' AND workflow = '{workflow}'")
    return next(task for task in stored.read(document, workflow).tasks if task.key == key)


def use(folder, name="daily", **node):
    """A file with one node that is made of `us_bars`."""
    more = node.pop("more", {})
    document = {"workflow": name, "tasks": {"load": {"task": "us_bars"} | node}} | more
    (folder.folder / f"{name}.json").write_text(json.dumps(document), "utf-8")
    folder.look()


def faults(lab):
    return [error for (error,) in lab.sql("SELECT error FROM qflow.workflow_fault ORDER BY file")]


def test_a_node_gets_what_it_does_not_say_from_its_definition_and_that_from_its_type(folder):
    defined(folder.lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL", "days": 20}, retries=1)
    made = task(folder.lab)
    assert (made.job, made.task, made.title) == ("work", "us_bars", "Bars of the US")
    assert made.params == {"market": "US", "symbol": "AAPL", "days": 20}
    assert (made.settings.retries, made.settings.timeout, made.settings.pool) == (1, 300.0, "io")
    assert folder.lab.sql("SELECT definition, job, pool FROM qflow.workflow_node") == [("us_bars", "work", "io")]


def test_the_defaults_of_the_workflow_win_over_the_definition_and_the_node_over_both(folder):
    defined(folder.lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL"}, retries=0, more={"defaults": {"timeout": "1m", "retries": 7}})
    made = task(folder.lab)
    assert (made.settings.retries, made.settings.timeout, made.params["days"]) == (0, None, 5)
    lab = folder.lab
    number = lab.start("daily")
    assert lab.sql(f"SELECT pool FROM qflow.tasks WHERE instance_id = {number}") == [("io",)]


def test_params_of_a_definition_may_be_expressions_of_the_workflow_that_uses_it(folder):
    lab = folder.lab
    defined(lab, "task: us_bars\njob: work\nparams: {day: '{{ params.day }}'}")
    use(folder)
    assert task(lab).params == {"day": "{{ params.day }}"}
    use(folder, more={"params": {"date": {"type": "string", "default": "x"}}})
    assert "tasks.load.params.day: params has no 'day'" in faults(lab)[0]


def test_a_changed_definition_makes_a_new_version_of_those_who_use_it_and_old_ones_stay(folder):
    lab = folder.lab
    defined(lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL"})
    use(folder, "weekly", params={"symbol": "IBM"})
    lab.workflow("other", {"a": []})
    before = lab.start("daily")
    answer = define(lab, DEFINITION.replace("US}", "NYSE}"), requested_by="ann", reason="one exchange")
    assert answer == ("DONE", {"task": "us_bars", "kind": "definition", "workflows": {"daily": 2, "weekly": 2}})
    assert task(lab).params["market"] == "NYSE"
    assert (versions(lab)[2].note, versions(lab)[2].activated_by) == ("task definition us_bars has changed", "ann")
    assert lab.sql(f"SELECT version FROM qflow.instances WHERE id = {before}") == [(1,)]
    [(old,)] = lab.sql("SELECT document FROM qflow.versions WHERE workflow = 'daily' AND version = 1")
    assert json.loads(old)["tasks"][0]["params"]["market"] == "US"
    define(lab, MARKET.replace("retries: 3", "retries: 9"))
    assert task(lab).settings.retries == 9
    assert define(lab, MARKET.replace("retries: 3", "retries: 9"))[1]["workflows"] == {}  # nothing has changed
    folder.start()  # as after a restart of the daemon
    folder.look()
    assert sorted(versions(lab)) == [1, 2, 3]
    assert lab.command("rollback", workflow="daily")[1]["version"] == 2


def test_a_change_that_a_workflow_does_not_fit_changes_nothing(folder):
    lab = folder.lab
    defined(lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL"})
    state, error = define(lab, MARKET.replace("params: {", "params: {venue: {type: string}, "))
    assert state == "REJECTED"
    file = folder.folder / "daily.json"
    assert error == f"workflow 'daily' does not fit it: {file}:1: tasks.load.params: task type bars also needs venue"
    assert sorted(versions(lab)) == [1]
    assert "venue" not in lab.sql("SELECT document FROM qflow.task_definitions WHERE name = 'bars'")[0][0]


def test_a_file_waits_for_a_definition_that_is_not_there_yet(folder):
    lab = folder.lab
    use(folder, params={"symbol": "AAPL"})
    assert faults(lab)[0].endswith("tasks.load.task: there is no task definition 'us_bars'")
    assert lab.sql("SELECT COUNT(*) FROM qflow.versions") == [(0,)]
    defined(lab, MARKET, DEFINITION)
    folder.look()
    assert faults(lab) == []
    assert task(lab).job == "work"


@pytest.mark.parametrize(
    ("node", "error"),
    [
        ({"params": {"symbl": "AAPL", "symbol": "x"}}, "tasks.load.params.symbl: task type bars has no param 'symbl'"),
        ({"params": {"days": 3}}, "tasks.load.params: task type bars also needs symbol"),
        ({"params": {"symbol": "x", "days": "many"}}, "tasks.load.params.days: "),
        ({"task": "us_barz"}, "there is no task definition 'us_barz'; did you mean us_bars?"),
        ({"task": "bars"}, "there is no task definition 'bars'"),
    ],
)
def test_a_node_that_does_not_fit_is_a_fault_of_its_file(folder, node, error):
    defined(folder.lab, MARKET, DEFINITION)
    use(folder, **node)
    assert error in faults(folder.lab)[0]


def test_an_archived_definition_takes_no_new_version_and_old_ones_run(folder):
    lab = folder.lab
    defined(lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL"})
    answer = lab.command("archive_task", task="us_bars", reason="use eu_bars")
    assert answer == ("DONE", {"task": "us_bars", "kind": "definition", "workflows": ["daily"]})
    assert lab.command("archive_task", task="us_bars")[1] == "task definition 'us_bars' is already archived"
    number = lab.start("daily")
    lab.run()
    assert lab.state(number) == "SUCCESS"
    use(folder, params={"symbol": "IBM"})
    back = "`qflowd definitions unarchive us_bars` brings it back"
    assert faults(lab)[0].endswith(f"task definition 'us_bars' is archived: use eu_bars; {back}")
    answer = lab.command("unarchive_task", task="us_bars", reason="eu_bars is late")
    assert answer == ("DONE", {"task": "us_bars", "kind": "definition"})
    assert lab.sql("SELECT archived_at, note FROM qflow.task_definitions WHERE name = 'us_bars'") == [
        (None, "eu_bars is late")
    ]
    assert lab.command("unarchive_task", task="us_bars")[1] == "task definition 'us_bars' is not archived"
    folder.look()
    assert task(lab).params["symbol"] == "IBM"
    lab.command("archive_task", task="us_bars")
    defined(lab, DEFINITION)
    use(folder, params={"symbol": "MSFT"})
    assert task(lab).params["symbol"] == "MSFT"


def test_an_archived_type_names_the_workflows_behind_its_definitions_and_the_way_back(folder):
    lab = folder.lab
    defined(lab, MARKET, DEFINITION)
    use(folder, params={"symbol": "AAPL"})
    answer = lab.command("archive_task", task="bars")
    assert answer == ("DONE", {"task": "bars", "kind": "type", "workflows": ["daily"]})
    error = "task type 'bars' is archived; `qflowd definitions unarchive bars` brings it back"
    assert define(lab, DEFINITION + "retries: 1") == ("REJECTED", f"definition:3: type: {error}")
    use(folder, "weekly", params={"symbol": "AAPL"})
    assert faults(lab)[0].endswith(f"tasks.load.task: {error}")
    assert lab.command("unarchive_task", task="bars")[0] == "DONE"
    folder.look()
    assert (faults(lab), task(lab, workflow="weekly").job) == ([], "work")


BAD = {
    "no head": ("job: work", "must name either a task or a task_type, and only one of them"),
    "two heads": ("task: a\ntask_type: b\njob: work", "must name either a task or a task_type, and only one of them"),
    "job and type": ("task: a\njob: work\ntype: bars", "needs either a job or a type, not both"),
    "neither": ("task: a", "needs either a job or a type"),
    "made of itself": (
        "task: a\ntype: a",
        "type: task type 'a' does not exist; `qflowd definitions` lists those there are",
    ),
    "made of a definition": ("task: a\ntype: us_bars", "type: task type 'us_bars' does not exist"),
    "unknown job": ("task: a\njob: wrok", "job: no daemon has ever registered a job 'wrok'; `qflowd jobs` lists"),
    "unknown key": ("task: a\njob: work\nretires: 3", "definition:3: retires: unknown key; did you mean retries?"),
    "of a node": ("task: a\njob: work\nafter: b", "definition:3: after: belongs to the nodes of workflows"),
    "bad setting": ("task_type: a\njob: work\nretries: -1", "definition:3: retries: "),
    "bad schema": ("task_type: a\njob: work\nparams: {x: {type: strin}}", "definition:3: params.x"),
    "other kind": ("task: bars\njob: work", "a task type 'bars' exists; a task definition needs another name"),
    "not a document": ("[1]", "definition:1: must hold keys and values at its top"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_definition_that_cannot_be_is_refused_with_the_reason(lab, case):
    defined(lab, MARKET, DEFINITION)
    source, error = BAD[case]
    state, answer = define(lab, source)
    assert state == "REJECTED"
    assert error in answer
    assert lab.sql("SELECT COUNT(*) FROM qflow.task_definitions") == [(2,)]


def test_commands_on_definitions_name_what_they_need(lab):
    for action in ("archive_task", "unarchive_task"):
        assert lab.command(action)[1] == f"{action} needs a task: the name of a task type or task definition"
        assert lab.command(action, task="x")[1] == (
            "there is no task type or definition 'x'; `qflowd definitions` lists those there are"
        )
    defined(lab, "task_type: bars\njob: work")
    assert lab.command("archive_task", task="bar")[1] == "there is no task type or definition 'bar'; did you mean bars?"
    assert lab.command("define_task")[1] == "args.source: is missing\nargs.format: is missing"
    args = json.dumps({"source": "task: a\ntype: bras", "format": "yaml", "file": "us/a.yaml"})
    assert lab.command("define_task", args=args)[1] == (
        "us/a.yaml:2: type: task type 'bras' does not exist; did you mean bars?"
    )


def test_definitions_of_another_tenant_are_unknown(folder):
    define(folder.lab, "task: us_bars\njob: work", tenant="others")
    use(folder)
    assert "there is no task definition 'us_bars'" in faults(folder.lab)[0]
