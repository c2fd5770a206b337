"""Edits of documents: an edit and its inverse give the same document, and no edit makes a cycle."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.define import edits, sketch, workflow_file
from qflowd.define.documents import Document
from qflowd.define.edits import WrittenEdge
from qflowd.define.expressions import compile_condition, compile_value
from qflowd.define.renaming import renamed_in_condition, renamed_in_text
from qflowd.model import dag
from qflowd.model.errors import CycleFound, NameTaken, NotFound

WORDS = ("bars", "index", "b2", "行情", "load_all", "tasks2")
KEYS = (*WORDS, "cn/daily", "2026", "a-b", "x.y", "class")
FRESH = ("fresh", "fresh/er", "7")
TWO = {"workflow": "daily", "tasks": {"a": {"job": "work"}, "b": {"job": "work", "after": "a"}}}


def named(key: str) -> str:
    return f"{key}.output" if key in WORDS else f'tasks["{key}"].output'


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document in which tasks wait for earlier ones, by conditions or without, and use their outputs."""
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=6, unique=True))
    tasks: dict[str, Any] = {}
    for place, key in enumerate(keys):
        parents = draw(st.lists(st.sampled_from(keys[:place]), unique=True)) if place else []
        body: dict[str, Any] = {"job": draw(st.sampled_from(["work", "load"]))}
        if parents:
            conditions = {parent: draw(st.sampled_from([True, f"{named(parent)}.ok"])) for parent in parents}
            is_plain = all(condition is True for condition in conditions.values())
            body["after"] = parents if is_plain else conditions
            used = draw(st.sampled_from(parents))
            body["params"] = {"rows": f"{{{{ {named(used)}.rows }}}}", "text": [f"n = {{{{ len({named(used)}) }}}}!"]}
            if draw(st.booleans()):
                body["when"] = f"{named(used)}.n > 3 and '{used}' != ''"
        tasks[key] = body
    last = keys[-1]
    return {"workflow": "daily", "title": "Daily {{ }}", "outputs": {"all": f"{{{{ {named(last)} }}}}"}, "tasks": tasks}


def parse(document: dict[str, Any]) -> Any:
    return workflow_file.parse_document(Document(document))


def cycle_by(document: dict[str, Any], edge: WrittenEdge) -> tuple[str, ...]:
    try:
        edits.put_edge(document, edge)
    except CycleFound as error:
        return error.path
    return ()


@given(documents(), st.data())
def test_a_task_that_is_added_and_removed_leaves_no_trace(document, data):
    parents = data.draw(st.lists(st.sampled_from(list(document["tasks"])), unique=True))
    before = copy.deepcopy(document)
    added = edits.add_task(document, "fresh", {"job": "work", "after": parents})
    assert parse(added).tasks[-1].key == "fresh"
    assert edits.remove_task(added, "fresh") == before == document


@given(documents(), st.data())
def test_a_task_renamed_back_is_what_it_was(document, data):
    key = data.draw(st.sampled_from(list(document["tasks"])))
    name = data.draw(st.sampled_from(FRESH))
    before = copy.deepcopy(document)
    renamed = edits.set_task(document, key, document["tasks"][key], name=name)
    parse(renamed)  # edges and expressions have followed, or it would have faults
    assert key not in renamed["tasks"]
    assert document == before
    again = edits.set_task(renamed, name, renamed["tasks"][name], name=key)
    assert list(again["tasks"]) == list(before["tasks"])
    if name == "fresh":  # what is no word of the language stays named by tasks["…"]
        assert again == before
    else:
        parse(again)


@given(documents(), st.data())
def test_a_body_set_back_gives_the_same_document(document, data):
    key = data.draw(st.sampled_from(list(document["tasks"])))
    other = edits.set_task(document, key, {"job": "another", "retries": 3})
    assert other["tasks"][key] == {"job": "another", "retries": 3}
    assert edits.set_task(other, key, document["tasks"][key]) == document


@given(documents(), st.data())
def test_an_edge_that_is_added_and_removed_leaves_no_trace(document, data):
    keys = list(document["tasks"])
    parent, child = data.draw(st.sampled_from(keys)), data.draw(st.sampled_from(keys))
    if parent in edits.parents_in(document["tasks"][child]):
        return
    condition = data.draw(st.sampled_from([True, "params.x > 1", {"on": "breaker_open"}]))
    if path := cycle_by(document, WrittenEdge(parent, child, condition)):
        assert path[0] == path[-1]
        waits = {(edge.parent, edge.child) for edge in edits.edges_of(document)} | {(parent, child)}
        assert set(itertools.pairwise(path)) <= waits
        return
    added = edits.put_edge(document, WrittenEdge(parent, child, condition))
    assert WrittenEdge(parent, child, condition) in edits.edges_of(added)
    assert edits.remove_edge(added, parent, child) == document


@given(documents(), st.data())
def test_an_edge_that_is_removed_and_put_back_is_the_same_edge(document, data):
    edges = edits.edges_of(document)
    if not edges:
        return
    edge = data.draw(st.sampled_from(edges))
    again = edits.put_edge(edits.remove_edge(document, edge.parent, edge.child), edge)
    assert sorted(map(str, edits.edges_of(again))) == sorted(map(str, edges))
    parse(again)


