"""Results of short tasks, which are sent together, beside what other threads of the worker send."""

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
"""


def test_a_thread_that_reports_progress_after_its_task_takes_no_result_with_it(hire):
    story = hire(JOBS)
    sent = story.send("leaves_a_thread")
    for _ in range(30):
        sent += story.send("noop", 100)
    story.until_ended(sent)
