"""Workflow files: versions, faults, files that go and come back; on a set clock and folders that are looked at on demand."""

import hashlib
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.caches import Plans
from qflowd.engine.definitions.workflow_files import WorkflowFiles
from qflowd.engine.definitions.workflow_store import store_workflow
from qflowd.engine.service import ServiceThread, Topics
from qflowd.model.errors import StoreUnavailable
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.clock import MONDAY, SetClock
from tests.support.services import admit_all, watch_files
from tests.support.sql import run_sql

TASKS = "tasks:\n  a: {job: j}\n"


class Desk:
    """A store, folders, and the service between them."""

    def __init__(self, lab, folder):
        self.folder = folder
        self.url, self.store = lab.url, lab.store
        self.clock = self.store.clock = SetClock()
        self.published = []
        self.topics = Topics()
        self.topics.subscribe("schedule", lambda: self.published.append("schedule"))
        self.pools = {}
        self.service = self.start()

    def start(self, *folders, store=None):
        """A service that has read everything, as after a start of the daemon; it looks at files whenever it is told."""
        self.service = watch_files(store or self.store, self.topics, folders or (self.folder,), self.pools.get)
        return self.service

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def settle(self):
        """Two looks, as it takes for files that stand still."""
        self.published.clear()
        self.service.tick()
        self.service.tick()

    def change(self, name, text):
        path = self.write(name, text)
        self.settle()
        return path

    def remove(self, name):
        (self.folder / name).unlink()
        self.settle()

    def sql(self, text):
        return run_sql(self.store, text)

    def view(self):
        """What people see, by workflow."""
        rows = self.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
        assert len({row.workflow for row in rows}) == len(rows)
        return {row.workflow: row for row in rows}

    def faults(self):
        return dict(self.sql("SELECT file, error FROM qflow.workflow_fault"))

    def versions(self):
        return self.sql("SELECT version, state FROM qflow.workflow_version ORDER BY definition_id, version")


@pytest.fixture
def desk(lab, tmp_path):
    folder = tmp_path / "workflows"
    folder.mkdir()
    return Desk(lab, folder)


DAILY = """workflow: daily
title: Daily bars
description: 每日
domain: equities
type: load
tags: [us, bars]
schedule: {cron: "0 17 * * *", timezone: Asia/Shanghai, catchup: all(3)}
defaults: {pool: io}
tasks:
  load: {job: fetch, after: list, title: Load them, params: {code: "000300"}}
  list: {job: symbols, pool: fast}
"""


def test_a_file_becomes_an_active_version_with_all_that_it_says(desk):
    path = desk.change("daily.yaml", DAILY)
    row = desk.view()["daily"]
    assert (row.title, row.description, row.domain, row.type, row.tags) == (
        *("Daily bars", "每日", "equities", "load"),
        '["us","bars"]',
    )
    assert (row.enabled, row.version, row.state, row.source, row.file) == (1, 1, "ACTIVE", "file", path)
    assert (row.hash, row.error) == (hashlib.sha256(DAILY.encode()).hexdigest(), None)
    assert desk.sql("SELECT source_text, format FROM qflow.workflow_version") == [(DAILY, "yaml")]
    [schedule] = desk.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
    assert (schedule.cron, schedule.timezone, schedule.catchup) == ("0 17 * * *", "Asia/Shanghai", "all(3)")
    assert schedule.next_fire_at == MONDAY + timedelta(hours=9)
    assert desk.published == ["schedule"]


def test_nodes_stand_in_the_order_of_the_plan_that_the_engine_makes_of_the_version(desk):
    desk.pools["symbols"] = "from_the_job"
    desk.change("daily.yaml", DAILY)
    nodes = desk.sql("SELECT node, task, title, job, pool, params FROM qflow.workflow_node ORDER BY node")
    assert nodes == [
        (0, "list", "", "symbols", "fast", None),
        (1, "load", "Load them", "fetch", "io", '{"code":"000300"}'),
    ]
    version_id = desk.sql("SELECT active_version FROM qflow.workflow_definition")[0][0]
    plan = desk.store.read(lambda tx: Plans().of_version(tx, version_id))
    assert [node.key for node in plan.nodes] == [node[1] for node in nodes]
    assert plan.workflow == parse(DAILY, "yaml", "daily.yaml")


