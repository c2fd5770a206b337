"""Results of short tasks, which are sent together, beside what other threads of the worker send, and large ones."""

import json
import time

from qflowd.workers.handle import Handle
from qflowd.workers.receive import sort_messages
from qflowd.workers.wire import Assignment, Done
from tests.workers.conftest import wait_until

JOBS = """
    import threading, time
    from qflowd import context

    @job
    def leaves_a_thread(s: float = 1.0):
        attempt, until = context(), time.monotonic() + s

        def report():
            while time.monotonic() < until:
                attempt.progress(0.5)

        threading.Thread(target=report, daemon=True).start()

    @job
    def noop():
        return {"ok": 1}

    @job
    def returns(size: int, path: str):
        with open(path, "a") as file:
            file.write("x")
        return "x" * size
"""


def test_a_thread_that_reports_progress_after_its_task_takes_no_result_with_it(hire):
    story = hire(JOBS)
    sent = story.send("leaves_a_thread")
    for _ in range(30):
        sent += story.send("noop", 100)
    story.until_ended(sent)


def test_what_has_ended_behind_a_large_result_is_not_taken_for_unstarted(hire, tmp_path):
    story = hire(JOBS)
    story.end("noop")
    notes = tmp_path / "notes"
    notes.touch()
    sent = [
        *story.send("returns", params=json.dumps({"size": 800_000, "path": str(notes)})),
        *story.send("returns", 3, params=json.dumps({"size": 1, "path": str(notes)})),
    ]
    [worker] = story.crew._workers.values()
    wait_until(lambda: notes.stat().st_size == 4 and not worker.page.marks())
    story.backends.give_back(sent)
    revoked_at = time.monotonic()
    wait_until(lambda: time.monotonic() > revoked_at + 0.05)  # the worker would have begun by now what it had not
    story.until_ended(sent)
    assert {type(story.ends()[number]) for number in sent} == {Done}


def test_a_result_of_an_earlier_claim_ends_no_later_one():
    worker = Handle(1, "default", 1, None, None)  # type: ignore[arg-type]
    worker.open = {number: Assignment(number, fence, 1, f"t{number}", "{}") for number, fence in ((1, 3), (2, 5))}
    results: list = []
    ends = [Done(1, 3, "null", 10, 20), Done(2, 4, "null", 20, 30)]
    sort_messages(worker, ends, results, [])
    assert (results, worker.open.keys()) == (ends[:1], {2})
