"""Commands through the SDK: written, answered, refused, and left unanswered."""

from __future__ import annotations

import pytest

from qflowd.model.errors import Rejected


def test_terminate_waits_until_the_instance_has_ended(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    thread = engine.answer_commands("DONE", None, engine.ending(instance.id, "TERMINATED"))
    answer = instance.terminate("a typo", timeout=20)
    thread.join()
    assert (answer.state, answer.result, instance.state()) == ("DONE", "done", "TERMINATED")
    [row] = engine.sql(f"SELECT action, instance_id, reason FROM qflow.commands WHERE id = {answer.id}")
    assert row == ("terminate", instance.id, "a typo")


def test_a_rejected_command_raises_its_error(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    thread = engine.answer_commands("REJECTED", "instance 1 is RUNNING; retry takes one that has ended")
    with pytest.raises(Rejected, match="retry takes one that has ended"):
        instance.retry(timeout=20)
    thread.join()


def test_a_command_that_nobody_answers_says_why_and_stands(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    with pytest.raises(TimeoutError, match="no daemon is running; `qflowd run` starts one"):
        instance.resume(timeout=0.05)
    engine.daemon()
    with pytest.raises(TimeoutError, match=r"no daemon has answered within 0.05 s"):
        instance.resume(timeout=0.05)
    written = f"SELECT COUNT(*) FROM qflow.commands WHERE is_open = 1 AND instance_id = {instance.id}"
    assert engine.sql(written) == [(2,)]


def test_a_command_can_be_left_without_waiting(client):
    answer = client.command("enable", workflow="daily", timeout=0)
    assert (answer.state, answer.action) == ("NEW", "enable")
