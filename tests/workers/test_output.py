"""What tasks print and log: kept whole up to the cap, with its sender, readable while they run."""

import json
import os

import pytest

from qflowd.workers.events import Running
from qflowd.workers.wire import Done

JOBS = """
    import logging, os, subprocess, sys, threading, time

    @job
    def noop():
        return {"ok": 1}

    @job
    def prints():
        print("one", "two")
        print("half", end="")
        sys.stdout.reconfigure(line_buffering=True)
        print("complaint", file=sys.stderr, flush=True)

    @job
    def logs():
        logging.getLogger("desk.bars").warning("gap in %s", "AAPL", extra={"symbol": "AAPL", "rows": 3})
        context().logger.info("seen")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("it broke")

    @job
    def child(word: str = "child"):
        subprocess.run(["sh", "-c", f"echo {word}; echo {word} wept >&2"], check=True)

    @job
    def a_lot(lines: int):
        for number in range(lines):
            print("x" * 1000)
        return lines

    @job
    def raw_lot():
        subprocess.run(["sh", "-c", "head -c 100000000 /dev/zero | tr '\\\\0' x | fold -w 100"], check=True)

    @job
    def closes():
        os.close(1)
        os.close(2)
        print("still here")

    @job
    def steals():
        os.close(1)
        open("stolen", "w").fileno()

    @job
    def slow():
        print("begun")
        subprocess.run(["echo", "child begun"], check=True)
        time.sleep(1.5)

    @job
    def odd():
        print("nul \\x00 and \\ud800")
        os.write(1, b"\\xff\\xfe bytes\\n")
        logging.info("x", extra={"what": object(), "nan": {1, 2}})

    @job
    def fails_after(lines: int, dies: bool = False):
        print("first")
        for number in range(lines):
            logging.info("x" * 1000)
        logging.error("the last word")
        if dies:
            os._exit(3)
        raise ValueError("end of story")

    @job
    def raw_fails():
        script = "echo first; head -c 10000000 /dev/zero | tr '\\\\0' x | fold -w 100; echo; echo the last word"
        subprocess.run(["sh", "-c", script], check=True)
"""


def test_prints_are_lines_of_their_task_and_stream(hire):
    story = hire(JOBS)
    ended = story.end("prints")
    assert ended.outcome == "success"
    story.until_seen("half")
    assert sorted((line.stream, line.level, line.message) for line in story.lines) == [
        ("stderr", "ERROR", "complaint"),
        ("stdout", "INFO", "half"),
        ("stdout", "INFO", "one two"),
    ]
    assert {(line.task_id, line.fence, line.attempt) for line in story.lines} == {(ended.task_id, 3, 1)}


def test_a_silent_task_after_a_loud_one_is_plain_again(hire):
    story = hire(JOBS)
    story.end("prints")
    assert isinstance(story.end("noop"), Done)


def test_records_of_logging_keep_level_logger_and_attributes(hire):
    story = hire(JOBS)
    story.end("logs")
    story.until_seen("it broke")
    gap, seen, broke = story.lines
    assert (gap.level, gap.logger, gap.message, gap.stream) == ("WARNING", "desk.bars", "gap in AAPL", "log")
    assert json.loads(gap.attributes) == {"symbol": "AAPL", "rows": 3}
    assert (seen.level, seen.logger, seen.attributes) == ("INFO", "logs", None)
    assert "ZeroDivisionError" in broke.message


def test_what_children_print_belongs_to_the_task(hire):
    story = hire(JOBS)
    ids = [story.end("child", params=json.dumps({"word": word})).task_id for word in ("anna", "bela", "cleo")]
    story.until_seen("cleo wept")
    assert [sorted(story.text_of(task_id)) for task_id in ids] == [
        [word, f"{word} wept"] for word in ("anna", "bela", "cleo")
    ]


def test_a_hundred_megabytes_of_prints_are_cut_with_a_mark(hire):
    story = hire(JOBS)
    ended = story.end("a_lot", params='{"lines": 100000}')
    assert ended.output == "100000"
    story.until_seen("is not kept")
    kept = sum(map(len, story.text_of(ended.task_id)))
    assert 500_000 < kept < 1_200_000
    assert len([text for text in story.text_of(ended.task_id) if "not kept" in text]) == 1


def test_a_hundred_megabytes_from_a_child_are_cut_and_the_disk_is_freed(hire):
    story = hire(JOBS)
    ended = story.end("raw_lot")
    story.until_seen("is not kept")
    kept = sum(map(len, story.text_of(ended.task_id)))
    assert 500_000 < kept < 1_200_000
    (reader,) = story.crew._log_readers
    assert os.fstat(reader._raws[0].file.fd).st_blocks * 512 < 2 << 20


def test_closing_stdout_hurts_nobody(hire):
    story = hire(JOBS)
    assert story.end("closes").outcome == "success"
    assert isinstance(story.end("steals"), Done)
    story.end("child")
    story.until_seen("child wept")
    assert "still here" in [line.message for line in story.lines]
    assert "child" in [line.message for line in story.lines]


def test_a_running_task_can_be_followed(hire):
    story = hire(JOBS)
    ids = story.send("slow")
    story.until_seen("begun")
    story.until_seen("child begun")
    assert story.crew.held() == {(ids[0], 3)}
    assert {line.task_id for line in story.lines} == {ids[0]}
    story.until(lambda: story.all_of(Running))


def test_strange_text_is_made_clean(hire):
    story = hire(JOBS)
    ended = story.end("odd")
    assert ended.outcome == "success"
    story.until_seen("bytes")
    for line in story.lines:
        assert "\0" not in line.message
        line.message.encode()
    assert any(line.attributes and "object" in line.attributes for line in story.lines)


@pytest.mark.parametrize("dies", [False, True])
def test_of_much_output_the_start_and_the_final_error_are_kept_also_when_the_worker_dies(hire, dies):
    story = hire(JOBS)
    params = json.dumps({"lines": 5000, "dies": dies})
    ids = [story.end("fails_after", params=params).task_id for _ in range(2)]
    story.until_ended(ids)
    for task_id in ids:
        story.until(lambda task_id=task_id: "the last word" in story.text_of(task_id))
        texts = story.text_of(task_id)
        assert texts[0] == "first"
        assert texts[-1] == "the last word"
        assert 1_000_000 < sum(map(len, texts)) < (1 << 20) + 1000
        assert len([text for text in texts if "not kept" in text]) == 1


def test_of_raw_output_the_start_and_the_end_are_kept(hire):
    story = hire(JOBS)
    ended = story.end("raw_fails")
    story.until_seen("the last word")
    texts = story.text_of(ended.task_id)
    assert (texts[0], texts[-1]) == ("first", "the last word")
    assert 1_000_000 < sum(map(len, texts)) < (1 << 20) + 1000


def test_a_megabyte_is_kept_whole_in_each_stream_of_each_attempt(hire):
    story = hire(JOBS)
    ids = [story.end("a_lot", params='{"lines": 1000}').task_id for _ in range(2)]
    story.until(lambda: all(len(story.text_of(task_id)) == 1000 for task_id in ids))
    assert not any("not kept" in line.message for line in story.lines)
