"""What a daemon cannot read (a newer release wrote it, somebody removed it) waits for one that can, in nobody's way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qflowd import __version__
from qflowd.engine.child_workflows import children
from qflowd.model.ids import ORDINALS
from qflowd.model.states import Intent, TaskState
from qflowd.model.workflow import Job
from tests.support.daemon import Daemon, until
from tests.support.lab import FAILED, Lab
from tests.support.waits.base import alive

WORK = """
from qflowd import job

@job
def work():
    pass
"""
BY_A_NEWER_ONE = '{"key":"daily","tasks":[{"key":"a","job":"work","quantum":7},{"key":"b","job":"work"}]}'
WITH_A_NEW_FUNCTION = '{"key":"daily","tasks":[{"key":"a","job":"work","params":{"x":"{{ entangle(1) }}"}}]}'
WITH_NEW_EDGES = (
    '{"key":"daily","tasks":[{"key":"a","job":"work","after":[{"parent":"signal"}]},{"key":"b","job":"work"}]}'
)
READABLE = '{"key":"daily","tasks":[{"key":"a","job":"work"},{"key":"b","job":"work","after":[{"parent":"a"}]}]}'
SET_DOCUMENT = "UPDATE qflow.workflow_version SET document = '{}'"


@pytest.fixture
def lab(database_url: str) -> Iterator[Lab]:
    found = Lab(database_url)
    yield found
    found.close()


@pytest.fixture
def daemon(lab: Lab, tmp_path: Path) -> Iterator[Daemon]:
    """Not started; it knows the job `work`."""
    found = Daemon(lab.url, tmp_path, plugins={"jobs.py": WORK})
    yield found
    found.__exit__()


def rows_of(lab: Lab, instance_id: int) -> list[int]:
    first = instance_id * ORDINALS
    sql = f"SELECT state FROM qflow.task_instance WHERE id BETWEEN {first} AND {first + ORDINALS - 1} ORDER BY id"
    return [state for (state,) in lab.sql(sql)]


def wait_for_put_off(lab: Lab) -> None:
    until(lambda: lab.sql("SELECT task_id FROM qflow.timer WHERE purpose = 0"), what="it waits for its timer")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (SET_DOCUMENT.format(BY_A_NEWER_ONE), "stored by a newer one"),
        (SET_DOCUMENT.format(WITH_A_NEW_FUNCTION), "entangle"),
        (SET_DOCUMENT.format(WITH_NEW_EDGES), "no task is called signal"),
        ("DELETE FROM qflow.workflow_version", "gone from the database"),
        ("DELETE FROM qflow.workflow_instance WHERE id = {number}", "gone from the database"),
    ],
    ids=["newer document", "newer expression", "newer edges", "no version", "no instance"],
)
def test_what_cannot_be_read_stops_nobody_else(lab: Lab, daemon: Daemon, spoil: str, told: str) -> None:
    lab.workflow("daily", {"a": [], "b": ["a"]})
    number = lab.start("daily")
    lab.sql(spoil.replace("{number}", str(number)))
    others = [lab.start(job="work") for _ in range(3)]
    daemon.start()
    until(lambda: {lab.state(other) for other in others} == {"SUCCESS"}, what="the rows beside it run")
    wait_for_put_off(lab)
    until(lambda: told in daemon.log(), what="the reason is told")
    assert rows_of(lab, number) == [TaskState.PENDING, TaskState.PENDING]
    assert "Traceback" not in daemon.log()
    assert daemon.stop() == 0
    assert daemon.log().count("cannot be prepared") <= 3, "who waits is not claimed again and again"


def test_what_could_not_be_read_runs_once_it_can_be(lab: Lab, daemon: Daemon) -> None:
    lab.workflow("daily", {"a": [], "b": ["a"]})
    number = lab.start("daily")
    lab.sql(SET_DOCUMENT.format(BY_A_NEWER_ONE))
    daemon.start()
    wait_for_put_off(lab)
    lab.sql(
        SET_DOCUMENT.format(READABLE),
        f"UPDATE qflow.timer SET due_at = (SELECT created_at FROM qflow.workflow_instance WHERE id = {number})",
    )
    until(lambda: lab.state(number) == "SUCCESS", what="it runs")
    assert lab.sql("SELECT attempt FROM qflow.task_instance") == [(1,), (1,)]
    lab.check(drained=True)


def test_what_cannot_be_read_can_be_terminated(lab: Lab, daemon: Daemon) -> None:
    lab.workflow("daily", {"a": [], "b": ["a"]})
    number = lab.start("daily")
    lab.sql(SET_DOCUMENT.format(BY_A_NEWER_ONE))
    daemon.start()
    wait_for_put_off(lab)
    lab.ask("terminate", number)
    until(lambda: lab.state(number) == "TERMINATED", what="it ends")
    assert rows_of(lab, number) == [TaskState.CANCELLED, TaskState.CANCELLED]


def test_a_result_whose_instance_cannot_be_read_costs_no_other(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    gone, other = lab.start(job="work"), lab.start(job="work")
    rows = lab.claim()
    lab.sql(f"DELETE FROM qflow.workflow_instance WHERE id = {gone}")
    lab.finish(*map(lab.final, rows))
    assert lab.state(other) == "SUCCESS"
    assert rows_of(lab, gone) == [TaskState.RUNNING], "reconciliation gives it back, and it waits"
    assert f"instance {gone}: gone from the database" in caplog.text


# ------------------------------------------------------------------------------------------------ services


@pytest.fixture
def older(lab: Lab) -> Iterator[Lab]:
    """Another daemon, which has read nothing yet."""
    found = Lab(lab.url, owner=8)
    yield found
    found.close()


def spoil(lab: Lab, definition_id: int, document: str = BY_A_NEWER_ONE) -> None:
    lab.sql(f"{SET_DOCUMENT.format(document)} WHERE definition_id = {definition_id}")


def test_a_queue_that_cannot_be_read_waits_and_others_have_their_turn(lab: Lab, older: Lab) -> None:
    newer, _ = (lab.workflow(key, {"a": []}, concurrency="sequential") for key in ("newer", "plain"))
    _, queued = lab.start("newer"), lab.start("newer")
    _, other = lab.start("plain"), lab.start("plain")
    lab.run()
    spoil(lab, newer)
    while not older.turns.tick():
        pass
    assert (older.state(queued), older.state(other)) == ("READY", "RUNNING")


def test_a_compensation_that_cannot_be_read_waits_and_others_are_added(lab: Lab, older: Lab) -> None:
    for own in (lab.jobs, older.jobs):
        own.own = {"work": Job(name="work", module="", file="", hash="", compensation="work")}
    newer, _ = (lab.workflow(key, {"a": []}, saga=True) for key in ("newer", "plain"))
    unread, other = lab.start("newer"), lab.start("plain")
    lab.run({"a": FAILED})
    spoil(lab, newer)
    assert older.compensate.tick() == 0
    assert older.compensate.tick() > 0, "it would look again and again"
    intents = dict(lab.sql("SELECT id, intent FROM qflow.workflow_instance"))
    assert intents == {unread: Intent.COMPENSATE, other: Intent.NONE}


def test_a_task_whose_workflow_cannot_be_read_waits_and_others_start_theirs(lab: Lab, older: Lab) -> None:
    newer, _ = lab.workflow("newer", {"a": []}), lab.workflow("plain", {"a": []})
    unread, other = (
        lab.define(f"of_{key}", {"us": {"workflow": key}}) and lab.start(f"of_{key}") for key in ("newer", "plain")
    )
    spoil(lab, newer)
    older.children.tick()
    assert (older.states(unread)["us"], older.states(other)["us"]) == ("PENDING", "PENDING")
    assert older.sql("SELECT parent_id FROM qflow.child") == [(other,)]
    assert older.sql("SELECT task_id >> 20 FROM qflow.timer") == [(unread,)], "it is put off"


@pytest.mark.parametrize("of", ["parent", "child"])
def test_the_end_of_an_instance_that_cannot_be_read_waits_for_who_can(lab: Lab, older: Lab, of: str) -> None:
    child = lab.define("one", {"a": {"job": "work"}}, outputs={"n": "{{ a.output }}"})
    parent = lab.define("caller", {"us": {"workflow": "one"}})
    number = lab.start("caller")
    lab.children.tick()
    lab.admit.tick()
    [row] = lab.claim()
    lab.finish(lab.final(row, output=7))
    spoil(lab, {"parent": parent, "child": child}[of])
    assert older.children.tick() > 0, "it would look again and again"
    assert lab.states(number) == {"us": "PENDING"}
    lab.children.tick()  # the newer one
    assert lab.state(number) == "SUCCESS"


def test_an_instance_to_be_undone_that_cannot_be_read_waits_and_others_are_undone(lab: Lab, older: Lab) -> None:
    newer, _ = (lab.workflow(key, {"a": []}, saga=True) for key in ("newer", "plain"))
    for key in ("newer", "plain"):
        tasks = {"us": {"workflow": key}, "report": {"job": "work", "after": "us"}}
        lab.define(f"of_{key}", tasks, saga=True)
    unread, other = lab.start("of_newer"), lab.start("of_plain")
    for _ in range(3):
        lab.children.tick()
        lab.admit.tick()
        lab.run({"report": FAILED})
    lab.compensate.tick()
    spoil(lab, newer)
    older.children.tick()
    undoing = {number: [TaskState(state).name for state in rows_of(lab, number)][-1] for number in (unread, other)}
    assert undoing == {unread: "PENDING", other: "PENDING"}
    assert older.sql("SELECT action, requested_by FROM qflow.commands") == [("compensate", f"instance:{other}")]
    assert older.sql("SELECT task_id >> 20 FROM qflow.timer") == [(unread,)], "it is put off"


def test_ends_that_cannot_be_read_hide_none_behind_them(lab: Lab, older: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "BATCH", 1)
    outputs = {"outputs": {"n": "{{ a.output }}"}}
    newer, _ = (lab.define(key, {"a": {"job": "work"}}, **outputs) for key in ("newer", "plain"))
    unread, other = (
        lab.define(f"of_{key}", {"us": {"workflow": key}}) and lab.start(f"of_{key}") for key in ("newer", "plain")
    )
    for _ in range(4):
        lab.children.tick()
        lab.admit.tick()
    lab.ends(lab.claim())
    spoil(lab, newer)
    for _ in range(4):
        older.children.tick()
    assert (older.states(unread)["us"], older.state(other)) == ("PENDING", "SUCCESS")
    assert older.children.tick() > 0, "it would look again and again"


def test_a_submission_that_cannot_be_read_is_left_to_a_newer_daemon_and_refused_where_there_is_none(
    lab: Lab, older: Lab
) -> None:
    newer, _ = (lab.workflow(key, {"a": []}) for key in ("newer", "plain"))
    spoil(lab, newer)
    alive(older, "work", name="newer")
    older.sql("UPDATE qflow.daemon SET version = '99.0'")
    left, other = older.submit("newer"), older.submit("plain")
    assert older.admit.tick() > 0, "it would look again and again"
    assert dict(older.sql("SELECT id, state FROM qflow.submissions")) == {left: "NEW", other: "ACCEPTED"}
    older.sql(f"UPDATE qflow.daemon SET version = '{__version__}.dev1'")  # of what is running here
    older.admit.tick()
    [(state, error)] = older.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {left}")
    assert state == "REJECTED"
    assert "cannot be read by this release" in str(error)
