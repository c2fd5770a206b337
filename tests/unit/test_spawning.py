"""`context().spawn()`: what it takes, and what it refuses at once."""

from __future__ import annotations

import math

import pytest

from qflowd import context, job
from qflowd.jobs.context import Context, Facts, running
from qflowd.jobs.spawning import LARGEST_SPAWN, Spawns, read_calls
from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Settings


class Nowhere:
    """A channel that nothing goes through."""

    is_cut_off = False


def attempt(channel: object = None) -> Context:
    facts = Facts(task_id=7, instance_id=3, fence=2, attempt=1, workflow="daily", task="scan", job="scan")
    return Context(facts, channel or Nowhere())  # type: ignore[arg-type]


@job
def load_file(file: str) -> None: ...


def test_what_was_asked_for_travels_as_one_text():
    with running(attempt()) as here:
        first = context().spawn(load_file, {"file": "a"}, retries=2, timeout="5m")
        second = context().spawn("load_file", {"file": "b"}, name="b")
        context().spawn("merge", after=[second, first])
        assert (first.name, second.name, repr(second)) == ("load_file.0", "b", "<spawned task b>")
        calls = read_calls(here.spawns.text())
    assert [(call.job, call.name, call.params, call.after) for call in calls] == [
        ("load_file", "load_file.0", {"file": "a"}, []),
        ("load_file", "b", {"file": "b"}, []),
        ("merge", "merge.2", {}, [0, 1]),
    ]
    assert calls[0].settings == Settings(retries=2, timeout=300.0)


def test_an_attempt_that_spawns_nothing_carries_nothing():
    assert attempt().spawns is None


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (TypeError, lambda here: here.spawn(7), "takes a job or its name, not 7"),
        (TypeError, lambda here: here.spawn(lambda: None), "put @job above the function"),
        (TypeError, lambda here: here.spawn("load", [1]), "takes params as a dict, not list"),
        (ValueError, lambda here: here.spawn("load", {"close": math.nan}), r"params\['close'\] is nan"),
        (TypeError, lambda here: here.spawn("load", {"file": "\ud800"}), "takes JSON values as params"),
        (TypeError, lambda here: here.spawn("load", after="a"), "takes what spawn.. returned in the same attempt"),
        (TypeError, lambda here: here.spawn("load", after=[attempt().spawn("load")]), "in the same attempt"),
        (ValueError, lambda here: here.spawn("load", name="a[1]"), "printable characters other than brackets"),
        (ValueError, lambda here: here.spawn("load", name=""), "1 to 100 printable characters"),
        (TypeError, lambda here: here.spawn("load", tries=1), "has no setting 'tries'; there are pool, timeout"),
        (ValueError, lambda here: here.spawn("load", retries=-1), r"spawn\(retries=-1\): must be"),
    ],
)
def test_a_call_that_cannot_be_granted_is_refused_at_once(error, call, words):
    with pytest.raises(error, match=words):
        call(attempt())


def test_two_tasks_of_one_attempt_cannot_have_one_name():
    here = attempt()
    here.spawn("load", name="AAPL")
    with pytest.raises(ValueError, match="two tasks named 'AAPL'; give each its own name"):
        here.spawn("load", name="AAPL")


def test_params_that_are_too_large_together_are_refused():
    spawns = Spawns()
    spawns.add("load", {"text": "x" * (LARGEST_SPAWN - 1000)}, (), None, {})
    with pytest.raises(ValueError, match=r"at most 4,194,304 bytes of JSON \(LARGEST_SPAWN\) from one attempt"):
        spawns.add("load", {"text": "x" * 1000}, (), None, {})


def test_a_process_that_the_job_has_forked_cannot_spawn():
    channel = Nowhere()
    channel.is_cut_off = True
    with pytest.raises(QflowdError, match="cannot be called in a forked process; call it in the process of the job"):
        attempt(channel).spawn("load")


def test_an_attempt_whose_calls_were_all_refused_carries_nothing():
    here = attempt()
    with pytest.raises(TypeError, match="takes a job or its name"):
        here.spawn(7)
    assert here.spawns is not None
    assert here.spawns.text() is None