def test_the_pool_is_the_tasks_then_the_workflows_then_the_jobs_then_default(desk):
    desk.pools["known"] = "of_job"
    desk.change("a.yaml", "workflow: w\ntasks: {a: {job: known}, b: {job: unknown}, c: {job: known, pool: own}}\n")
    assert desk.sql("SELECT task, pool FROM qflow.workflow_node ORDER BY task") == [
        *[("a", "of_job"), ("b", "default"), ("c", "own")]
    ]


def test_tasks_of_one_level_keep_their_order(desk):
    names = [f"t{number}" for number in (3, 1, 2)]
    desk.change("w.yaml", "workflow: w\ntasks:\n" + "".join(f"  {name}: {{job: j}}\n" for name in names))
    version_id = desk.sql("SELECT active_version FROM qflow.workflow_definition")[0][0]
    plan = desk.store.read(lambda tx: Plans().of_version(tx, version_id))
    assert [node.key for node in plan.nodes] == names
    assert [task for (task,) in desk.sql("SELECT task FROM qflow.workflow_node ORDER BY node")] == names


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.yml", "workflow: w\ntasks: {a: {job: j}}\n"),
        ("w.toml", 'workflow = "w"\n[tasks.a]\njob = "j"\n'),
        ("w.json", '{"workflow": "w", "tasks": {"a": {"job": "j"}}}'),
        ("equities/us/w.yaml", "workflow: w\ntasks: {a: {job: j}}\n"),
    ],
)
def test_every_format_and_every_subfolder_is_read(desk, name, text):
    path = desk.change(name, text)
    assert desk.view()["w"].file == path


