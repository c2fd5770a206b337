"""What a job learns of its attempt, and says about it."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from qflowd import Cancelled, Defer, context
from qflowd.jobs.context import LARGEST_SAVE, Context, Facts, NoContext, running


class Sent:
    """A channel that remembers."""

    is_cut_off = False

    def __init__(self):
        self.progress = []
        self.saves = []

    def send_progress(self, facts, done, total, text):
        self.progress.append((facts.task_id, done, total, text))

    def send_save(self, facts, value):
        self.saves.append((facts.task_id, value))


def facts(**changes):
    known = {"task_id": 7, "instance_id": 3, "fence": 2, "attempt": 1, "workflow": "daily", "task": "bars", "job": "f"}
    return Facts(**{**known, **changes})


def test_outside_a_job_there_is_no_context():
    with pytest.raises(NoContext, match="only while qflowd runs the job"):
        context()


def test_a_job_reads_its_facts():
    day = date(2026, 1, 5)
    attempt = Context(facts(business_date=day, params={"a": 1}, upstream=b'{"up":{"n":1}}'), Sent())
    with running(attempt):
        here = context()
        assert here is attempt
        assert (here.task_id, here.instance_id, here.fence, here.attempt) == (7, 3, 2, 1)
        assert (here.workflow, here.task, here.job, here.tenant) == ("daily", "bars", "f", "default")
        assert (here.business_date, here.params, here.upstream) == (day, {"a": 1}, {"up": {"n": 1}})
        assert here.logger.name == "f"
    with pytest.raises(NoContext):
        context()


def test_the_idempotency_key_is_the_same_for_every_attempt_and_differs_between_tasks():
    first, second = Context(facts(attempt=1, fence=1), Sent()), Context(facts(attempt=2, fence=5), Sent())
    assert first.idempotency_key == second.idempotency_key
    assert first.idempotency_key != Context(facts(task_id=8), Sent()).idempotency_key


def test_the_idempotency_key_differs_between_databases_and_between_rounds():
    changes = ({}, {"database": "x1"}, {"database": "x2"}, {"database": "x2", "round": 1})
    assert len({Context(facts(**change), Sent()).idempotency_key for change in changes}) == 4


def test_what_is_saved_is_sent_and_seen_at_once():
    sent = Sent()
    attempt = Context(facts(saved=b'{"page": 3}'), sent)
    assert attempt.saved == {"page": 3}
    attempt.save({"page": 4})
    assert attempt.saved == {"page": 4}
    assert sent.saves == [(7, b'{"page":4}')]
    assert Context(facts(), sent).saved is None


def test_only_json_of_moderate_size_is_saved():
    attempt = Context(facts(), Sent())
    with pytest.raises(TypeError, match="JSON"):
        attempt.save(object())
    with pytest.raises(ValueError, match="at most"):
        attempt.save("x" * LARGEST_SAVE)
    assert attempt.saved is None


def test_progress_goes_to_the_daemon():
    sent = Sent()
    Context(facts(), sent).progress(3, 10, "symbols")
    Context(facts(), sent).progress(0.5)
    assert sent.progress == [(7, 3.0, 10.0, "symbols"), (7, 0.5, None, "")]


def test_a_cancelled_job_can_ask_and_leaves_through_except_exception():
    attempt = Context(facts(), Sent())
    attempt.raise_if_cancelled()
    attempt.mark_cancelled()
    assert attempt.cancelled
    with pytest.raises(Cancelled):
        attempt.raise_if_cancelled()
    assert not issubclass(Cancelled, Exception)


def test_facts_travel_as_they_are():
    sent = facts(business_date=date(2026, 1, 5), upstream=b'{"a":[1]}')
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=Facts) == sent


@pytest.mark.parametrize(
    "arguments", [{}, {"delay_s": 1, "until": datetime.now(UTC)}, {"delay_s": -1}, {"delay_s": float("nan")}]
)
def test_defer_takes_one_sensible_time(arguments):
    with pytest.raises(ValueError, match="Defer"):
        Defer(**arguments)


def test_defer_refuses_an_instant_without_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        Defer(until=datetime(2026, 1, 5))  # noqa: DTZ001 - that is what is tested
