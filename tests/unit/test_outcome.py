"""What becomes of a row after an attempt: success, retry, crash, poison."""

from datetime import UTC, datetime, timedelta

import pytest

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.finishing.outcome import Ending, outcome_of
from qflowd.model.durations import MB
from qflowd.model.instants import FOREVER
from qflowd.model.states import Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.clock import to_microseconds

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def outcome(reason=Reason.NONE, *, ran_s=0.01, retries=0, retry=None, attempt=1, crashes=0, **more):
    settings = Settings(retries=retries, retry_delay=10.0, jitter=0.0, retry=retry)
    started_at = NOW - timedelta(seconds=ran_s)
    row = Claimed(42, 3, 5, 0, attempt - 1, crashes, 0, round=1)
    ending = Ending(row, 11, settings, reason, NOW, **({"started_at": started_at} | more))
    found = outcome_of(ending, lambda: 0.5)
    kinds = [kind for kind in (found.final, found.rearmed, found.released) if kind is not None]
    assert len(kinds) == 1, "a row goes one way"
    assert (kinds[0].id, kinds[0].fence) == (42, 5)
    return found


def test_a_success_is_final_and_a_short_one_leaves_no_attempt():
    found = outcome(output='{"rows":3}')
    assert found.final == (42, 5, TaskState.SUCCESS, 0, 1, 11, to_microseconds(NOW) - 10_000, '{"rows":3}', 3, 0, 1)
    assert found.attempt is None


def test_a_long_success_leaves_an_attempt():
    found = outcome(ran_s=1.5, cpu_s=1.2, peak_memory=20 * MB)
    assert (found.attempt.state, found.attempt.cpu_s, found.attempt.peak_memory_mb) == (TaskState.SUCCESS, 1.2, 20.0)


def test_a_job_that_says_skip_is_skipped_with_its_reason():
    found = outcome(Reason.SKIPPED, retries=5, error="no data")
    assert (found.final.state, found.final.reason) == (TaskState.SKIPPED, Reason.SKIPPED)
    assert found.attempt.error == "no data"


def test_a_task_that_was_stopped_is_cancelled_and_never_retried():
    found = outcome(Reason.TERMINATED, retries=5)
    assert (found.final.state, found.final.reason) == (TaskState.CANCELLED, Reason.TERMINATED)


@pytest.mark.parametrize("reason", [Reason.ERROR, Reason.TIMEOUT, Reason.MEMORY])
def test_a_failure_is_tried_again_as_often_as_was_said(reason):
    first = outcome(reason, retries=2)
    assert (first.rearmed.attempt, first.rearmed.due_at) == (1, NOW + timedelta(seconds=10))
    assert first.attempt.reason == reason
    assert outcome(reason, retries=2, attempt=2).rearmed is not None
    last = outcome(reason, retries=2, attempt=3)
    assert (last.final.state, last.final.reason, last.final.attempt) == (TaskState.FAILED, reason, 3)


def test_without_retries_the_first_failure_is_final():
    assert outcome(Reason.ERROR).final.state == TaskState.FAILED


def test_a_crash_costs_no_attempt_and_the_row_returns_alone():
    found = outcome(Reason.LOST, retries=0, exit_signal=11)
    assert found.released == (42, 5, 1, 1)
    assert (found.attempt.state, found.attempt.exit_signal) == (TaskState.FAILED, 11)


def test_the_third_crash_is_poison_whatever_retries_are_left():
    assert outcome(Reason.LOST, crashes=1).released is not None
    found = outcome(Reason.LOST, crashes=2, retries=9)
    assert (found.final.state, found.final.reason) == (TaskState.FAILED, Reason.POISON)
    assert found.attempt.reason == Reason.POISON


def test_a_deferral_costs_no_attempt():
    later = NOW + timedelta(hours=1)
    found = outcome(attempt=2, again_at=later, error="too early")
    assert found.rearmed == (42, 5, 1, 0, later, "too early", True)
    assert found.attempt is None


def test_a_row_that_never_started_says_so():
    found = outcome(Reason.ERROR, started_at=None, error="params: no symbol")
    assert (found.final.started_us, found.attempt.started_at) == (None, None)


def test_what_no_retry_repairs_is_final_at_once():
    found = outcome(Reason.ERROR, retries=9, is_hopeless=True)
    assert (found.final.state, found.final.reason, found.final.attempt) == (TaskState.FAILED, Reason.ERROR, 1)


def test_a_failure_that_says_when_is_tried_again_then_if_a_retry_is_left():
    later = NOW + timedelta(hours=1)
    found = outcome(Reason.ERROR, retries=1, again_at=later)
    assert (found.rearmed.attempt, found.rearmed.due_at) == (1, later)
    assert found.attempt.state == TaskState.FAILED
    assert outcome(Reason.ERROR, retries=1, attempt=2, again_at=later).final.state == TaskState.FAILED


@pytest.mark.parametrize(
    ("reason", "crashes", "hopeless", "ended_as"),
    [
        (Reason.ERROR, 0, False, Reason.ERROR),
        (Reason.ERROR, 0, True, Reason.ERROR),
        (Reason.TIMEOUT, 0, False, Reason.TIMEOUT),
        (Reason.LOST, 2, False, Reason.POISON),
    ],
)
def test_with_manual_retry_a_failure_that_would_be_final_waits_for_a_person(reason, crashes, hopeless, ended_as):
    found = outcome(reason, retry="manual", crashes=crashes, is_hopeless=hopeless, error="no answer")
    assert found.rearmed == (42, 5, 1, ended_as, FOREVER, None, False)
    assert (found.attempt.state, found.attempt.reason, found.attempt.error) == (TaskState.FAILED, ended_as, "no answer")


def test_with_manual_retry_the_automatic_retries_come_first_and_a_crash_is_no_failure():
    assert outcome(Reason.ERROR, retry="manual", retries=1).rearmed.due_at == NOW + timedelta(seconds=10)
    assert outcome(Reason.ERROR, retry="manual", retries=1, attempt=2).rearmed.due_at == FOREVER
    assert outcome(Reason.LOST, retry="manual").released is not None
    assert outcome(Reason.TERMINATED, retry="manual").final.state == TaskState.CANCELLED