def test_a_changed_file_becomes_the_next_version_and_the_former_is_archived(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    first = desk.sql("SELECT id, document, source_text, hash FROM qflow.workflow_version")
    desk.change("w.yaml", f"workflow: w\ntitle: Second\n{TASKS}")
    assert (desk.view()["w"].version, desk.view()["w"].title) == (2, "Second")
    assert desk.versions() == [(1, 2), (2, 1)]
    assert desk.sql("SELECT id, document, source_text, hash FROM qflow.workflow_version WHERE version = 1") == first
    assert desk.sql("SELECT COUNT(*) FROM qflow.workflow_node") == [(2,)]
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    assert desk.versions() == [(1, 2), (2, 2), (3, 1)], "back to an earlier text is a version of its own"


def test_an_unchanged_file_makes_no_version_whoever_reads_it(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    before = desk.sql("SELECT * FROM qflow.workflow_definition")
    desk.clock.time = MONDAY + timedelta(hours=1)
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    desk.start()
    workflow = parse(f"workflow: w\n{TASKS}", "yaml", "w.yaml")
    arguments = {"source": f"workflow: w\n{TASKS}", "format": "yaml"}
    arguments["pool_of"] = lambda job: None
    file = str(desk.folder / "w.yaml")
    assert desk.store.transact(lambda tx: store_workflow(tx, workflow, file=file, **arguments)) is None
    assert desk.versions() == [(1, 1)]
    assert desk.sql("SELECT * FROM qflow.workflow_definition") == before


def test_several_daemons_store_the_same_change_as_one_version(desk):
    together = threading.Barrier(4)
    texts = [f"workflow: w\ntitle: number {number}\n{TASKS}" for number in range(5)]

    def store_all(_):
        store = Store(desk.url, clock=desk.clock)
        found = []
        for text in texts:
            workflow = parse(text, "yaml", "w.yaml")
            arguments = {"source": text, "format": "yaml", "file": "/w.yaml", "pool_of": lambda job: None}
            together.wait(60)
            found.append(store.transact(lambda tx, w=workflow, a=arguments: store_workflow(tx, w, **a)))
        store.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(store_all, range(4)))
    assert [{*numbers} for numbers in zip(*found, strict=True)] == [{None, number} for number in range(1, 6)]
    assert desk.versions() == [(1, 2), (2, 2), (3, 2), (4, 2), (5, 1)]


def test_two_daemons_agree_on_who_defines_a_key(desk):
    first, other = desk.service, desk.start()
    path = desk.write("b.yaml", f"workflow: w\n{TASKS}")
    first.tick()
    first.tick()
    desk.write("a.yaml", f"workflow: w\ntitle: Mine\n{TASKS}")
    for service in (other, other, first, first):
        service.tick()
    assert desk.view()["w"].file == path
    assert list(desk.faults()) == [str(desk.folder / "a.yaml")]


def test_a_broken_file_keeps_the_stored_version_and_shows_every_fault(desk, caplog):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    path = desk.change("w.yaml", "workflow: w\ntitel: x\ntasks:\n  a: {job: j, after: b}\n")
    desk.settle()
    row = desk.view()["w"]
    assert (row.version, row.enabled, row.state) == (1, 1, "ACTIVE")
    assert f"{path}:2: titel: " in row.error
    assert f"{path}:4: tasks.a.after" in row.error
    assert len([record for record in caplog.records if "titel" in record.getMessage()]) == 1


def test_a_repaired_file_loses_its_fault_and_is_stored(desk):
    desk.change("w.yaml", "workflow: w\ntitel: x\n")
    assert list(desk.view()) == ["w"]
    assert (desk.view()["w"].enabled, desk.view()["w"].version) == (0, None)
    desk.change("w.yaml", f"workflow: w\ntitle: x\n{TASKS}")
    assert desk.faults() == {}
    assert (desk.view()["w"].enabled, desk.view()["w"].version, desk.view()["w"].error) == (1, 1, None)


def test_a_file_repaired_back_to_what_is_stored_makes_no_version(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    desk.change("w.yaml", "workflow: w\n")
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    assert (desk.versions(), desk.faults(), desk.view()["w"].error) == ([(1, 1)], {}, None)


def test_a_file_that_was_repaired_while_no_daemon_ran_loses_its_fault_at_the_next_start(desk):
    desk.change("w.yaml", "\0")
    desk.change("gone.yaml", "[")
    assert len(desk.faults()) == 2
    desk.write("w.yaml", f"workflow: w\n{TASKS}")
    (desk.folder / "gone.yaml").unlink()
    desk.start()
    assert desk.faults() == {}
    assert list(desk.view()) == ["w"]


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe\x00w", b"[1, 2]", b"workflow: 'a b'\n", b"workflow: w\n" * 90_000])
def test_a_file_without_a_readable_key_is_shown_by_its_name(desk, junk):
    path = desk.change("junk.yaml", junk)
    assert list(desk.view()) == [path]
    assert desk.view()[path].error.startswith(path)
    desk.remove("junk.yaml")
    assert desk.view() == {}


def test_an_unreadable_file_of_a_stored_workflow_shows_its_fault_there(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    desk.change("w.yaml", "\0")
    assert list(desk.view()) == ["w"]
    assert "is not UTF-8" in desk.view()["w"].error
    assert desk.view()["w"].enabled == 1


def test_a_torn_write_never_reaches_the_database(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    whole = f"workflow: w\ntitle: Second\n{TASKS}"
    for length in range(0, len(whole), 7):
        desk.write("w.yaml", whole[:length])
        desk.service.tick()
    assert (desk.versions(), desk.faults()) == ([(1, 1)], {})
    desk.change("w.yaml", whole)
    assert (desk.versions(), desk.view()["w"].title) == ([(1, 2), (2, 1)], "Second")


def test_a_key_that_two_files_define_stays_with_the_first_and_the_fault_names_both(desk):
    first = desk.change("b.yaml", f"workflow: w\n{TASKS}")
    second = desk.change("a.yaml", f"workflow: w\ntitle: Mine\n{TASKS}")
    assert desk.faults() == {
        second: f"{second}:1: workflow: 'w' is already defined by {first}; "
        "choose another key, or remove one of the two files"
    }
    assert (desk.view()["w"].title, desk.view()["w"].error, desk.view()["w"].file) == ("", None, first)
    desk.start()
    assert desk.view()["w"].file == first
    desk.change("b.yaml", "workflow: w\nbroken")
    assert desk.view()["w"].file == first, "a torn moment does not lose the key"
    assert "broken" not in desk.view()["w"].title
    desk.remove("b.yaml")
    assert (desk.view()["w"].title, desk.view()["w"].file, desk.view()["w"].version) == ("Mine", second, 2)
    assert desk.faults() == {}


def test_a_file_that_goes_disables_its_workflow_and_enables_it_when_it_comes_back(desk):
    desk.change("w.yaml", f"workflow: w\nschedule: 0 * * * *\n{TASKS}".replace("0 * * * *", "'0 * * * *'"))
    text = (desk.folder / "w.yaml").read_text()
    desk.remove("w.yaml")
    assert (desk.view()["w"].enabled, desk.view()["w"].error, desk.view()["w"].version) == (0, "its file is gone", 1)
    assert desk.published == ["schedule"]
    before = desk.sql("SELECT * FROM qflow.workflow_definition")
    desk.clock.time = MONDAY + timedelta(hours=7, minutes=30)
    desk.start()
    assert desk.sql("SELECT * FROM qflow.workflow_definition") == before
    desk.change("w.yaml", text)
    assert (desk.view()["w"].enabled, desk.view()["w"].error, desk.view()["w"].version) == (1, None, 1)
    [schedule] = desk.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
    assert schedule.next_fire_at == MONDAY + timedelta(hours=8), "what it did not fire meanwhile was not missed"


def test_a_file_that_goes_while_no_daemon_runs_disables_its_workflow_at_the_next_start(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    (desk.folder / "w.yaml").unlink()
    desk.start()
    assert (desk.view()["w"].enabled, desk.view()["w"].error) == (0, "its file is gone")


def test_a_renamed_file_keeps_its_workflow(desk):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    (desk.folder / "w.yaml").rename(desk.folder / "other.yaml")
    desk.settle()
    row = desk.view()["w"]
    assert (row.enabled, row.version, row.file, row.error) == (1, 1, str(desk.folder / "other.yaml"), None)


def test_a_file_that_changes_its_key_gives_up_the_old_one(desk):
    desk.change("w.yaml", f"workflow: old\n{TASKS}")
    desk.change("w.yaml", f"workflow: new\n{TASKS}")
    assert (desk.view()["old"].enabled, desk.view()["new"].enabled) == (0, 1)
    assert desk.view()["old"].error == "its file defines 'new' now"


def test_files_of_other_folders_and_workflows_of_programs_are_left_alone(desk, tmp_path):
    text = f"workflow: other\n{TASKS}"
    for key, file in (("other", "/elsewhere/other.yaml"), ("program", None)):
        workflow = parse(f"workflow: {key}\n{TASKS}", "yaml", "x")
        arguments = {"source": text, "format": "yaml", "pool_of": lambda job: None}
        desk.store.transact(lambda tx, w=workflow, f=file, a=arguments: store_workflow(tx, w, file=f, **a))
    desk.start()
    desk.settle()
    assert {key: (row.enabled, row.source) for key, row in desk.view().items()} == {
        "other": (1, "file"),
        "program": (1, "sdk"),
    }


def test_a_folder_that_cannot_be_read_disables_nothing(desk, caplog):
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    away = desk.folder.with_name("unmounted")
    desk.folder.rename(away)
    desk.settle()
    desk.start()
    assert (desk.view()["w"].enabled, desk.view()["w"].error) == (1, None)
    assert desk.faults() == {}
    assert "there is no such folder" in caplog.text
    away.rename(desk.folder)
    desk.settle()
    assert desk.view()["w"].enabled == 1


def test_enabled_false_is_stored_and_a_later_change_takes_it_back(desk):
    desk.change("w.yaml", f"workflow: w\nenabled: false\n{TASKS}")
    assert desk.view()["w"].enabled == 0
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    assert desk.view()["w"].enabled == 1


def test_a_path_that_is_long_or_no_text_is_shown_as_far_as_can_be(desk):
    deep = "/".join(["d" * 200] * 3)
    name = os.fsdecode(b"\xff" + b"n" * 100) + f"/{deep}/w.yaml"
    desk.change(name, "[")
    [file] = desk.faults()
    assert len(file) == 600
    assert file.endswith("/w.yaml")
    desk.change(name, f"workflow: w\n{TASKS}")
    assert desk.faults() == {}
    assert desk.view()["w"].file.endswith(f"/\ufffd{'n' * 100}/{deep}/w.yaml")


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_key_that_several_hosts_cannot_read_is_one_row_of_the_view_and_each_of_their_files_is_shown(desk, is_stored):
    folders = [desk.folder / name for name in ("b", "a", "c")]
    if is_stored:
        desk.change("b/w.yaml", f"workflow: w\n{TASKS}")
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / "w.yaml").write_text("workflow: w\ntasks: 1\n")
        desk.start(folder)
    view = desk.view()
    assert len(view) == len(desk.faults()) == 3
    assert view["w"].version == (1 if is_stored else None)
    shown = [row.error for row in view.values()]
    assert all(any(f"{folder}/w.yaml" in error for error in shown) for folder in folders)


def test_a_workflow_that_one_host_can_read_shows_no_fault_of_another(desk):
    for name, text in (("a", "workflow: w\ntasks: 1\n"), ("b", f"workflow: w\n{TASKS}")):
        desk.write(f"{name}/w.yaml", text)
        desk.start(desk.folder / name)
    view = desk.view()
    assert view.keys() == {"w", str(desk.folder / "a/w.yaml")}
    assert (view["w"].version, view["w"].error) == (1, None)


def test_a_document_larger_than_its_text_is_refused_and_not_left_to_admission(desk):
    tasks = "".join(f"  t{number}: {{job: j, params: *big}}\n" for number in range(900))
    big = "x" * 12_000
    desk.change("w.yaml", f"workflow: w\ntasks:\n  t: {{job: j, params: &big {{text: {big}}}}}\n{tasks}")
    assert "too large" in desk.view()["w"].error


def test_an_outage_delays_a_change_and_loses_nothing(desk):
    down = []

    def fault(transaction, point):
        if down and point == "begin":
            raise StoreUnavailable("down")

    store = Store(desk.url, clock=desk.clock, fault=fault)
    desk.start(store=store)
    down.append(True)
    desk.write("w.yaml", f"workflow: w\n{TASKS}")
    desk.service.tick()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            desk.service.tick()
    down.clear()
    desk.service.tick()
    assert desk.view()["w"].version == 1
    store.close()


def test_every_good_change_is_stored_as_the_next_version(sqlite_url, tmp_path, caplog):
    """With the real watch and the real loop."""
    caplog.set_level(logging.INFO, "qflowd")
    store, topics = Store(sqlite_url), Topics()
    migrate(store)
    service = WorkflowFiles(store, topics, [tmp_path], lambda job: None)
    service.read_all()
    runner = ServiceThread(service, topics)
    runner.start()
    try:
        for number in (1, 2, 3):
            changed = time.monotonic()
            (tmp_path / "w.yaml").write_text(f"workflow: w\ntitle: number {number}\n{TASKS}")
            while f"workflow w: version {number} " not in caplog.text:
                assert time.monotonic() - changed < 10, caplog.text
                time.sleep(0.005)
    finally:
        runner.stop()
        assert runner.join(10)
        store.close()


def test_a_submission_is_told_what_is_wrong_with_the_file_of_its_workflow(desk):
    def refusal():
        desk.sql("INSERT INTO qflow.submissions (workflow) VALUES ('w')")
        admit_all(desk.store)
        return desk.sql("SELECT error FROM qflow.submissions ORDER BY id DESC")[0][0]

    assert refusal().startswith("there is no workflow 'w';")
    path = desk.change("w.yaml", f"workflow: w\ntitel: x\n{TASKS}")
    assert refusal().startswith(f"workflow 'w' has a file that has never been without fault: {path}:2: titel: ")
    desk.change("w.yaml", f"workflow: w\nenabled: false\n{TASKS}")
    assert refusal() == "workflow 'w' is disabled: `enabled` is false"
    desk.change("w.yaml", f"workflow: w\n{TASKS}")
    desk.remove("w.yaml")
    assert refusal() == f"workflow 'w' is disabled: {'its file is gone'} ({path})"
