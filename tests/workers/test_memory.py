"""The memory limit: what the task itself takes, counted from its start; who takes less is never killed for it."""

import json

import pytest

from qflowd.workers.wire import Done, Ended

MB = 1 << 20
JOBS = """
    import mmap, os, time

    kept = []

    @job
    def leaves(mb: int):
        kept.append(bytearray(os.urandom(1 << 20)) * mb)

    @job
    def takes(mb: int, s: float = 0.6):
        held = [bytearray(os.urandom(1) * (1 << 20)) for _ in range(mb)]  # never more at once than what is kept
        time.sleep(s)

    @job
    def reads_a_file(path: str, mb: int):
        with open(path, "wb") as file:
            for _ in range(mb):
                file.write(b"x" * (1 << 20))
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            total = sum(pages[at] for at in range(0, len(pages), 4096))
            time.sleep(0.6)

    @job
    def shares_with_children(mb: int):
        held = bytearray(os.urandom(1 << 20)) * mb  # made in one piece: a copy would be counted beside it
        children = []
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                time.sleep(0.6)
                os._exit(0)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)

    @job
    def takes_in_a_child(mb: int):
        pid = os.fork()
        if pid == 0:
            takes(mb, 20)
            os._exit(0)
        os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_what_earlier_tasks_left_in_the_worker_is_not_counted(hire, threads):
    story = hire(JOBS, threads=threads)
    story.end("leaves", params='{"mb": 200}')
    assert isinstance(story.end("takes", params='{"mb": 20}', memory=100 * MB, long=True), Done | Ended)


def test_pages_of_files_are_not_counted(hire, tmp_path):
    story = hire(JOBS)
    params = json.dumps({"path": str(tmp_path / "bars"), "mb": 150})
    assert isinstance(story.end("reads_a_file", params=params, memory=80 * MB, long=True), Done | Ended)


def test_what_a_task_shares_with_its_children_is_counted_once(hire):
    story = hire(JOBS)
    assert isinstance(story.end("shares_with_children", params='{"mb": 80}', memory=150 * MB, long=True), Done | Ended)


def test_what_an_import_takes_is_not_counted(hire):
    story = hire("held = b'x' * (150 << 20)\n" + "import time\n@job\ndef idles():\n    time.sleep(0.6)\n")
    assert isinstance(story.end("idles", memory=80 * MB, long=True), Done | Ended)


@pytest.mark.parametrize(("job", "count"), [("takes", "in 1 process"), ("takes_in_a_child", "in 2 processes")])
def test_who_takes_too_much_is_killed_and_hears_what_was_counted(hire, job, count):
    story = hire(JOBS)
    story.end("leaves", params='{"mb": 50}')
    params = {"mb": 160} if job == "takes_in_a_child" else {"mb": 160, "s": 20}
    broken = story.end(job, params=json.dumps(params), memory=100 * MB, long=True)
    assert broken.reason == "memory"
    assert broken.memory.endswith(count)
    assert 100 < int(broken.memory.split()[0]) < 240
