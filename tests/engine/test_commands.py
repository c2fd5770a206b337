"""The inbox of commands: every row gets one answer, and a bad one stands in nobody's way."""

import threading
from types import SimpleNamespace

import pytest

from qflowd.engine.commands import inbox as service
from qflowd.engine.commands.bulk import WORKFLOW_VERBS
from qflowd.engine.commands.control import NO_REMEDIES, VERBS, Command, NotPossible, one_instance
from qflowd.engine.commands.inbox import LATER_ACTIONS, Commands
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState
from qflowd.store.tx import DataRefused, Store
from tests.support.lab import Lab

CHAIN = {"a": [], "b": ["a"]}


def test_an_unknown_action_is_rejected_with_those_there_are(lab):
    assert lab.command("explode", 1) == (
        "REJECTED",
        "there is no action 'explode'; there are " + ", ".join(sorted(VERBS | WORKFLOW_VERBS)),
    )
    assert lab.command("retrys", 1) == ("REJECTED", "there is no action 'retrys'; did you mean retry?")


def test_every_action_is_one_registered_function_and_says_when_it_is_not_possible():
    assert sorted(VERBS) == [
        "activate",
        "approve",
        "archive",
        "archive_task",
        "backfill",
        "canary",
        "cancel",
        "close_breaker",
        "compensate",
        "define_task",
        "disable",
        "draft",
        "enable",
        "end_canary",
        "fire",
        "handle",
        "import_calendar",
        "mute",
        "open_breaker",
        "override_day",
        "pause",
        "pause_backfill",
        "pause_limit",
        "priority",
        "reject",
        "remove_calendar",
        "rerun",
        "reset_schedule",
        "restore_day",
        "resume",
        "resume_backfill",
        "resume_limit",
        "retry",
        "rollback",
        "set_limit",
        "set_schedule",
        "skip",
        "start",
        "stop_backfill",
        "terminate",
        "trigger",
        "unarchive",
        "unarchive_task",
        "unmute",
        "unset_limit",
    ]
    assert not VERBS.keys() & LATER_ACTIONS
    facts = {"id": 7, "state": "SUCCESS", "workflow": "daily", "version": 3}
    facts |= {"task": "bars", "task_state": "RUNNING", "instead": "", "kind": "definition", "name": "bars"}
    facts |= {"limit": "vendor:x", "source": "config", "what": "it", "others": "", "error_class": "ValueError"}
    facts |= {"calendar": "XSHG", "day": "2026-11-20"}
    assert all("{" not in verb.not_possible.format(**facts) for verb in VERBS.values())


@pytest.mark.parametrize("state", [*InstanceState])
def test_a_refusal_names_all_that_is_possible_in_the_state(state):
    possible = {action for action, verb in VERBS.items() if state in verb.states} - NO_REMEDIES
    said = VERBS["start"].refusal(
        NotPossible(SimpleNamespace(id=7, state=state, intent=0, saga_state=0, concurrency_key=None))
    )
    assert set(said.rpartition("; possible now: ")[2].split(", ")) == possible or (
        not possible and "possible" not in said
    )
    assert {"terminate"} <= possible or state.is_final


@pytest.mark.parametrize("action", ["publish", "purge"])
def test_an_action_of_a_later_version_says_so(lab, action):
    state, error = lab.command(action, 1)
    assert (state, error.split(";")[0]) == ("REJECTED", f"action {action!r} is not supported yet")


@pytest.mark.parametrize("action", ["terminate", "retry", "resume", "start", "pause"])
def test_an_unknown_instance_is_rejected_with_the_remedy(lab, action):
    assert lab.command(action, 99) == ("REJECTED", "there is no instance 99; `qflowd ps` lists those there are")
    assert lab.command(action)[1].startswith(f"{action} needs an instance_id")
    assert lab.command(action, 1 << 50)[1].startswith("instance_id: must be a whole number from 1 to ")


