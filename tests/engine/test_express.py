"""What is submitted while a slot is free is admitted and claimed in one transaction; all else is left to the service."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qflowd.engine.admission.express import FEW_TASKS, Express
from qflowd.engine.admission.intake import Intake
from qflowd.engine.claiming.claim import Claimer
from qflowd.model.errors import StoreUnavailable
from qflowd.store.dialects.base import Retryable
from tests.support.invariants import check
from tests.support.lab import Lab

STATES = "SELECT state FROM qflow.tasks ORDER BY id"
LAST_ROOT = "FROM qflow.task_instance WHERE node = 0 ORDER BY id DESC LIMIT 1"
ANSWERS = "SELECT state FROM qflow.submissions ORDER BY id"


class Desk:
    """An express way on a lab, and what it published. `failures`: raised one after the other before its COMMIT."""

    def __init__(self, url, *failures):
        self.failures = list(failures)
        self.lab = Lab(url, fault=self.fault)
        self.topics = self.lab.topics
        self.published, self.wakes = [], []
        for topic in ("backlog", "timer"):
            self.topics.subscribe(topic, lambda topic=topic: self.published.append(topic))
        self.idle, self.is_claimed_new = 1, False
        self.claimer = Claimer(self.lab.lanes, ["default"])
        self.claimer.set_jobs(self.lab.jobs.own)
        intake = Intake(self.lab.plans, self.lab.lanes, self.lab.jobs)
        self.express = Express(
            self.lab.store, intake, self.lab.instances, self.topics, lambda: self.wakes.append("woken")
        )

    def fault(self, transaction, point):
        if (transaction, point) == ("admit_and_claim", "before_commit") and self.failures:
            failure = self.failures.pop(0)
            if failure is not None:
                raise failure

    def take(self):
        return self.express.take(self.claim_new, self.claim)

    def claim_new(self, tx, admissions):
        return self.claimer.claim_new(tx, admissions, {"default": self.idle}, self.lab.owner)

    def claim(self, tx, claims):
        self.is_claimed_new = bool(claims)
        return [row for claim in claims for row in claim.rows] or self.lab.claim_in(tx)

    def column(self, sql):
        return [row[0] for row in self.lab.sql(sql)]


@pytest.fixture
def make(database_url):
    made = []

    def desk(*failures):
        made.append(Desk(database_url, *failures))
        return made[-1]

    yield desk
    made[0].lab.close()


@pytest.fixture
def desk(make):
    found = make()
    found.lab.start(job="work")
    found.claimer.look(found.lab.store)  # the lane is known from now on
    found.lab.claim()
    return found


def test_a_submission_is_accepted_and_its_roots_are_ours_with_one_commit(desk):
    lab = desk.lab
    lab.workflow("pair", {"a": [], "b": ["a"]})
    number = lab.submit("pair")
    rows = desk.take()
    assert [(row.id >> 20, lab.key(row.id)) for row in rows] == [(number, "a")]
    assert desk.column(ANSWERS)[-1] == "ACCEPTED"
    assert desk.column(STATES)[-2:] == ["RUNNING", "PENDING"]
    assert desk.published == []


def test_what_is_claimed_as_it_is_inserted_ends_like_any_other(desk):
    desk.lab.workflow("pair", {"a": [], "b": ["a"]})
    desk.lab.submit("pair")
    [row] = desk.take()
    assert desk.is_claimed_new
    assert desk.lab.sql("SELECT fence, owner, ready_at IS NULL, started_at IS NULL " + LAST_ROOT) == [(1, 7, 0, 0)]
    desk.lab.finish(desk.lab.final(row))
    desk.lab.run()
    check(desk.lab.store)
    assert desk.column("SELECT state FROM qflow.instances ORDER BY id")[-1] == "SUCCESS"


@pytest.mark.parametrize(
    "obstacle", ["a row is READY", "a lane is paused", "too few slots", "an unknown lane", "run_at"]
)
def test_rows_are_claimed_as_they_are_inserted_only_where_nothing_precedes_them(desk, obstacle):
    lab = desk.lab
    lab.workflow("two", {"a": [], "b": []})
    later = lab.clock.now() + timedelta(hours=1) if obstacle == "run_at" else None
    if obstacle == "a row is READY":
        lab.start(job="work", priority=-5)
    elif obstacle == "a lane is paused":
        lab.sql("UPDATE qflow.lane SET is_paused = 1")
    elif obstacle == "an unknown lane":
        desk.claimer = Claimer(lab.lanes, ["default"])
    desk.idle = 1 if obstacle == "too few slots" else 2
    lab.submit("two", run_at=later)
    desk.take()
    assert not desk.is_claimed_new
    assert desk.column(ANSWERS)[-1] == "ACCEPTED"
    assert desk.column(STATES)[-2:] == [{"run_at": "PENDING"}.get(obstacle, "RUNNING")] * 2  # by the usual claim


def test_a_submission_whose_rows_are_there_already_runs_nothing_twice(desk):
    desk.lab.sql("UPDATE qflow.submissions SET is_open = 1")
    assert list(desk.take()) == []
    assert (desk.column(ANSWERS), desk.published) == (["ACCEPTED"], ["backlog"])
    desk.lab.admit.tick()
    assert desk.column(STATES) == ["RUNNING"]


def test_whoever_asks_is_served_here_only_while_a_slot_is_free(desk):
    desk.topics.publish("submission")
    assert (desk.published, desk.wakes, desk.express.is_asked) == (["backlog"], [], False)
    desk.express.is_open = True
    desk.topics.publish("submission")
    assert (desk.published, desk.wakes, desk.express.is_asked) == (["backlog"], ["woken"], True)
    desk.express.decline()
    assert (desk.published, desk.express.is_asked) == (["backlog", "backlog"], False)


def test_a_large_instance_is_left_to_the_service(desk):
    desk.lab.workflow("wide", {f"t{i}": [] for i in range(FEW_TASKS + 1)})
    desk.lab.submit("wide")
    assert list(desk.take()) == []
    assert (desk.column(ANSWERS)[-1], desk.published) == ("NEW", ["backlog"])


def test_of_many_submissions_the_first_are_taken_and_the_rest_is_left_to_the_service(desk):
    for _ in range(FEW_TASKS + 20):
        desk.lab.submit(job="work")
    desk.take()
    assert desk.column(ANSWERS).count("ACCEPTED") == 1 + FEW_TASKS
    assert desk.published == ["backlog"]


def test_a_lane_that_is_not_there_yet_is_left_to_the_service(make):
    desk = make()
    desk.lab.submit(job="work")
    assert list(desk.take()) == []
    assert (desk.column(ANSWERS), desk.published) == (["NEW"], ["backlog"])


def test_a_row_that_is_refused_is_answered_at_once(desk):
    desk.lab.submit(job="nobody knows it")
    assert list(desk.take()) == []
    assert (desk.column(ANSWERS)[-1], desk.published) == ("REJECTED", [])


def test_after_a_conflict_the_whole_is_done_once_more(make):
    desk = make(Retryable("once"))
    desk.lab.start(job="work")
    desk.lab.claim()
    number = desk.lab.submit(job="work")
    assert [row.id >> 20 for row in desk.take()] == [number]
    assert desk.column("SELECT COUNT(*) FROM qflow.task_instance") == [2]


@pytest.mark.parametrize("failure", [StoreUnavailable("gone"), ValueError("odd")])
def test_what_was_rolled_back_is_taken_with_the_version_that_is_active_then(make, failure):
    desk = make(failure)
    lab = desk.lab
    lab.start(job="work")
    lab.claim()
    lab.workflow("bars", {"old": []})
    number = lab.submit("bars")
    try:
        assert list(desk.take()) == []
    except StoreUnavailable:
        lab.store.disconnect()
    assert desk.published == ["backlog"]
    lab.sql("DELETE FROM qflow.workflow_definition")
    lab.workflow("bars", {"new": []})
    while not lab.admit.tick():
        pass
    [row] = lab.claim()
    assert (row.id >> 20, lab.key(row.id)) == (number, "new")
