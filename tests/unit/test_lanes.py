"""What a daemon learns of a lane: how long its tasks take, and so how many travel together."""

import pytest

from qflowd.engine.caches import LaneKey
from qflowd.engine.claiming.lanes import CHUNK_S, LARGEST_CHUNK, SAMPLES, SHORT_S, Lane, Pace
from qflowd.model.workflow import Job


@pytest.fixture
def lane():
    return Lane(1, LaneKey("default", "default", "step"), Job("step", "jobs", "jobs.py", "hash"), 1)


def test_a_lane_is_not_known_before_its_third_task(lane):
    lane.learn(0.002, 2)
    assert (lane.is_short, lane.chunk_size) == (False, 1)
    lane.learn(0.001, 1)
    assert lane.is_short


def test_first_tasks_that_were_slow_are_soon_outweighed(lane):
    lane.learn(2 * SHORT_S, 2)  # they warmed something up
    batches = 0
    while lane.chunk_size < LARGEST_CHUNK:
        tasks = 2 * lane.chunk_size
        lane.learn(1e-5 * tasks, tasks)
        batches += 1
    assert batches < 8


def test_a_lane_that_turns_slow_is_slow_at_once(lane):
    lane.learn(0.01, 1000)
    lane.learn(2 * SHORT_S, 1)
    assert (lane.is_short, lane.chunk_size) == (False, 1)


def test_one_slow_task_does_not_keep_a_lane_slow_for_long(lane):
    lane.learn(0.01, 1000)
    lane.learn(2 * SHORT_S, 1)
    singles = 0
    while not lane.is_short:
        lane.learn(1e-5, 1)
        singles += 1
    assert singles < 20


def test_a_chunk_is_not_more_work_than_a_worker_should_take_along(lane):
    lane.learn(0.001 * 100, 100)
    assert lane.chunk_size == int(CHUNK_S / 0.001)


def test_a_new_lane_takes_after_its_siblings_until_it_is_known_by_itself(lane):
    lane.of_siblings = Pace()
    lane.of_siblings.learn(0.001 * 100, 100)
    assert (lane.is_short, lane.chunk_size) == (True, int(CHUNK_S / 0.001))
    lane.learn(2 * SHORT_S * SAMPLES, SAMPLES)
    assert not lane.is_short
    assert lane.of_siblings.mean_s == pytest.approx(2 * SHORT_S), "they hear of it"
