"""Outputs of parents: sent once a chunk where they are small, fetched when asked for where they are large."""

import json

import pytest

from qflowd.workers.events import Asked, Running
from qflowd.workers.wire import Assignment, Chunk, Done

from .conftest import Story

JOBS = """
    import concurrent.futures, os

    @job
    def sizes():
        return {key: len(output) for key, output in context().upstream.items()}

    @job
    def ignores():
        return "not asked"

    @job
    def in_helpers():
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            return sum(pool.map(lambda c: len(c.upstream["a"]), [context()] * 3))

    @job
    def forks():
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                context().upstream
            except Exception as error:
                os.write(writing, str(error).encode())
            finally:
                os._exit(0)
        os.wait()
        return os.read(reading, 1000).decode()

    @job
    def shows(text: str):
        return len(text)
"""
LARGE = {"a": json.dumps("a" * 3_000_000), "b": json.dumps(["b"] * 1_000_000)}


def send(story: Story, job: str, tasks: int = 1, **chunk) -> list[int]:
    """A chunk whose tasks all have upstream 0."""
    ids = story.send("ignores")  # its number is free, its worker lives
    story.until_ended(ids)
    ids = [(ids[0] + 1000) + i for i in range(tasks)]
    story.until(lambda: story.backends.room("default"))
    story.backends.send(
        "default", Chunk(job, "desk", [Assignment(i, 3, 1, "t", "{}", 0) for i in ids], estimate_s=100, **chunk)
    )
    return ids


def asked(story: Story) -> list[str]:
    return [event.key for event in story.all_of(Asked)]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_small_upstream_is_sent_once_for_all_tasks_of_a_chunk(hire, threads):
    story = hire(JOBS, threads=threads)
    ids = send(story, "sizes", 20, upstreams={0: '{"a":"12345","b":[]}'})
    story.until_ended(ids)
    assert {story.ends()[number].output for number in ids} == {'{"a":5,"b":0}'}
    assert asked(story) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_large_outputs_are_fetched_whole_and_once_for_all_tasks_of_a_worker(hire, threads):
    story = hire(JOBS, threads=threads)
    story.outputs = LARGE
    for _ in range(2):
        ids = send(story, "sizes", 5, upstreams={0: {"a": 11, "b": 12}})
        story.until_ended(ids)
        assert {story.ends()[number].output for number in ids} == {'{"a":3000000,"b":1000000}'}
    assert sorted(asked(story)) == ["a", "b"]
    story.outputs = {"a": '"changed"'}
    ids = send(story, "sizes", upstreams={0: {"a": 13}})
    story.until_ended(ids)
    assert story.ends()[ids[0]].output == '{"a":7}', "another number is another output"


def test_what_no_job_asks_for_is_not_fetched(hire):
    story = hire(JOBS)
    ids = send(story, "ignores", 3, upstreams={0: {"a": 11}})
    story.until_ended(ids)
    assert asked(story) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_helper_threads_of_a_job_may_ask_at_once(hire, threads):
    story = hire(JOBS, threads=threads)
    story.outputs = LARGE
    ids = send(story, "in_helpers", upstreams={0: {"a": 11}})
    story.until_ended(ids)
    assert json.loads(story.ends()[ids[0]].output) == 9_000_000


def test_a_forked_process_that_asks_is_told_why_it_cannot(hire):
    story = hire(JOBS)
    ids = send(story, "forks", upstreams={0: {"a": 11}})
    story.until_ended(ids)
    assert "read context().upstream before" in story.ends()[ids[0]].output


def test_an_output_that_cannot_be_had_fails_the_task_with_the_reason(hire):
    story = hire(JOBS)
    ids = send(story, "sizes", upstreams={0: {"a": 11}})
    story.until(lambda: asked(story))
    story.backends.answer(story.all_of(Asked)[0], None, "the output of task a cannot be read: it is gone")
    story.until_ended(ids)
    assert story.ends()[ids[0]].error == "the output of task a cannot be read: it is gone"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_task_that_waits_for_an_output_can_be_stopped_and_a_late_answer_harms_nobody(hire, threads):
    story = hire(JOBS, threads=threads, grace_s=15)
    ids = send(story, "sizes", upstreams={0: {"a": 11}})
    story.until(lambda: asked(story) and story.all_of(Running))
    story.backends.stop(ids)
    story.until_ended(ids)
    assert (story.ends()[ids[0]].reason, story.ends()[ids[0]].exit_signal) == ("terminated", None)
    story.backends.answer(story.all_of(Asked)[0], LARGE["a"])
    assert isinstance(story.end("ignores"), Done)


def test_parameters_that_tasks_have_in_common_are_sent_once(hire):
    story = hire(JOBS)
    ids = [1 << 40 | i for i in range(3)]
    tasks = [Assignment(number, 3, 1, "t", 0) for number in ids]
    story.until(lambda: story.backends.room("default"))
    story.backends.send("default", Chunk("shows", "desk", tasks, shared_params={0: json.dumps({"text": "x" * 5000})}))
    story.until_ended(ids)
    assert {story.ends()[number].output for number in ids} == {"5000"}
