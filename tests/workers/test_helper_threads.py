"""Threads that a job starts: they are heard as the attempt that started them, whatever runs beside it or after it."""

import json

import pytest

JOBS = """
    import concurrent.futures, ctypes, logging, os, subprocess, sys, threading, time

    pool = concurrent.futures.ThreadPoolExecutor(1)

    def say(word):
        print(word, context().task_id)
        logging.getLogger("desk").warning("%s logged", word)

    @job
    def starts(word: str, how: str):
        time.sleep(0.1)
        if how == "thread":
            thread = threading.Thread(target=say, args=(word,))
            thread.start()
            thread.join()
        elif how == "timer":
            timer = threading.Timer(0.01, say, args=(word,))
            timer.start()
            timer.join()
        elif how == "shared pool":
            pool.submit(say, word).result()
        elif how == "own pool":
            with concurrent.futures.ThreadPoolExecutor(2) as own:
                list(own.map(say, [word, word]))
        elif how == "nested":
            outer = threading.Thread(target=starts, args=(word, "thread"))
            outer.start()
            outer.join()
        time.sleep(0.1)
        return context().task_id

    @job
    def fails_in_a_thread(word: str):
        def fail():
            raise ValueError(word)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    @job
    def leaves_a_thread(gate: str):
        def wait():
            while not os.path.exists(gate):
                time.sleep(0.01)
            print("late", context().task_id)
        threading.Thread(target=wait, daemon=True).start()

    @job
    def opens_and_stays(gate: str):
        print("early")
        open(gate, "w").close()
        time.sleep(0.5)

    @job
    def is_raw(word: str):
        time.sleep(0.1)
        os.write(1, f"{word} raw\\n".encode())
        subprocess.run(["sh", "-c", f"echo {word} child"], check=True)
        print(word, "printed")
        time.sleep(0.2)
"""
WORDS = ("anna", "bela", "cleo")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("how", ["thread", "timer", "shared pool", "own pool", "nested"])
def test_a_helper_thread_writes_and_asks_as_the_attempt_that_started_it(hire, how, threads):
    story = hire(JOBS, threads=threads)
    ids = [story.send("starts", params=json.dumps({"word": word, "how": how}), estimate_s=100)[0] for word in WORDS]
    story.until_ended(ids)
    story.until(lambda: all(any("logged" in text for text in story.text_of(task_id)) for task_id in ids))
    for task_id, word in zip(ids, WORDS, strict=True):
        assert set(story.text_of(task_id)) == {f"{word} {task_id}", f"{word} logged"}


@pytest.mark.parametrize("threads", [1, 3])
def test_the_traceback_of_a_helper_thread_is_in_the_log_of_its_attempt(hire, threads):
    story = hire(JOBS, threads=threads)
    ids = [story.send("fails_in_a_thread", params=json.dumps({"word": word}), estimate_s=100)[0] for word in WORDS]
    story.until_ended(ids)
    for task_id, word in zip(ids, WORDS, strict=True):
        story.until(lambda task_id=task_id, word=word: f"ValueError: {word}" in story.text_of(task_id))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_thread_that_outlives_its_task_is_not_heard_as_the_next_one(hire, tmp_path, threads):
    story = hire(JOBS, threads=threads)
    params = json.dumps({"gate": str(tmp_path / "gate")})
    left = story.end("leaves_a_thread", params=params).task_id
    following = story.end("opens_and_stays", params=params).task_id
    story.until_seen("late")
    assert story.text_of(left) == [f"late {left}"]
    assert story.text_of(following) == ["early"]


def test_what_cannot_be_told_in_a_pool_with_threads_is_nobodys(hire):
    story = hire(JOBS, threads=3)
    ids = [story.send("is_raw", params=json.dumps({"word": word}), estimate_s=100)[0] for word in WORDS]
    story.until_ended(ids)
    story.until(lambda: all(any(f"{word} child" == text for text in story.text_of(0)) for word in WORDS))
    for task_id, word in zip(ids, WORDS, strict=True):
        assert story.text_of(task_id) == [f"{word} printed"]


def test_alone_in_its_process_a_task_is_told_by_all_that_it_writes(hire):
    story = hire(JOBS)
    ids = [story.send("is_raw", params=json.dumps({"word": word}), estimate_s=100)[0] for word in WORDS]
    story.until_ended(ids)
    for task_id, word in zip(ids, WORDS, strict=True):
        story.until(lambda task_id=task_id: len(story.text_of(task_id)) == 3)
        assert all(text.startswith(word) for text in story.text_of(task_id))
