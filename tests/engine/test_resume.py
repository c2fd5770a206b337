"""Resume: what was submitted with hold starts as if it had been submitted now."""

from datetime import timedelta

from tests.support.lab import Lab

CHAIN = {"a": [], "b": ["a"]}


def test_a_held_instance_has_no_rows_until_it_is_resumed(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    assert (lab.state(number), lab.states(number)) == ("READY", {})
    lab.clock.advance(100)
    assert lab.command("resume", number) == ("DONE", {"instance_id": number, "tasks": 2})
    assert (lab.state(number), lab.states(number)) == ("RUNNING", {"a": "READY", "b": "PENDING"})
    assert lab.published[-2:] == ["ready", "timer"]
    shown = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    assert shown.started_at == lab.clock.now()
    lab.succeeds(number)


def test_run_at_is_honoured(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1, run_at=lab.clock.now() + timedelta(hours=1))
    lab.command("resume", number)
    assert lab.states(number)["a"] == "PENDING"
    lab.clock.advance(3600)
    lab.promote.tick()
    assert lab.states(number)["a"] == "READY"
    lab.check()


def test_a_run_at_that_has_passed_while_it_was_held_is_now(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1, run_at=lab.clock.now() + timedelta(hours=1))
    lab.clock.advance(7200)
    lab.command("resume", number)
    assert lab.states(number)["a"] == "READY"


def test_its_timeout_begins_when_it_is_resumed(lab):
    lab.workflow("chain", CHAIN, timeout="1m")
    number = lab.start("chain", hold=1)
    lab.clock.advance(120)
    lab.promote.tick()
    lab.command("resume", number)
    lab.clock.advance(59)
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", number) == 0
    lab.clock.advance(1)
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", number) == 1


def test_it_keeps_the_version_and_the_parameters_of_its_admission(lab):
    definition = lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1, params='{"day":"2026-11-20"}')
    lab.sql(f"UPDATE qflow.workflow_definition SET active_version = NULL WHERE id = {definition}")
    lab.command("resume", number)
    assert lab.states(number) == {"a": "READY", "b": "PENDING"}
    assert lab.column("workflow_instance", "params", number) == '{"day":"2026-11-20"}'


def test_priority_and_overrides_are_those_of_the_submission(lab):
    lab.workflow("chain", CHAIN)
    overrides = '{"tasks":{"b":{"priority":7,"pool":"io"}}}'
    number = lab.start("chain", hold=1, priority=100, overrides=overrides)
    assert lab.command("resume", number)[0] == "DONE"  # the lane of pool io did not exist yet
    assert lab.sql("SELECT priority FROM qflow.task_instance ORDER BY id") == [(-100,), (-107,)]


def test_a_single_job_can_be_held_and_resumed(lab):
    number = lab.start(job="work", hold=1)
    assert lab.command("resume", number)[0] == "DONE"
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_only_held_instances_are_resumed(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    why = "only one that is PAUSED, or was submitted with `hold` and has not begun, can be resumed"
    assert lab.command("resume", number)[1].startswith(f"instance {number} is RUNNING; {why}; possible now: pause, ")
    lab.run()
    assert lab.command("resume", number)[1].startswith(f"instance {number} is SUCCESS; {why}")


def test_start_is_resume_for_those_that_have_not_begun(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    assert lab.command("start", number) == ("DONE", {"instance_id": number, "tasks": 2})
    why = "only one that was submitted with `hold` and has not begun can be started; possible now: "
    assert lab.command("start", number)[1].startswith(f"instance {number} is RUNNING; {why}")
    lab.command("pause", number)
    assert lab.command("start", number)[1].startswith(f"instance {number} is PAUSED; {why}")


def test_it_is_resumed_once_however_often_one_asks(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    asked = [lab.ask("resume", number) for _ in range(3)]
    lab.commands.tick()
    assert [lab.answer(command)[0] for command in asked] == ["DONE", "REJECTED", "REJECTED"]
    assert len(lab.states(number)) == 2


def test_a_daemon_that_never_saw_its_lanes_can_resume_it(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    other = Lab(lab.url)
    assert other.command("resume", number)[0] == "DONE"
    other.close()
    assert lab.states(number) == {"a": "READY", "b": "PENDING"}
