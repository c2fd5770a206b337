"""Sagas in users' tests: compensations run on the set clock, in their order."""

from qflowd import TaskBuilder, WorkflowBuilder, job
from qflowd.testing import Harness, run_workflow

market: list[str] = []


@job
def load(symbol: str) -> dict:
    market.append(symbol)
    if symbol == "IBM":
        raise RuntimeError("the file is broken")
    return {"symbol": symbol}


@load.compensation(retries=1, retry_delay="1h")
def drop(symbol: str, output: dict) -> None:
    assert market[-1] == symbol
    assert output == (None if symbol == "IBM" else {"symbol": symbol})
    market.pop()


def loads() -> WorkflowBuilder:
    builder = WorkflowBuilder("loads").with_saga(order="serial")
    builder.with_task(TaskBuilder("aapl", job="load").with_params(symbol="AAPL"))
    builder.with_task(TaskBuilder("ibm", job="load").with_params(symbol="IBM"))
    return builder.with_dependency("ibm", "aapl")


def test_a_failed_workflow_is_undone_before_it_has_ended():
    run = run_workflow(loads(), [load, drop])
    assert (run.state, market) == ("FAILED", [])
    assert {key: task.state for key, task in run.tasks.items()} == {"aapl": "SUCCESS", "ibm": "FAILED"}


def test_the_client_lists_compensations_apart_from_tasks():
    with Harness([load, drop], [loads()]) as harness:
        run = harness.client.submit("loads")
        harness.finish(run)
        assert [(task.task, task.job, task.state) for task in run.compensations()] == [
            ("ibm", "drop", "SUCCESS"),
            ("aapl", "drop", "SUCCESS"),
        ]
        assert [task.task for task in run.tasks()] == ["aapl", "ibm"]
        assert run.info().saga_state == "COMPENSATED"
        assert run.output("aapl") == {"symbol": "AAPL"}
