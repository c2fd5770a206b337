"""Several schedules of one workflow, on a set clock: each fires by itself, with params of its own."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.schedules import Schedules
from qflowd.engine.definitions.workflow_store import canonical
from qflowd.engine.service import Topics
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Schedule
from qflowd.store.tx import Store, Tx
from tests.support.clock import MONDAY, SetClock
from tests.support.desk import Desk
from tests.support.services import admit_all

TWO = """\
workflow: daily
params: {part: {type: string, default: whole}}
schedules:
  morning: {cron: "0 9 * * *", params: {part: am}}
  evening: "0 21 * * *"
tasks: {a: {job: j}}
"""


@pytest.fixture
def desk(lab):
    return Desk(lab)


def at(hour, minute=0):
    return MONDAY + timedelta(hours=hour, minutes=minute)


def names(desk, of="name, times"):
    return [tuple(row) for row in desk.sql(f"SELECT {of} FROM qflow.schedules ORDER BY name")]


def test_each_fires_by_itself_with_its_params(desk):
    desk.store_text(TWO)
    assert names(desk) == [("evening", "0 21 * * *"), ("morning", "0 9 * * *")]
    desk.tick(at(9))
    desk.tick(at(21))
    assert desk.sql("SELECT schedule FROM qflow.fires ORDER BY fire_at") == [("morning",), ("evening",)]
    admit_all(desk.store)
    found = desk.sql("SELECT schedule, params FROM qflow.workflow_instance ORDER BY id")
    assert [(row[0], json.loads(row[1])) for row in found] == [
        ("morning", {"part": "am"}),
        ("evening", {"part": "whole"}),
    ]


def test_the_only_one_keeps_its_name_and_its_place(desk):
    """So that stores of earlier releases continue."""
    desk.define("0 9 * * *")
    desk.clock.time = at(9, 1)
    desk.store_text(TWO.replace('evening: "0 21 * * *"', 'cron: "0 9 * * *"'))
    assert names(desk, "name") == [("cron",), ("morning",)]
    desk.tick()
    assert desk.fires() == [at(9)], "what was due of the old one is still fired; the new one begins now"


def test_a_schedule_that_is_no_longer_there_fires_no_more(desk):
    desk.store_text(TWO)
    desk.store_text(TWO.replace('  evening: "0 21 * * *"\n', ""))
    desk.tick(at(21))
    assert (names(desk, "name"), desk.fires()) == ([("morning",)], [])


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ('schedule: "0 9 * * *"\nschedules: {a: "0 9 * * *"}', "f.yaml:2: schedule: stands beside schedules"),
        ('schedules:\n  a: "0 9 * * *"\n  a: "0 10 * * *"', "f.yaml:4"),
        ('schedules:\n  "a b": "0 9 * * *"', "f.yaml:3: schedules.a b: schedule name 'a b' contains ' '"),
        (f'schedules:\n  {"x" * 65}: "0 9 * * *"', "at most 64 are allowed"),
        ("schedules:\n  a:", "f.yaml:3: schedules.a: is empty"),
        ("schedules:\n  a: {cron: 61 * * * *}", "f.yaml:3: schedules.a.cron: "),
        ("schedules:\n  a: {at: close}", "f.yaml:3: schedules.a.at: needs a calendar"),
        ('schedules: ["0 9 * * *"]', "f.yaml:2: schedules: must hold keys and values"),
        ("schedules: {" + ", ".join(f'a{n}: "0 9 * * *"' for n in range(101)) + "}", "at most 100 are allowed"),
        ('params: {p: {type: string}}\nschedules:\n  a: "0 9 * * *"', "f.yaml:4: schedules.a: can never fire: param p"),
        (
            "params: {p: {type: integer}}\nschedule: {cron: 0 9 * * *, params: {p: x}}",
            'f.yaml:3: schedule.params: p: "x" is not of type "integer"',
        ),
        ("params: {p: {default: 1}}\nschedule: {cron: 0 9 * * *, params: {q: 1}}", "there is no 'q'"),
        (
            'schedule: {cron: 0 9 * * *, params: {p: "{{ business_date }}"}}',
            "schedule.params.p: is a value; an expression is for the default",
        ),
    ],
)
def test_a_fault_in_schedules_is_named_with_its_line(head, fault):
    with pytest.raises(InvalidWorkflow) as refused:
        parse(f"workflow: w\n{head}\ntasks: {{a: {{job: j}}}}\n", "yaml", "f.yaml")
    assert any(fault in str(each) for each in refused.value.faults), refused.value


def test_schedules_of_a_builder_are_those_of_a_file():
    built = (
        WorkflowBuilder("daily")
        .with_params(part={"type": "string", "default": "whole"})
        .with_schedule("morning", cron="0 9 * * *", params={"part": "am"})
        .with_schedule("evening", cron="0 21 * * *")
        .with_task(TaskBuilder("a", "j"))
        .build()
    )
    assert built == parse(TWO, "yaml", "f")
    assert parse(canonical(built), "json", "f") == built
    assert built.schedules["evening"] == Schedule("0 21 * * *")


def store_many(desk):
    """Schedules that are due together. Returns how many."""
    lines = "".join(f'  s{n}: "0 9 * * *"\n' for n in range(100))
    for number in range(3):
        desk.store_text(f"workflow: w{number}\nschedules:\n{lines}tasks: {{a: {{job: j}}}}\n")
    return 300


def test_four_daemons_fire_many_that_are_due_together_once_each(desk):
    daemons, schedules = 4, store_many(desk)
    together = threading.Barrier(daemons)

    def fire_all(_):
        store = Store(desk.url, clock=SetClock(at(9)))
        service = Schedules(store, Topics())
        together.wait(60)
        while store.read(lambda tx: tx.run("list_due_schedules", now=tx.now, batch=1)):
            service.tick()
        store.close()

    with ThreadPoolExecutor(daemons) as pool:
        list(pool.map(fire_all, range(daemons)))
    assert desk.fires() == [at(9)] * schedules
    fired = desk.sql("SELECT COUNT(*), COUNT(DISTINCT instance_id) FROM qflow.schedule_fire")
    assert tuple(fired[0]) == (schedules, schedules)


def test_many_that_are_due_together_cost_a_few_statements_and_one_each(desk, monkeypatch):
    schedules = store_many(desk)
    counts = Counter()
    for name in ("run", "one"):
        inner = getattr(Tx, name)

        def counted(tx, statement, /, _inner=inner, **params):
            counts[statement] += 1
            return _inner(tx, statement, **params)

        monkeypatch.setattr(f"qflowd.store.tx.Tx.{name}", counted)
    desk.clock.time = at(9)
    desk.tick()
    written = ("lock_schedules", "advance_schedules", "insert_fires", "find_fires", "link_fires", "insert_submission")
    assert [counts[name] for name in written] == [1, 1, 1, 1, 1, schedules]
    assert desk.sql("SELECT COUNT(*) FROM qflow.schedule_fire WHERE instance_id IS NOT NULL") == [(schedules,)]