def test_a_command_for_nothing_is_rejected_with_all_that_it_can_be_for(lab):
    assert lab.command("pause") == ("REJECTED", "pause needs an instance_id, a workflow or a filter")
    assert lab.command("terminate") == ("REJECTED", "terminate needs an instance_id or a filter")
    assert lab.command("trigger", task="a") == ("REJECTED", "trigger needs an instance_id or a workflow")
    by_workflow = {action for action, verb in VERBS.items() if verb.takes_workflow}
    assert by_workflow == WORKFLOW_VERBS.keys() & VERBS.keys() | {"trigger"}


def test_args_that_an_action_does_not_have_are_refused_by_their_names(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    for action, verb in VERBS.items():
        if verb.args is not None:  # else it reads them itself, and its own tests say how
            columns = {"task": "a"} if verb.needs_task else {}
            state, error = lab.command(action, number, args='{"sort": 1}', reason="because", **columns)
            assert (state, error.split(";")[0]) == ("REJECTED", "args.sort: unknown key"), action
    rerun = lab.command("rerun", number, task="a", args='{"sort": 1}')
    assert rerun == ("REJECTED", "args.sort: unknown key; known: dry_run, set")
    meant = ("REJECTED", "args.dry_rum: unknown key; did you mean dry_run?")
    assert lab.command("terminate", number, args='{"dry_rum": true}') == meant
    assert lab.command("terminate", filter='{"state": "OPEN"}', args='{"dry_rum": true}') == meant
    assert lab.command("stop", workflow="chain", args='{"dry_rum": true}') == meant
    unclear = ("REJECTED", "args.dry_run: must be true or false, not a string")
    assert lab.command("terminate", filter='{"state": "OPEN"}', args='{"dry_run": "yes"}') == unclear
    assert (lab.state(number), lab.column("workflow_instance", "intent", number)) == ("RUNNING", 0)


class LooksTooSoon:
    """A transaction that looks for an instance a moment before it is admitted, and for its submission after that."""

    def __init__(self, tx):
        self._tx, self._has_looked = tx, False

    def one(self, name, **params):
        if name == "find_instance" and not self._has_looked:
            self._has_looked = True
            return None
        return self._tx.one(name, **params)


def test_an_instance_that_is_admitted_while_a_command_looks_for_it_is_found(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    command = Command(1, "default", "terminate", instance_id=number)
    assert lab.store.transact(lambda tx: one_instance(LooksTooSoon(tx), command)).id == number


def test_an_instance_of_another_tenant_is_unknown(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    state, error = lab.command("terminate", number, tenant="others")
    assert (state, error) == ("REJECTED", f"there is no instance {number}; `qflowd ps` lists those there are")


def test_a_command_for_a_submission_that_was_rejected_says_so(lab):
    number = lab.start("nothing")
    assert lab.command("terminate", number)[1] == f"there is no instance {number}: its submission was rejected"


def test_a_command_for_a_submission_that_repeats_another_names_that(lab):
    lab.workflow("chain", CHAIN)
    first = lab.start("chain", idempotency_key="k")
    second = lab.start("chain", idempotency_key="k")
    assert lab.command("terminate", second)[1] == f"submission {second} repeats instance {first}; name that one"


def test_a_command_that_is_taken_before_its_submission_waits_for_it(lab):
    lab.workflow("chain", CHAIN)
    number = lab.submit("chain")
    asked = lab.ask("terminate", number)
    after = lab.ask("explode")
    assert 0 < lab.commands.tick() < 1
    assert (lab.answer(asked)[0], lab.answer(after)[0]) == ("NEW", "REJECTED")
    while not lab.admit.tick():
        pass
    lab.commands.tick()
    assert lab.answer(asked)[0] == "DONE"


def test_commands_are_carried_out_in_the_order_of_their_ids(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    asked = [lab.ask("resume", number), lab.ask("terminate", number), lab.ask("retry", number)]
    lab.commands.tick()
    assert [lab.answer(command)[0] for command in asked] == ["DONE", "DONE", "REJECTED"]
    assert lab.answer(asked[2])[1] == f"instance {number} is RUNNING and being terminated; wait until it is TERMINATED"


def test_a_filter_beside_an_instance_is_refused(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    for text, error in (
        ('{"state":"RUNNING"}', "filter: is instead of an instance_id, a workflow or a task_id; give one of them"),
        ("x", "filter is not valid JSON"),
    ):
        asked = lab.ask("terminate", number, filter=text)
        lab.commands.tick()
        assert lab.answer(asked)[1].startswith(error)
    assert lab.state(number) == "RUNNING"


def test_a_command_that_names_two_targets_is_refused_unless_they_are_one(lab):
    lab.workflow("chain", CHAIN)
    lab.workflow("other", CHAIN)
    number, job = lab.start("chain"), lab.start(job="work")
    task = number * ORDINALS
    unlike = f"instance {number} is of workflow 'chain', not of workflow 'other'; name one of the two"
    for action in ("terminate", "pause", "retry", "compensate"):
        assert lab.command(action, number, workflow="other") == ("REJECTED", unlike)
    for action in ("pause", "retry", "trigger"):
        assert lab.command(action, task_id=task, workflow="other") == ("REJECTED", unlike)
    assert lab.command("pause", job, workflow="other")[1].startswith(f"instance {job} runs the single job 'work', not")
    assert lab.command("trigger", job, task_id=task)[1] == f"task_id {task} is not a whole task of instance {job}"
    no_use = "has no use for {}; leave {} out"
    for action in ("stop", "archive", "enable", "rollback"):
        refused = ("REJECTED", f"{action} {no_use.format('instance_id', 'it')}")
        assert lab.command(action, number, workflow="chain") == refused
    assert lab.command("stop", number) == ("REJECTED", "stop needs a workflow")
    limit = lab.command("pause_limit", number, workflow="chain", args='{"limit": "vendor"}')
    assert limit == ("REJECTED", f"pause_limit {no_use.format('instance_id and workflow', 'them')}")
    assert lab.command("archive_task", workflow="chain", task="bars")[1].endswith("no use for workflow; leave it out")
    assert lab.command("define_task", number, args="{}")[1].endswith("no use for instance_id; leave it out")
    assert (lab.state(number), lab.state(job)) == ("RUNNING", "RUNNING")
    assert lab.command("pause", number, workflow="chain")[0] == "DONE"


def test_what_a_client_writes_into_answer_columns_is_ignored(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.sql(
        "INSERT INTO qflow.commands (action, instance_id, state, result, error) "
        f"VALUES ('terminate', {number}, 'DONE', 'x', 'y')"
    )
    lab.commands.tick()
    [(state, result, error)] = lab.sql("SELECT state, result, error FROM qflow.commands")
    assert (state, result, error) == ("DONE", f'{{"instance_id":{number},"intent":"TERMINATE"}}', None)


@pytest.mark.parametrize("error", [RuntimeError("a fault of ours"), DataRefused("too long")])
def test_a_command_that_breaks_is_answered_and_the_next_one_has_its_turn(lab, error, monkeypatch):
    def broken(tx, *_):
        tx.run("flag_terminate", id=number)
        raise error

    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    monkeypatch.setitem(VERBS, "retry", VERBS["retry"]._replace(carry_out=broken))
    first, second = lab.ask("retry", number), lab.ask("enable", workflow="nothing")
    lab.commands.tick()
    assert lab.answer(first) == ("REJECTED", f"could not be carried out: {error}")
    assert lab.answer(second)[0] == "REJECTED"
    assert lab.column("workflow_instance", "intent", number) == 0  # nothing of it was kept


def test_a_command_stays_open_while_the_database_is_away(lab, monkeypatch):
    def away(tx, *_):
        raise StoreUnavailable("gone")

    monkeypatch.setitem(VERBS, "retry", VERBS["retry"]._replace(carry_out=away))
    number = lab.ask("retry", lab.start(job="work"))
    with pytest.raises(StoreUnavailable):
        lab.commands.tick()
    assert lab.answer(number)[0] == "NEW"


def test_many_commands_are_answered_in_bounded_rounds(lab, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 3)
    asked = [lab.ask("explode") for _ in range(5)]
    assert lab.commands.tick() == 0
    assert lab.commands.tick() > 1
    assert {lab.answer(number)[0] for number in asked} == {"REJECTED"}


def test_an_ids_column_that_holds_text_is_answered(sqlite_url):
    lab = Lab(sqlite_url)
    lab.sql("INSERT INTO qflow.commands (action, instance_id) VALUES ('terminate', 'forty-two')")
    lab.sql("INSERT INTO qflow.commands (action, instance_id) VALUES (x'00ff', 1)")
    lab.commands.tick()
    assert lab.sql("SELECT state, error FROM qflow.commands ORDER BY id") == [
        ("REJECTED", "instance_id: must be a whole number from 1 to 4398046511104, not 'forty-two'"),
        ("REJECTED", "action: must be a string, not bytes"),
    ]
    lab.close()


def test_two_daemons_carry_out_each_command_once(lab):
    lab.workflow("chain", CHAIN)
    numbers = [lab.start("chain") for _ in range(12)]
    asked = [lab.ask("terminate", number) for number in numbers]

    def work():
        store = Store(url)
        Commands(store, lab.plans, lab.lanes, lab.jobs, lab.topics).tick()
        store.close()

    url = lab.url
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lab.commands.tick()
    assert {lab.answer(number)[0] for number in asked} == {"DONE"}
    lab.sweep.tick()
    assert {lab.state(number) for number in numbers} == {"TERMINATED"}


# ------------------------------------------------------------------------------------------------ enable, disable


def schedule(lab, key="daily", *, enabled=1):
    number = lab.workflow(key, CHAIN)
    lab.sql(
        "INSERT INTO qflow.schedule (definition_id, name, cron, timezone, catchup, catchup_limit, enabled, next_fire_at) "
        f"VALUES ({number}, 'cron', '0 17 * * *', 'UTC', 'none', 0, {enabled}, '2020-01-01 00:00:00')"
    )
    return number


def shown(lab):
    [row] = lab.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
    return row.enabled, row.source, None if row.next_fire_at is None else f"{row.next_fire_at:%Y-%m-%d %H:%M}"


def test_a_schedule_is_switched_off_and_on_again_from_now_on(lab):
    schedule(lab)
    assert lab.command("disable", workflow="daily") == ("DONE", {"workflow": "daily", "enabled": False})
    assert shown(lab) == (0, "command", None)
    assert lab.command("enable", workflow="daily") == ("DONE", {"workflow": "daily", "enabled": True})
    assert shown(lab) == (1, "command", "2026-11-20 17:00")
    assert lab.published[-1] == "schedule"


def test_a_workflow_without_schedule_cannot_be_switched(lab):
    lab.workflow("plain", CHAIN)
    assert lab.command("enable", workflow="plain") == (
        "REJECTED",
        "workflow 'plain' has no schedule; give it one in its file",
    )
    assert lab.command("disable", workflow="plan") == ("REJECTED", "there is no workflow 'plan'; did you mean plain?")
    assert lab.command("disable", workflow="nothing") == (
        "REJECTED",
        "there is no workflow 'nothing'; `qflowd workflows` lists those there are",
    )
    assert lab.command("disable") == ("REJECTED", "disable needs a workflow")


def test_commands_that_cannot_be_carried_out_yet_hide_none_behind_them(lab, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 1)
    number, waiting = lab.start(job="work"), lab.submit(job="work")  # nobody has taken the second one
    early, later = lab.ask("terminate", waiting), lab.ask("terminate", number)
    pauses = [lab.commands.tick() for _ in range(3)]
    assert (lab.answer(early)[0], lab.answer(later)[0]) == ("NEW", "DONE")
    assert pauses == [0, 0, service.LATER_S], "the first is looked at again in a moment"