@given(documents())
def test_a_position_is_the_ordinal_of_the_stored_version(document):
    assert sketch.keys_in_order(document) == [task.key for task in dag.order(parse(document))]


def test_a_task_that_waits_for_the_whole_workflow_comes_last():
    document = {"workflow": "daily", "tasks": {"end": {"job": "work", "trigger_rule": "always"}, **TWO["tasks"]}}
    assert sketch.keys_in_order(document) == ["a", "b", "end"] == [task.key for task in dag.order(parse(document))]


def test_a_document_with_faults_is_drawn_as_far_as_it_can_be_told():
    tasks = {"a": "nonsense", "b": {"job": 3, "after": {"gone": True, "a": "x ="}}, "c": {"after": {"b": "each"}}}
    drawn = sketch.sketch({"workflow": "daily", "tasks": tasks})
    assert [(task.key, [(edge.parent, edge.each) for edge in task.after]) for task in drawn.tasks] == [
        ("a", []),
        ("b", [("a", False)]),
        ("c", [("b", True)]),
    ]


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("{{ bars.output.n }} of {{ bars.output }}", "{{ new.output.n }} of {{ new.output }}"),
        ("bars.output", "bars.output"),  # no expression
        ("{{ 'bars.output' }}", "{{ 'bars.output' }}"),
        ("{{ params.bars }} {{ params['bars'] }}", "{{ params.bars }} {{ params['bars'] }}"),
        ("{{ tasks['bars'].output }}", '{{ tasks["new"].output }}'),
        ("{{ [行情.output,\n  bars.output] }}", "{{ [行情.output,\n  new.output] }}"),
        ("{{ bars.output + ", "{{ bars.output + "),
        ("{{ bars.output + }}", "{{ bars.output + }}"),
        ("{{ {'a': bars.output}['a'] }}", "{{ {'a': new.output}['a'] }}"),
        ("{{ bars.output[bars.output] }}", "{{ new.output[new.output] }}"),
    ],
)
def test_expressions_follow_a_rename_and_nothing_else_does(text, renamed):
    assert renamed_in_text(text, "bars", "new") == renamed


def test_a_key_that_is_no_word_of_the_language_is_named_by_tasks():
    assert renamed_in_text("{{ bars.output }}", "bars", "cn/bars") == '{{ tasks["cn/bars"].output }}'
    assert renamed_in_condition("bars.output.n > 3", "bars", "if") == 'tasks["if"].output.n > 3'
    assert compile_value('{{ tasks["cn/bars"].output }}').tasks == {"cn/bars"}
    assert compile_condition('tasks["if"].output.n > 3').tasks == {"if"}


def test_what_is_not_there_or_taken_is_named():
    with pytest.raises(NotFound, match=r"there is no task 'c'"):
        edits.remove_task(TWO, "c")
    with pytest.raises(NotFound, match=r"there is no edge b:a; task 'a' waits for none"):
        edits.remove_edge(TWO, "b", "a")
    with pytest.raises(NotFound, match=r"there is no task 'c'"):
        edits.put_edge(TWO, WrittenEdge("c", "a"))
    with pytest.raises(NameTaken, match=r"there is a task 'a' already"):
        edits.add_task(TWO, "a", {"job": "work"})
    with pytest.raises(NameTaken, match=r"there is a task 'b' already"):
        edits.set_task(TWO, "a", {"job": "work"}, name="b")


@pytest.mark.parametrize(
    "edit",
    [
        lambda: edits.put_edge(TWO, WrittenEdge("b", "a")),
        lambda: edits.set_task(TWO, "a", {"job": "work", "after": ["b"]}),
    ],
)
def test_a_cycle_is_refused_with_its_path(edit):
    with pytest.raises(CycleFound, match=r"cycle: a -> b -> a|cycle: b -> a -> b"):
        edit()


def test_a_task_may_not_wait_for_itself():
    with pytest.raises(CycleFound, match="cycle: a -> a"):
        edits.put_edge(TWO, WrittenEdge("a", "a"))


def test_a_key_of_digits_is_a_key_first_or_a_position_first():
    document = {"workflow": "daily", "tasks": {"1": {"job": "work"}, "b": {"job": "work"}}}
    assert sketch.find_task(document, "1") == "1"
    assert sketch.find_task(document, "1", is_position_first=True) == "b"
    assert sketch.find_task(document, "0") == "1"
    with pytest.raises(NotFound):
        sketch.find_task(document, "2")


def test_a_document_with_faults_can_be_edited():
    document = {"workflow": "daily", "tasks": {"a": "nonsense", "b": {"after": {"gone": True, "a": "x ="}}}, "titel": 3}
    assert edits.remove_edge(document, "gone", "b")["tasks"]["b"] == {"after": {"a": "x ="}}
    assert edits.remove_task(document, "a")["tasks"] == {"b": {"after": ["gone"]}}
    assert edits.add_task({"workflow": "daily"}, "a", {"job": "work"})["tasks"] == {"a": {"job": "work"}}
