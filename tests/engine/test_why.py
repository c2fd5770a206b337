"""Every row that waits says why: each way of waiting is brought about on a real database, and none is silent.

A new way is a function below `@way(...)` in `tests/support/waits/`. What is forgotten fails: a kind of row in a state that no way has brought about,
a sentence in the views that no way has shown, and (in `tests/support/invariants.py`) any row of any test that waits silently.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.kinds import KINDS
from qflowd.model.errors import NotFound
from qflowd.model.ids import key_range
from qflowd.model.states import TaskKind, TaskState
from qflowd.model.workflow import WAIT_POOL
from tests.support.lab import FAILED, Lab
from tests.support.waits import NEVER, WAYS, Way
from tests.support.waits.base import undoing

ROOT = Path(__file__).parents[2]


def fits(text: str | None, expected: str) -> bool:
    """Is `expected`, with `*` for anything, what the view says?"""
    return re.fullmatch(re.escape(expected).replace(r"\*", ".+"), text or "") is not None


@pytest.mark.parametrize("way", [pytest.param(one, id=one.name) for one in WAYS])
def test_a_row_that_waits_says_why(lab: Lab, way: Way):
    number = way.arrange(lab)
    ids = {"before": number - 1, "holder": key_range(number - 1)["first"]}
    instance = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    if way.instance is not None:
        assert fits(instance.wait_reason, way.instance.format(**ids)), instance.wait_reason
    if way.kind is not None and way.state is not None:
        rows = lab.sql(
            f"SELECT x.wait_reason FROM qflow.tasks x JOIN qflow.task_instance t ON t.id = x.id WHERE x.instance_id = {number}"
            f" AND t.kind = {int(way.kind)} AND t.state = {int(way.state)}"
        )
        assert any(fits(reason, (way.task or "").format(**ids)) for (reason,) in rows), rows


def test_every_kind_of_row_is_met_in_every_state_in_which_it_may_wait():
    """A new kind of row needs a way for each state, or a word in NEVER why there is none."""
    met = {(way.kind, way.state) for way in WAYS if way.kind is not None}
    waiting = [state for state in TaskState if not state.is_final]
    missing = set(product((TaskKind(kind) for kind in KINDS), waiting)) - met - NEVER.keys()
    assert not missing, "add a way to wait, or say in NEVER why no row does"
    assert not NEVER.keys() & met
    unknown = set(TaskKind) - {TaskKind(kind) for kind in KINDS}
    assert all((kind, state) in NEVER for kind in unknown for state in waiting)


def sentences() -> set[str]:
    """The pieces of all reasons in the views: what a CASE answers, not what it asks."""
    text = (ROOT / "sql/common/migrations/views.sql").read_text("utf-8")
    views = dict(re.findall(r"\{replace_view\} qflow\.(\w+) AS\n(.*?)\n;", text, re.DOTALL))
    reasons = [views[name] for name in ("task_name", "lane_wait", "child_wait", "task_wait", "task_pause")]
    reasons += [
        re.search(r"AS duration_s,(.*)AS wait_reason", views[name], re.DOTALL)[1] for name in ("tasks", "instances")
    ]
    return {piece for part in reasons for piece in re.findall(r"'([^']*)'", part) if len(piece) > 3} - {WAIT_POOL}


def test_every_sentence_of_the_views_is_shown_by_some_way():
    said = [text for way in WAYS for text in (way.task, way.instance) if text]
    missing = [piece for piece in sentences() if not any(piece.strip(" :;,") in text for text in said)]
    assert not missing, "add a way to wait that shows these"


def test_an_item_that_is_not_made_yet_says_what_its_map_waits_for(lab: Lab):
    bars = {"map": ["AAPL", "IBM", "MSFT"], "label": "{{ item }}", "max_parallel": 2}
    lab.workflow("mapped", {"a": [], "bars": ["a"]}, {"bars": bars})
    number, why = lab.start("mapped"), Client(DatabaseTransport(lab.store)).why
    waits = "is PENDING: not made yet; its map is PENDING: waits for tasks before it: a"
    assert str(why(number, "bars[MSFT]")) == f"task bars[MSFT] of instance {number} {waits}"
    lab.ends(lab.claim())
    rows = lab.claim()
    waits = "is PENDING: not made yet; 2 of 3 items of its map are, and the next ones follow as these end"
    assert str(why(number, "bars[MSFT]")) == f"task bars[MSFT] of instance {number} {waits}"
    assert why(number, "bars[1]").state == "RUNNING"
    lab.ends(rows)
    assert why(number, "bars[MSFT]").state == "READY"
    with pytest.raises(NotFound, match=r"has no task 'bars\[TSLA\]'"):
        why(number, "bars[TSLA]")


def test_an_item_of_a_map_that_ended_without_a_list_says_how_that_ended(lab: Lab):
    lab.workflow("mapped", {"a": [], "bars": ["a"]}, {"bars": {"map": ["AAPL"]}})
    number = lab.start("mapped")
    lab.run({"a": FAILED})
    why = Client(DatabaseTransport(lab.store)).why(number, "bars[AAPL]")
    assert str(why) == f"task bars of instance {number} has ended: UPSTREAM_FAILED"


def test_a_compensation_that_failed_is_named_with_its_remedy_and_found_by_its_name(lab: Lab):
    number = undoing(lab)
    lab.run({"c": FAILED})
    why = Client(DatabaseTransport(lab.store)).why
    ended = f"instance {number} has ended: FAILED: task c: "
    remedy = "; its compensation failed (undo c), and waits for a person: retry"
    assert str(why(number)).startswith(ended)
    assert str(why(number)).endswith(remedy)
    undo = f"the compensation of task c of instance {number} has ended: FAILED"
    assert (str(why(number, "undo c")).startswith(undo), why(number, "c").kind) == (True, "task")
    assert lab.command("retry", number)[0] == "DONE"
    assert why(number, "undo c").state == "READY"
