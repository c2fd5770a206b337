"""What to claim: lanes that may be this daemon's are learnt outside the transaction, others are left alone."""

from qflowd.engine.caches import LaneIds
from qflowd.engine.claim import Claimer
from qflowd.model.ids import instance_of
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
