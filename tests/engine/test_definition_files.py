"""Task types and task definitions in workflow folders: stored before workflows, changed with them, archived and brought back."""

import logging

import pytest

from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import Store
from tests.engine.test_task_definitions import DEFINITION, MARKET, define, defined, faults, task
from tests.support.versions import Folder, versions

VENUE = MARKET.replace("params: {", "params: {venue: {type: string}, ")


def write(folder, **files):
    """Write files at once, and have them looked at; None removes one."""
    for name, text in files.items():
        path = folder.folder / f"{name}.yaml"
        path.unlink() if text is None else path.write_text(text, "utf-8")
    folder.look()


def user(name="daily", params="symbol: AAPL"):
    return f"workflow: {name}\ntasks:\n  load: {{task: us_bars, params: {{{params}}}}}\n"


def view(lab):
    """Name -> what the view says of a type or definition."""
    rows = lab.store.read(lambda tx: tx.run("list_task_definitions", tenant="default"))
    return {row.name: row for row in rows}


def path(folder, name):
    return str(folder.folder / f"{name}.yaml")


def test_types_and_definitions_lie_among_workflow_files_and_are_stored_first(folder):
    lab = folder.lab
    write(folder, a_daily=user(), z_bars=MARKET, m_us_bars=DEFINITION)
    made = task(lab)
    assert (made.job, made.params, made.settings.pool) == ("work", {"market": "US", "symbol": "AAPL", "days": 5}, "io")
    assert faults(lab) == []
    rows = view(lab)
    assert {name: (row.kind, row.source, row.file, row.updated_by) for name, row in rows.items()} == {
        "bars": ("type", "file", path(folder, "z_bars"), "file"),
        "us_bars": ("definition", "file", path(folder, "m_us_bars"), "file"),
    }
    folder.start()  # as after a restart of the daemon
    folder.look()
    assert sorted(versions(lab)) == [1]
    lab.run()


def test_a_changed_definition_file_makes_a_new_version_of_those_who_use_it(folder, caplog):
    caplog.set_level(logging.INFO, "qflowd")
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user(), weekly=user("weekly"))
    lab.published.clear()
    write(folder, us_bars=DEFINITION.replace("US}", "NYSE}"))
    assert task(lab).params["market"] == "NYSE"
    assert task(lab, workflow="weekly").params["market"] == "NYSE"
    row = versions(lab)[2]
    assert (row.source, row.activated_by, row.note) == ("file", "file", "task definition us_bars has changed")
    assert f"task definition us_bars from {path(folder, 'us_bars')}" in caplog.text
    assert "workflow weekly: version 2, as what its tasks are made of has changed" in caplog.text
    assert "schedule" in lab.published
    write(folder, us_bars=DEFINITION.replace("US}", "NYSE}"))
    assert sorted(versions(lab)) == [1, 2]


def test_a_type_and_the_workflows_that_must_fit_it_change_together(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user(), weekly=user("weekly"))
    write(folder, bars=VENUE, us_bars=DEFINITION.replace("US}", "US, venue: XNYS}"), daily=user(params="symbol: IBM"))
    assert faults(lab) == []
    assert task(lab).params == {"market": "US", "venue": "XNYS", "symbol": "IBM", "days": 5}
    assert task(lab, workflow="weekly").params["venue"] == "XNYS"
    assert [sorted(versions(lab, key)) for key in ("daily", "weekly")] == [[1, 2], [1, 2]]
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user(params="symbol: IBM, days: 1"))
    assert task(lab).params == {"market": "US", "symbol": "IBM", "days": 1}


