"""The seven paths that the API was asked for, letter by letter: each is in the table, is called, and does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd.api.routing import PREFIX
from qflowd.api.table import endpoints
from qflowd.model.ids import ORDINALS
from qflowd.model.roles import Role
from tests.support.daemon import until
from tests.support.house import House

PATHS = [line.split() for line in (Path(__file__).parent / "seven_paths.txt").read_text("utf-8").splitlines()]


def test_each_is_in_the_table() -> None:
    assert {(method, PREFIX + path) for method, path in PATHS} <= {(route.method, route.path) for route in endpoints()}


@pytest.mark.parametrize(("method", "path"), PATHS, ids=[" ".join(each) for each in PATHS])
def test_each_answers(house: House, method: str, path: str) -> None:
    instance = house.started("greet")
    house.ended(instance)
    names = {"/workflows/": "greet", "/tasks/": str(instance * ORDINALS), "/plugins/": "hello"}
    value = next((value for prefix, value in names.items() if path.startswith(prefix)), "")
    body = {"workflow": "greet"} if path == "/workflows" else {} if method == "POST" else None
    if path.endswith("/resume"):
        house.post("/workflows/greet/pause?wait=30")
    reply = house.api.request(method, path.replace("{id}", value).replace("{name}", value) + "?wait=30", body)
    if path.endswith("/pause"):
        house.post("/workflows/greet/resume?wait=30")
    assert reply.status in (200, 201), reply.body
    assert reply.code == 0


DEFINITION = {"workflow": "sent", "tasks": {"a": {"job": "hello", "params": {"name": "one"}}}}


def test_a_workflow_is_stored_and_run_at_once(house: House) -> None:
    reply = house.post("/workflows?wait=30", {"definition": DEFINITION, "name": "first"})
    assert reply.status == 201, reply.body
    assert (reply.data["workflow"], reply.data["version"], reply.data["state"]) == ("sent", 1, "ACCEPTED")
    assert house.ended(reply.data["instance_id"]) == "SUCCESS"
    again = house.post("/workflows?wait=30", {"definition": DEFINITION})
    assert (again.status, again.data["version"]) == (201, 1), "the same text makes no version"
    other = DEFINITION | {"title": "Sent again"}
    changed = house.post("/workflows?wait=30", {"definition": other, "submit": False})
    assert (changed.status, changed.data["version"], changed.data["instance_id"]) == (201, 2, None)
    text = "workflow: sent_as_text\ntasks:\n  a: {job: hello}\n"
    assert house.post("/workflows?wait=30", {"definition": text}).data["version"] == 1


def test_the_same_text_sent_again_is_live_again_though_another_version_was_activated_meanwhile(house: House) -> None:
    one = {"workflow": "twice", "tasks": {"a": {"job": "hello", "params": {"name": "one"}}}}
    two = one | {"title": "Two"}
    for number, definition in ((1, one), (2, two)):
        assert house.post("/workflows", {"definition": definition, "submit": False}).data["version"] == number
    assert house.post("/workflows/twice/versions/1/activate", {"reason": "better"}).status == 200
    again = house.post("/workflows", {"definition": two, "submit": False})
    assert (again.status, again.data["version"]) == (201, 2)
    assert house.api.get("/workflows/twice").data["version"] == 2


def test_a_definition_with_faults_is_neither_stored_nor_run(house: House) -> None:
    faulty = {"workflow": "faulty", "tasks": {"a": {"job": "hello", "after": "b"}, "c": {"jobs": "hello"}}}
    reply = house.post("/workflows", {"definition": faulty})
    assert (reply.status, reply.code) == (422, 42202)
    places = {fault["where"] for fault in reply.data["errors"]}
    assert "tasks.a.after" in places
    assert len(places) > 1, "all faults at once"
    assert house.api.get("/workflows/faulty").status == 404
    refused = house.post("/workflows?wait=30", {"definition": DEFINITION | {"workflow": "refused"}, "params": {"x": 1}})
    assert refused.status in (201, 422)


def test_storing_takes_a_role_and_what_a_file_says_stays(house: House) -> None:
    assert house.api.as_(Role.OPERATE).post("/workflows", {"definition": DEFINITION}).code == 40301
    assert house.api.as_(Role.SUBMIT).post("/workflows?wait=30", {"workflow": "greet"}).status == 201
    of_file = {"workflow": "greet", "tasks": {"other": {"job": "hello"}}}
    reply = house.post("/workflows", {"definition": of_file})
    assert (reply.status, reply.code) == (409, 40906)
    assert house.post("/workflows", {}).code == 42202


def test_a_plugin_answers_with_its_output(house: House) -> None:
    reply = house.post("/plugins/total?wait=30", {"data": [1, 2, 3.5], "params": {"factor": 2}})
    assert (reply.status, reply.data["output"], reply.data["state"]) == (200, 13.0, "SUCCESS")
    assert reply.data["task_id"] == str(reply.data["instance_id"] * ORDINALS)
    gate = house.gate()
    later = house.post("/plugins/gated?wait=0", {"params": {"gate": gate}})
    assert later.status == 202
    house.open(gate)
    assert house.ended(later.data["submission_id"]) == "SUCCESS"


def test_a_plugin_that_is_not_there_or_not_allowed(house: House) -> None:
    assert house.post("/plugins/absent?wait=30").code == 40401
    assert house.api.as_(Role.OPERATE, jobs=("total",)).post("/plugins/hello").code == 40302
    assert house.post("/plugins/hello?wait=30", {"params": {"name": [1]}}).code == 42201
    failed = house.post("/plugins/gated?wait=30", {"params": {"gate": house.gate("fail")}})
    assert (failed.status, failed.data["state"], failed.data["output"]) == (200, "FAILED", None)
    assert "the gate says so" in failed.data["error"]


def test_an_answer_that_comes_later_is_the_same_record_with_what_is_known(house: House) -> None:
    now = house.post("/workflows?wait=30", {"definition": DEFINITION | {"workflow": "later"}})
    later = house.post("/workflows?wait=0", {"definition": DEFINITION | {"workflow": "later"}})
    assert (now.status, later.status, later.data.keys()) == (201, 202, now.data.keys())
    assert (later.data["workflow"], later.data["version"]) == ("later", 1)
    known = house.post("/workflows?wait=0", {"workflow": "later"}).data
    assert (known["workflow"], known["version"], known.keys()) == ("later", None, now.data.keys())


def test_only_the_system_is_told_the_names_of_files(house: House) -> None:
    """By routes, rows for the Python client and refusals."""
    of_file = {"workflow": "greet", "tasks": {"other": {"job": "hello"}}}
    path = str(house.folder)
    for role, is_told in ((Role.READ, False), (Role.DEFINE, False), (Role.SYSTEM, True)):
        caller = house.api.as_(role)
        listed = next(row for row in caller.get("/workflows?limit=500").data["items"] if row["workflow"] == "greet")
        shown = [caller.get(f"/workflows/greet{more}").data for more in ("", "/versions/1")]
        files = [item["file"] for item in (listed, *shown, caller.get("/workflows/greet/versions").data[-1])]
        assert [file is not None and path in file for file in files] == [is_told] * 4
        assert {item["source"] for item in (listed, *shown)} == {"file"}
        for rows in ("list_workflows", "list_versions?workflow=greet"):
            assert (path in caller.get(f"/rows/{rows}").text) == is_told
        if role >= Role.DEFINE:
            head = caller.put("/workflows/greet", {"title": "x"}, if_match="*")
            for refused in (caller.post("/workflows", {"definition": of_file}), head):
                assert (refused.code, path in refused.text) == (40906, is_told), refused.body
                assert is_told or "comes from a file" in refused.message


def test_why_a_task_waits_names_plugin_files_to_the_system_alone(house: House) -> None:
    file = house.folder / "plugins/late.py"
    house.daemon.write("plugins/late.py", "raise RuntimeError('not today')\n")
    lacking = {"workflow": "lacking", "tasks": {"a": {"job": "not_here_yet"}}}
    house.post("/workflows", {"definition": lacking, "submit": False})
    number = house.started("lacking")
    shown = f"/instances/{number}"
    until(lambda: str(file) in house.api.get(shown).text, what="the reason why it waits")
    of_one = (shown, f"{shown}/breakpoint", f"{shown}/tasks", f"/rows/show_instance?id={number}")
    for path in (*of_one, "/instances"):
        told = house.api.as_(Role.ADMIN).get(path).text
        assert (str(file) in told, "plugin files have errors" in told) == (False, True), (path, told)
    file.unlink()
    house.post(f"{shown}/terminate?wait=30", {"reason": "told"})
    assert house.ended(number) == "TERMINATED"


def test_a_file_without_a_key_of_its_own_is_listed_for_the_system_alone(house: House) -> None:
    taken = house.folder / "workflows/taken.yaml"
    house.daemon.write("workflows/taken.yaml", "workflow: greet\ntasks: {a: {job: hello}}\n")
    house.daemon.write("workflows/never.yaml", "workflow: never_good\ntasks: {a: {job: }}\n")
    house.daemon.write("plugins/wrong.py", "raise RuntimeError('not today')\n")
    paths = ("/workflows?limit=500&total=true", "/rows/list_workflows")
    for path, file in ((paths[0], "taken"), (paths[1], "never"), ("/rows/list_plugins", "wrong")):
        until(lambda path=path, file=file: f"{file}." in house.api.get(path).text, what=f"the fault of {file}")
    mine = house.api.as_(Role.ADMIN)
    for path in paths:
        assert (str(taken) in house.api.get(path).text, str(house.folder) in mine.get(path).text) == (True, False)
    (ours, all_) = (caller.get(paths[0]).data for caller in (mine, house.api))
    assert (
        (len(ours["items"]), len(all_["items"])) == (ours["total"], all_["total"]) == (all_["total"] - 1, all_["total"])
    )
    for body in ({"workflow": "never_good"}, {"job": "nobody_has_it"}):
        refused = [caller.post("/submissions?wait=30", body) for caller in (mine, house.api)]
        assert [str(house.folder) in each.text for each in refused] == [False, True]
        assert (
            "has a file that has never been" in refused[0].message or "plugin files have errors" in refused[0].message
        )
    for name in ("workflows/taken.yaml", "workflows/never.yaml", "plugins/wrong.py"):
        (house.folder / name).unlink()
