"""A schedule starts a workflow on a fact: another one's success, a dataset or a signal; once for each, whenever it comes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions import fact_starts
from qflowd.engine.definitions.fact_starts import IDLE_S, FactStarts
from qflowd.model.errors import InvalidWorkflow, StoreUnavailable
from qflowd.model.states import TaskState
from tests.support.lab import FAILED, Lab
from tests.support.signals_sent import DAY, drive, send

WORK = {"a": {"job": "work"}}
FACT = {"fact": {"type": "object", "default": None}}
FIRST = {"after_id": 0, "after_definition_id": 0, "after_name": ""}
STARTS = {
    "workflow": {"workflow": "bars"},
    "dataset": {"dataset": "cn_daily"},
    "signal": {"signal": "vendor_ready"},
}


@pytest.fixture
def desk(lab: Lab) -> Lab:
    lab.define("bars", {"a": {"job": "work", "produces": "cn_daily@{{ business_date }}"}}, allow_duplicates=True)
    return lab


def starts(lab: Lab) -> FactStarts:
    return FactStarts(lab.store, lab.topics, lambda: 0.0)  # however slow this machine is, looks take no time


def bring(lab: Lab, kind: str, day: str = DAY) -> None:
    """Make a fact of a kind: one instance or signal more."""
    if kind == "signal":
        send(lab, "vendor_ready", '{"rows": 7}', business_date=day)
    else:
        lab.start("bars", business_date=day)
    drive(lab)


def follow(lab: Lab, kind: str, **more: Any) -> None:
    """A workflow that starts on facts of a kind."""
    lab.define("nav", WORK, schedules={"after": {"start_on": STARTS[kind]} | more}, params=FACT)


def runs(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.sql(
        "SELECT i.id, i.business_date, i.trigger_type, f.schedule, f.fact FROM qflow.fires f "
        "JOIN qflow.instances i ON i.id = f.instance_id ORDER BY i.id"
    )


@pytest.mark.parametrize("kind", STARTS)
def test_a_fact_starts_one_run_for_its_date_which_can_read_it(desk: Lab, kind: str) -> None:
    follow(desk, kind)
    bring(desk, kind)
    for _ in range(2):
        starts(desk).tick()
        drive(desk)
    [(number, day, trigger, schedule, fact)] = runs(desk)
    assert (str(day)[:10], trigger, schedule, fact) == (DAY, "fact", "after", kind)
    [(params, fact_id)] = desk.sql(
        "SELECT i.params, f.fact_id FROM qflow.workflow_instance i JOIN qflow.fires f ON f.instance_id = i.id "
        f"WHERE i.id = {number}"
    )
    assert (
        json.loads(params)["fact"]
        == {
            "workflow": {"workflow": "bars", "instance_id": fact_id},
            "dataset": {"dataset": f"cn_daily@{DAY}", "version": 1},
            "signal": {"signal": "vendor_ready", "payload": {"rows": 7}},
        }[kind]
    )
    assert desk.state(number) == "SUCCESS"
    about = "cron, times, start_on, next_fire_at, wait_reason"
    [name] = STARTS[kind].values()
    assert desk.sql(f"SELECT {about} FROM qflow.schedules") == [("", f"on {kind} {name}", f"{kind} {name}", None, None)]


@pytest.mark.parametrize("kind", STARTS)
def test_facts_from_before_the_schedule_or_while_it_was_off_start_nothing(desk: Lab, kind: str) -> None:
    bring(desk, kind, "2026-11-17")
    desk.clock.advance(60)
    follow(desk, kind)
    desk.command("disable", workflow="nav")
    bring(desk, kind, "2026-11-18")
    starts(desk).tick()
    desk.clock.advance(60)
    desk.command("enable", workflow="nav")
    bring(desk, kind, "2026-11-19")
    starts(desk).tick()
    drive(desk)
    assert [str(row[1])[:10] for row in runs(desk)] == ["2026-11-19"]


def test_any_number_of_daemons_starts_each_fact_once(desk: Lab) -> None:
    follow(desk, "workflow")
    for day in range(10, 18):
        desk.start("bars", business_date=f"2026-11-{day}")
    drive(desk)
    looked = [starts(desk) for _ in range(4)]

    def look(service: FactStarts) -> None:
        while service.tick() == 0:
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, looked))
    starts(desk).tick()
    assert desk.sql(
        "SELECT COUNT(*), COUNT(DISTINCT instance_id), COUNT(DISTINCT fact_id) FROM qflow.schedule_fire"
    ) == [(8, 8, 8)]
    assert desk.sql("SELECT COUNT(*) FROM qflow.submissions WHERE trigger_type = 'fact'") == [(8,)]


def test_what_two_daemons_have_read_is_started_by_the_first(desk: Lab) -> None:
    follow(desk, "workflow")
    bring(desk, "workflow")
    facts = desk.store.read(lambda tx: tx.run("list_workflow_facts", batch=10, **FIRST))
    assert desk.store.transact(lambda tx: fact_starts.start_on_facts(tx, facts)) == 1
    desk.clock.advance(1)
    assert desk.store.transact(lambda tx: fact_starts.start_on_facts(tx, facts)) == 0
    assert desk.sql("SELECT COUNT(*) FROM qflow.submissions WHERE trigger_type = 'fact'") == [(1,)]


def test_a_start_that_is_killed_before_its_commit_leaves_nothing_and_is_done_by_the_next(desk: Lab) -> None:
    def killed() -> None:
        raise StoreUnavailable("killed")

    follow(desk, "signal")
    bring(desk, "signal")
    other = starts(desk)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(desk.store, "transact", desk.store.transact)
        desk.just_before("start_on_facts", killed, statement="link_fires")
        with pytest.raises(StoreUnavailable, match="killed"):
            starts(desk).tick()
    assert desk.sql("SELECT COUNT(*) FROM qflow.schedule_fire") == [(0,)]
    assert desk.sql("SELECT COUNT(*) FROM qflow.submissions") == [(0,)]
    other.tick()
    drive(desk)
    assert len(runs(desk)) == 1


def test_until_idle_does_not_end_before_a_fact_has_started_its_run(desk: Lab) -> None:
    follow(desk, "workflow")
    assert not desk.store.read(starts(desk).is_any_left)
    bring(desk, "workflow")
    assert desk.store.read(starts(desk).is_any_left)
    starts(desk).tick()
    assert not desk.store.read(starts(desk).is_any_left)


def test_a_success_that_is_committed_after_a_later_one_is_not_lost(desk: Lab) -> None:
    """The one with the lower number and the earlier end becomes visible last."""
    follow(desk, "workflow")
    first = desk.start("bars", business_date="2026-11-18")
    [late] = desk.claim()
    desk.start("bars", business_date="2026-11-19")
    ended_at = desk.clock.now()
    desk.clock.advance(60)
    drive(desk)
    starts(desk).tick()
    desk.clock.time = ended_at
    desk.finish(desk.final(late))
    desk.clock.advance(120)
    starts(desk).tick()
    found = desk.sql("SELECT business_date, fact_id FROM qflow.schedule_fire ORDER BY fire_at")
    assert [str(day)[:10] for day, _ in found] == ["2026-11-19", "2026-11-18"]
    assert found[1][1] == first


def test_what_fails_starts_nothing_until_it_has_succeeded_and_a_rerun_starts_nothing_more(desk: Lab) -> None:
    follow(desk, "workflow")
    number = desk.start("bars", business_date=DAY)
    [row] = desk.claim()
    desk.finish(desk.final(row, FAILED))
    starts(desk).tick()
    assert runs(desk) == []
    desk.command("retry", number)
    drive(desk)
    starts(desk).tick()
    desk.command("rerun", number)
    drive(desk)
    starts(desk).tick()
    drive(desk)
    assert len(runs(desk)) == 1


@pytest.mark.parametrize("ends", [{}, {"a": FAILED}])
def test_a_rerun_of_what_had_succeeded_before_the_schedule_came_starts_nothing(
    desk: Lab, ends: dict[str, TaskState]
) -> None:
    number = desk.start("bars", business_date=DAY)
    drive(desk)
    desk.clock.advance(60)
    follow(desk, "workflow")
    for _ in range(2):
        desk.clock.advance(60)
        desk.command("rerun", number)
        desk.run(ends)
        if ends:
            desk.command("retry", number)
        drive(desk)
        starts(desk).tick()
    assert (desk.state(number), runs(desk)) == ("SUCCESS", [])


def test_a_rerun_that_begins_before_anybody_has_looked_starts_one(desk: Lab) -> None:
    follow(desk, "workflow")
    number = desk.start("bars", business_date=DAY)
    drive(desk)
    desk.command("rerun", number)
    starts(desk).tick()
    assert runs(desk) == []
    drive(desk)
    starts(desk).tick()
    drive(desk)
    assert len(runs(desk)) == 1


def test_a_second_fact_of_a_date_is_refused_in_its_fire_and_a_later_version_starts_nothing(desk: Lab) -> None:
    follow(desk, "signal")
    bring(desk, "signal")
    bring(desk, "signal")
    starts(desk).tick()
    drive(desk)
    found = desk.sql("SELECT state, error FROM qflow.fires ORDER BY fire_at")
    assert [state for state, _ in found] == ["SUCCESS", "REJECTED"]
    assert "for business date 2026-11-20" in found[1][1]
    desk.define("nav", WORK, schedules={"after": {"start_on": STARTS["dataset"]}}, params=FACT, allow_duplicates=True)
    bring(desk, "dataset")
    bring(desk, "dataset")
    starts(desk).tick()
    assert desk.sql("SELECT COUNT(*) FROM qflow.fires WHERE fact = 'dataset'") == [(1,)]


def test_a_paused_workflow_starts_on_nothing_that_comes_meanwhile(desk: Lab) -> None:
    follow(desk, "workflow")
    desk.command("pause", workflow="nav")
    bring(desk, "workflow")
    starts(desk).tick()
    assert runs(desk) == []
    assert desk.sql("SELECT wait_reason FROM qflow.schedules") == [("the workflow is paused",)]


def test_another_tenant_starts_nothing(desk: Lab) -> None:
    follow(desk, "workflow")
    desk.define("bars", WORK, tenant="other")
    desk.start("bars", business_date=DAY, tenant="other")
    drive(desk)
    starts(desk).tick()
    assert runs(desk) == []


TWO = "workflow {} starts on this one, so neither is started; take one start_on away"
MORE = "workflow {} starts on others that start on this one, so none of them is started; take one start_on away"


@pytest.mark.parametrize(("cycle", "reason"), [("ab", TWO), ("abc", MORE), ("abcde", MORE)])
def test_a_cycle_of_workflows_is_refused_and_starts_nothing_where_it_is_stored(
    desk: Lab, cycle: str, reason: str
) -> None:
    before = cycle[-1] + cycle[:-1]
    for name, on in list(zip(cycle, before, strict=True))[1:]:
        desk.define(name, WORK, schedule={"start_on": {"workflow": on}})
    with pytest.raises(InvalidWorkflow, match=r"a starts on .*starts on a, so they would never end"):
        desk.define("a", WORK, schedule={"start_on": {"workflow": before[0]}})
    others = {"other": {"start_on": {"signal": "vendor_ready"}}}
    desk.define("a", WORK, schedules={"cycle": {"start_on": {"workflow": "none"}}} | others, allow_duplicates=True)
    # As of workflows that were published at once.
    desk.sql(f"UPDATE qflow.schedule SET fact_name = '{before[0]}' WHERE fact_name = 'none'")
    desk.define("outside", WORK, schedule={"start_on": {"workflow": "a"}})
    send(desk, "vendor_ready")
    drive(desk)
    for _ in range(2):
        starts(desk).tick()
        drive(desk)
    # Neither what else starts one of them is kept from it, nor what its success starts besides.
    assert [(on, schedule) for *_, schedule, on in runs(desk)] == [("signal", "other"), ("workflow", "cron")]
    assert desk.sql("SELECT workflow, name, wait_reason FROM qflow.schedules ORDER BY workflow, name") == [
        ("a", "cycle", reason.format(before[0])),
        ("a", "other", None),
        *((name, "cron", reason.format(on)) for name, on in list(zip(cycle, before, strict=True))[1:]),
        ("outside", "cron", None),
    ]


def test_a_reset_that_would_close_a_circle_is_refused(desk: Lab) -> None:
    desk.define("a", WORK, schedule={"start_on": {"workflow": "b"}})
    assert desk.command("set_schedule", workflow="a", args='{"cron": "0 9 * * *"}')[0] == "DONE"
    desk.define("b", WORK, schedule={"start_on": {"workflow": "a"}})
    state, refusal = desk.command("reset_schedule", workflow="a")
    assert (state, "a starts on b starts on a, so they would never end" in str(refusal)) == ("REJECTED", True)
    assert desk.sql("SELECT start_on FROM qflow.schedules WHERE workflow = 'a'") == [(None,)]


def test_to_enable_what_is_on_loses_no_fact(desk: Lab) -> None:
    follow(desk, "workflow")
    bring(desk, "workflow")
    desk.clock.advance(1)
    assert desk.command("enable", workflow="nav")[0] == "DONE"
    starts(desk).tick()
    drive(desk)
    assert len(runs(desk)) == 1


def test_facts_that_start_nothing_hide_none_behind_them(desk: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fact_starts, "BATCH", 2)
    for name, on in (("a", "none"), ("b", "a")):
        desk.define(name, WORK, schedule={"start_on": {"workflow": on}}, allow_duplicates=True)
    desk.sql("UPDATE qflow.schedule SET fact_name = 'b' WHERE fact_name = 'none'")  # a circle
    follow(desk, "workflow")
    for _ in range(5):
        desk.start("a")
    drive(desk)
    assert not desk.store.read(starts(desk).is_any_left)
    bring(desk, "workflow")
    assert desk.store.read(starts(desk).is_any_left)
    service = starts(desk)
    for expected in (0, 0, 0, fact_starts.LOOK_S):  # three rounds are full, and all are a look
        assert service.tick() == expected
    drive(desk)
    assert [schedule for *_, schedule, _ in runs(desk)] == ["after"]


def test_a_signal_that_cannot_be_read_delays_no_other(desk: Lab) -> None:
    follow(desk, "signal")
    bring(desk, "signal", "2026-11-18")
    desk.sql("UPDATE qflow.signals SET payload = 'no JSON'")  # after it was taken
    bring(desk, "signal", "2026-11-19")
    service = starts(desk)
    service.tick()
    drive(desk)
    assert [str(row[1])[:10] for row in runs(desk)] == ["2026-11-19"]
    assert desk.store.read(starts(desk).is_any_left)  # of a daemon that has not looked yet
    assert not desk.store.read(service.is_any_left)  # so `--until-idle` ends
    bring(desk, "signal", "2026-11-20")
    assert desk.store.read(service.is_any_left)


def test_a_time_that_a_command_sets_is_in_place_of_the_fact(desk: Lab) -> None:
    follow(desk, "workflow")
    desk.command("set_schedule", workflow="nav", args='{"cron": "0 9 * * *"}')
    bring(desk, "workflow")
    starts(desk).tick()
    assert desk.sql("SELECT times, start_on, file_says FROM qflow.schedules") == [
        ("0 9 * * *", None, "on workflow bars")
    ]
    assert runs(desk) == []
    desk.command("reset_schedule", workflow="nav")
    assert desk.sql("SELECT times FROM qflow.schedules") == [("on workflow bars",)]


def test_a_workflow_that_is_not_there_is_named(desk: Lab) -> None:
    desk.define("nav", WORK, schedule={"start_on": {"workflow": "nobody"}})
    assert desk.sql("SELECT wait_reason FROM qflow.schedules") == [("workflow nobody is archived or not there",)]


def test_a_look_that_takes_long_is_repeated_less_often_whoever_wakes_it(desk: Lab) -> None:
    desk.define("after", WORK, schedule={"start_on": STARTS["workflow"]})
    seconds = count(0.0, 1.0)  # each look at it is a second later
    service = FactStarts(desk.store, desk.topics, lambda: next(seconds))
    assert service.tick() == fact_starts.SHARE
    bring(desk, "workflow")
    assert 0 < service.tick() < fact_starts.SHARE
    while service.tick() != fact_starts.SHARE:
        pass
    drive(desk)
    assert len(desk.sql("SELECT * FROM qflow.fires")) == 1


def test_where_no_schedule_starts_on_a_fact_nobody_looks_for_one(desk: Lab) -> None:
    bring(desk, "workflow")
    assert starts(desk).tick() == IDLE_S


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("{file: /in/*.csv}", "schedule it by time, and give its first task wait_for: {file: …}"),
        ("{delay: 10m}", "give its first task wait_for: {delay: …}"),
        ("{approval: go?}", "give its first task wait_for: {approval: …}"),
        ("{workflow: w}", "is this workflow itself, so it would never end"),
        ("{dataset: own}", "is what task a of this workflow produces, so it would start itself"),
        ('{dataset: "cn_daily@2026-11-20"}', "write cn_daily, without what stands behind @"),
        ('{workflow: "{{ business_date }}"}', "is a name; an expression has no value"),
        ("{workflow: a, signal: b}", "names signal and workflow; one of workflow, dataset, signal is needed"),
        ("{}", "names no fact; one of workflow, dataset, signal is needed"),
        ("{workflow: bars}, cron: 0 9 * * *", "start_on says when this one starts"),
        ("{workflow: bars}, catchup: last", "is for a schedule by time"),
    ],
)
def test_what_nothing_can_start_on_is_refused_with_the_remedy(schedule: str, fault: str) -> None:
    text = f"workflow: w\nschedule: {{start_on: {schedule}}}\ntasks: {{a: {{job: j, produces: own}}}}\n"
    with pytest.raises(InvalidWorkflow) as refused:
        parse(text, "yaml", "f.yaml")
    assert fault in str(refused.value)
    assert "f.yaml:2" in str(refused.value)
