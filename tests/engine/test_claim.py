"""What to claim: lanes that may be this daemon's are learnt outside the transaction, others are left alone."""

import json

import pytest

from qflowd.engine.caches import LaneIds, LaneKey
from qflowd.engine.claiming.claim import Claimer
from qflowd.model.ids import instance_of, task_id
from qflowd.model.states import TaskKind, TaskState
from qflowd.model.workflow import Job

THEIRS = {"theirs": Job(name="theirs", module="", file="theirs.py", hash="h")}


def claimer_of(lab):
    """That of a daemon that has met no lane."""
    claimer = Claimer(LaneIds(lab.store), ["default"])
    claimer.set_jobs(lab.jobs.own)
    return claimer


def claim(lab, claimer):
    return lab.store.transact(lambda tx: claimer.claim(tx, {"default": 1}, {"default": 1}, lab.owner), name="claim")


def start_of_another_daemon(lab):
    own, lab.jobs.own = lab.jobs.own, THEIRS
    number = lab.start(job="theirs")
    lab.jobs.own = own
    return number


def test_a_lane_not_seen_before_is_learnt_by_a_look(lab):
    number = lab.start(job="work")
    claimer = claimer_of(lab)
    assert (claim(lab, claimer), claimer.has_unknown_lanes) == ([], True)
    assert claimer.look(lab.store)
    [claimed] = claim(lab, claimer)
    assert [instance_of(row.id) for row in claimed.rows] == [number]
    assert not claimer.has_unknown_lanes


def test_what_others_serve_is_looked_at_once(lab):
    start_of_another_daemon(lab)
    claimer = claimer_of(lab)
    assert (claim(lab, claimer), claimer.has_unknown_lanes) == ([], True)
    assert not claimer.look(lab.store)
    assert (claim(lab, claimer), claimer.has_unknown_lanes) == ([], False)


def test_a_job_that_arrives_makes_its_lane_worth_a_look(lab):
    number = start_of_another_daemon(lab)
    claimer = claimer_of(lab)
    claimer.look(lab.store)
    claimer.set_jobs(THEIRS)
    assert (claim(lab, claimer), claimer.has_unknown_lanes) == ([], True)
    assert claimer.look(lab.store)
    [claimed] = claim(lab, claimer)
    assert [instance_of(row.id) for row in claimed.rows] == [number]


def backlog(lab, tenant, size):
    """So many ready rows of a tenant, in one lane."""
    number = lab.start(job="work", tenant=tenant, hold=1)
    lab.lanes.ensure([key := LaneKey(tenant, "default", "work")])
    rows = [
        (
            task_id(number, 0),
            json.dumps(list(range(size))),
            int(TaskKind.TASK),
            int(TaskState.READY),
            lab.lanes.id(key),
            0,
            0,
            0,
            None,
        )
    ]
    lab.store.transact(lambda tx: tx.run("insert_tasks", rows=rows))


@pytest.mark.parametrize("task_s", [0.001, 10.0])
def test_a_hundred_thousand_ready_rows_of_a_tenant_delay_the_one_of_another_by_one_turn_at_most(lab, task_s):
    backlog(lab, "large", 100_000)
    claimer = claimer_of(lab)
    claimer.look(lab.store)
    [lane] = claimer._lanes.values()
    lane.learn(10 * task_s, 10)
    for _ in range(3):
        assert claim(lab, claimer)
    number = lab.start(job="work", tenant="small")
    claimer.forget_heads()  # as the executor does when something has become ready
    claimer.look(lab.store)
    turns = [claim(lab, claimer) for _ in range(2)]
    assert number in [instance_of(row.id) for turn in turns for part in turn for row in part.rows]


def test_many_lanes_of_a_tenant_have_no_more_turns_than_the_one_of_another(lab):
    jobs = [f"work{number}" for number in range(20)]
    lab.jobs.own = {name: Job(name=name, module="", file="work.py", hash="h") for name in jobs}
    for name in jobs * 3:
        lab.start(job=name, tenant="large")
    smalls = [lab.start(job="work0", tenant="small") for _ in range(3)]
    claimer = claimer_of(lab)
    claimer.look(lab.store)
    turns = [instance_of(row.id) for _ in range(6) for part in claim(lab, claimer) for row in part.rows]
    assert len(turns) == 6
    assert set(smalls) <= set(turns)