def test_a_change_that_a_workflow_does_not_fit_is_a_fault_of_its_file_and_changes_nothing(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    write(folder, bars=VENUE, other="task: other\njob: work\n")
    message = f"workflow 'daily' does not fit it: {path(folder, 'daily')}:3: tasks.load.params: task type bars also needs venue"
    assert faults(lab) == [f"{path(folder, 'bars')}: {message}"]
    assert sorted(versions(lab)) == [1]
    rows = view(lab)
    assert message in rows["bars"].error
    assert "venue" not in rows["bars"].document
    assert rows["other"].error is None  # a fault does not hold back what else is saved
    lab.published.clear()
    folder.look()
    assert lab.published == []  # what cannot be stored wakes nobody
    write(folder, daily=user(params="symbol: AAPL, venue: XNYS"))
    assert task(lab).params["venue"] == "XNYS"
    assert faults(lab) == []


def test_a_command_wins_until_the_file_changes(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    define(lab, DEFINITION.replace("US}", "by_hand}"), reason="vendor moved", requested_by="ann")
    folder.start()
    folder.look()
    assert task(lab).params["market"] == "by_hand"
    row = view(lab)["us_bars"]
    assert (row.source, row.file, row.updated_by, row.note) == (
        "command",
        path(folder, "us_bars"),
        "ann",
        "vendor moved",
    )
    write(folder, us_bars=DEFINITION.replace("US}", "NYSE}"))
    assert task(lab).params["market"] == "NYSE"
    assert view(lab)["us_bars"].source == "file"


def test_a_file_takes_over_what_a_command_has_defined(folder):
    lab = folder.lab
    defined(lab, MARKET, DEFINITION)
    write(folder, daily=user())
    assert {row.source for row in view(lab).values()} == {"command"}
    write(folder, us_bars=DEFINITION)
    assert (view(lab)["us_bars"].source, sorted(versions(lab))) == ("file", [1])


def test_a_file_that_goes_away_archives_what_it_defines_and_brings_it_back(folder, caplog):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    write(folder, us_bars=None)
    row = view(lab)["us_bars"]
    gone = f"its file is gone ({path(folder, 'us_bars')})"
    assert (row.archived_at is not None, row.note) == (True, gone)
    assert f"task definition us_bars is archived: {gone}" in caplog.text
    number = lab.start("daily")
    lab.run()
    assert lab.state(number) == "SUCCESS"
    write(folder, daily=user(params="symbol: IBM"))
    archived = f"task definition 'us_bars' is archived: {gone}; `qflowd definitions unarchive us_bars` brings it back"
    assert faults(lab) == [f"{path(folder, 'daily')}:3: tasks.load.task: {archived}"]
    write(folder, us_bars=DEFINITION)
    assert view(lab)["us_bars"].archived_at is None
    assert task(lab).params["symbol"] == "IBM"
    assert (faults(lab), sorted(versions(lab))) == ([], [1, 2])


def test_what_a_command_has_archived_stays_so_until_its_file_changes(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    lab.command("archive_task", task="us_bars", reason="use eu_bars")
    folder.start()
    folder.look()
    assert view(lab)["us_bars"].archived_at is not None
    write(folder, us_bars=DEFINITION.replace("5m", "6m"))
    assert (view(lab)["us_bars"].archived_at, task(lab).settings.timeout) == (None, 360.0)


def test_a_file_that_changes_nothing_as_something_is_archived_is_found(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    lab.command("archive_task", task="bars", reason="use quotes")
    write(folder, us_bars=DEFINITION.replace("5m", "6m"))
    why = "task type 'bars' is archived: use quotes; `qflowd definitions unarchive bars` brings it back"
    assert [fault.partition(": type: ")[2] for fault in faults(lab)] == [why]
    lab.command("archive", workflow="daily")
    assert lab.store.read(lambda tx: tx.run("list_changed_since_archived")) == []
    lab.clock.advance(1)
    lab.command("unarchive_task", task="bars")
    write(folder, daily=user(params="symbol: IBM"))
    [row] = lab.store.read(lambda tx: tx.run("list_changed_since_archived"))
    assert (row.workflow, row.file) == ("daily", path(folder, "daily"))


def test_a_file_may_become_another_definition_or_a_workflow(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION)
    write(folder, us_bars=DEFINITION.replace("us_bars", "eu_bars"))
    assert {name: row.archived_at is None for name, row in view(lab).items()} == {
        "bars": True,
        "us_bars": False,
        "eu_bars": True,
    }
    write(folder, us_bars="workflow: plain\ntasks: {a: {job: work}}\n")
    assert view(lab)["eu_bars"].note == f"its file defines 'plain' now ({path(folder, 'us_bars')})"
    assert sorted(versions(lab, "plain")) == [1]
    write(folder, us_bars=DEFINITION)
    assert view(lab)["us_bars"].archived_at is None
    [(enabled, error)] = lab.sql("SELECT enabled, error FROM qflow.workflow_definition WHERE workflow = 'plain'")
    assert (enabled, error) == (0, "its file defines 'us_bars' now")


def test_a_broken_file_shows_its_fault_with_its_line_and_keeps_what_it_defined(folder):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    write(folder, us_bars="task: us_bars\ntype: bars\nretires: 3\n", bars="task_type: [")
    rows = view(lab)
    assert rows["us_bars"].error == f"{path(folder, 'us_bars')}:3: retires: unknown key; did you mean retries?"
    assert f"{path(folder, 'bars')}:" in rows["bars"].error
    assert [(row.archived_at, row.kind) for row in rows.values()] == [(None, "type"), (None, "definition")]
    write(folder, us_bars=DEFINITION, bars=MARKET)
    assert [row.error for row in view(lab).values()] == [None, None]
    assert sorted(versions(lab)) == [1]


FAULTY = {
    "unknown type": ("task: a\ntype: bras\n", ":2: type: task type 'bras' does not exist; did you mean bars?"),
    "name of the other kind": ("task: bars\njob: work\n", ":1: task: a task type 'bars' exists; a task definition needs another name"),
    "of a node": ("task: a\njob: work\nafter: b\n", ":3: after: belongs to the nodes of workflows, not to what they share"),
    "two heads": ("task: a\ntask_type: b\njob: work\n", ": must name either a task or a task_type, and only one of them"),
    "bad name": ("task: a b\njob: work\n", ":1: task: task definition 'a b' contains ' '"),
    "bad schema": ("task_type: a\njob: work\nparams: {x: {type: strin}}\n", ":3: params.x: is not a usable JSON Schema"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTY)
def test_a_file_that_cannot_be_a_definition_is_refused_with_file_and_line(folder, case):
    lab = folder.lab
    defined(lab, MARKET)
    text, error = FAULTY[case]
    write(folder, new=text)
    [fault] = faults(lab)
    assert fault.startswith(f"{path(folder, 'new')}{error}")
    assert [row.error for row in view(lab).values() if row.error] == ([fault] if "bad name" not in case else [])
    write(folder, new=None)
    assert (faults(lab), len(view(lab))) == ([], 1)


def test_a_definition_waits_for_its_type(folder):
    lab = folder.lab
    write(folder, us_bars=DEFINITION, daily=user())
    assert "task type 'bars' does not exist" in view(lab)["us_bars"].error
    write(folder, bars=MARKET)
    assert faults(lab) == []
    assert task(lab).params["market"] == "US"
    lab.command("archive_task", task="us_bars")
    write(folder, us_bars=None)
    defined(lab, DEFINITION)  # its file is gone: now it is the command's
    assert (view(lab)["us_bars"].source, view(lab)["us_bars"].file) == ("command", None)


def test_the_first_of_two_files_defines_a_name_and_the_second_is_told(folder):
    lab = folder.lab
    write(folder, a_bars=MARKET, b_bars=MARKET.replace("retries: 3", "retries: 9"))
    [fault] = faults(lab)
    first, second = path(folder, "a_bars"), path(folder, "b_bars")
    assert fault == (
        f"{second}:2: task_type: 'bars' is already defined by {first}; choose another key, or remove one of the two files"
    )
    rows = view(lab)
    assert (rows["bars"].file, rows[second].error) == (first, fault)


def test_a_name_of_a_job_that_no_daemon_knows_yet_is_stored_for_the_job_may_come(folder):
    write(folder, later="task: later\njob: not_here_yet\n")
    assert faults(folder.lab) == []
    assert view(folder.lab)["later"].job == "not_here_yet"


def test_hosts_with_the_same_files_store_a_change_once(folder):
    lab = folder.lab
    other = Folder(lab, folder.folder)
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    other.look()
    write(folder, us_bars=DEFINITION.replace("US}", "NYSE}"), daily=user(params="symbol: IBM"))
    other.look()
    assert sorted(versions(lab)) == [1, 2]
    assert task(lab).params == {"market": "NYSE", "symbol": "IBM", "days": 5}


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_an_outage_around_the_commit_neither_loses_a_change_nor_stores_it_twice(folder, point):
    lab = folder.lab
    write(folder, bars=MARKET, us_bars=DEFINITION, daily=user())
    left = [1]

    def fault(transaction, at):
        if at == point and left and transaction == "store_definitions":
            left.clear()
            raise StoreUnavailable("lost")

    store = Store(lab.url, clock=lab.clock, fault=fault)
    lab.store, before = store, lab.store
    folder.start()
    (folder.folder / "us_bars.yaml").write_text(DEFINITION.replace("US}", "NYSE}"), "utf-8")
    with pytest.raises(StoreUnavailable):
        folder.look()
    folder.look()
    lab.store = before
    store.close()
    assert not left
    assert task(lab).params["market"] == "NYSE"
    assert sorted(versions(lab)) == [1, 2]
