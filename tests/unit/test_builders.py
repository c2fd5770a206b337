"""Builders give the very same model, and the same faults, as files."""

from datetime import date

import pytest

from qflowd.define import workflow_file
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Settings, Task
from tests.support.rendering import render

YAML = """\
workflow: daily_bars
title: Daily bars
description: Everything
schedule: {cron: "0 17 * * *", timezone: Asia/Shanghai, catchup: last}
params: {day: {type: string, default: "{{ business_date }}"}, n: {type: integer, default: 3}}
defaults: {retries: 3, timeout: 10m}
tasks:
  universe: {job: list_symbols}
  bars:
    job: fetch_bars
    title: Bars
    after: universe
    params: {symbol: "{{ universe.output[0] }}", n: 1}
    timeout: 5m
    retries: 2
    retry_delay: 1s
    backoff: exponential
    retry_max_delay: 1m
    jitter: 0.5
    retry: manual
    pool: io
    priority: 7
    memory: 512MB
    trigger_rule: all_done
    when: params.n > 2
    map: "{{ universe.output }}"
    chunk: 50
    max_parallel: 8
    label: "from {{ item[0] }}"
    tolerate: {fail_pct: 5, min_ok: 100}
    on_failure: continue
  close: {job: close, trigger_rule: always, run_on: terminate}
  check: {job: check_bars, after: {bars: "{{ bars.output.ok }}", universe: true}}
"""


def built():
    bars = (
        TaskBuilder()
        .with_id("bars")
        .with_name("Bars")
        .with_job("fetch_bars")
        .with_params({"symbol": "{{ universe.output[0] }}"}, n=1)
        .with_timeout("5m")
        .with_retry(2, delay=1, backoff="exponential", max_delay="1m", jitter=0.5, manual=True)
        .with_pool("io")
        .with_priority(7)
        .with_memory("512MB")
        .with_trigger_rule("all_done")
        .with_when("params.n > 2")
        .with_map("{{ universe.output }}", chunk=50, max_parallel=8, label="from {{ item[0] }}", fail_pct=5, min_ok=100)
        .with_on_failure("continue")
    )
    return (
        WorkflowBuilder()
        .with_id("daily_bars")
        .with_name("Daily bars")
        .with_description("Everything")
        .with_cron("0 17 * * *", "Asia/Shanghai", catchup="last")
        .with_params({"day": {"type": "string", "default": "{{ business_date }}"}}, n={"type": "integer", "default": 3})
        .with_defaults(retries=3)
        .with_defaults(timeout=600)
        .with_dependency("bars", "universe")
        .with_task(Task("universe", "list_symbols"))
        .with_task(bars)
        .with_task(TaskBuilder("close", "close").with_trigger_rule("always").with_run_on("terminate"))
        .with_task(TaskBuilder("check", "check_bars").build())
        .with_dependency("check", "bars", "{{ bars.output.ok }}")
        .with_dependency("check", "universe")
    )


def test_a_builder_gives_the_same_workflow_as_a_file():
    assert built().build() == workflow_file.parse(YAML, "yaml", "f")


def test_a_map_behind_a_map_is_built_as_in_a_file():
    builder = (
        WorkflowBuilder("daily")
        .with_task(TaskBuilder("bars", "fetch").with_map([1, 2], label="s{{ item }}"))
        .with_task(TaskBuilder("factors", "compute").with_map(max_parallel=5))
        .with_dependency("factors", "bars", "each")
    )
    text = """
workflow: daily
tasks:
  bars: {job: fetch, map: [1, 2], label: "s{{ item }}"}
  factors: {job: compute, after: {bars: each}, max_parallel: 5}
"""
    assert builder.build() == workflow_file.parse(text, "yaml", "f")


def test_building_twice_gives_equal_workflows():
    builder = built()
    assert builder.build() == builder.build()


def test_a_task_alone_is_checked_too():
    assert TaskBuilder("a", "j").with_timeout("1m").build() == Task("a", "j", settings=Settings(timeout=60.0))
    with pytest.raises(InvalidWorkflow, match="job: is missing"):
        TaskBuilder("a").build()
    with pytest.raises(InvalidWorkflow, match="expression language"):
        TaskBuilder("params", "j").build()


def test_all_faults_come_at_once_and_have_no_line():
    builder = WorkflowBuilder("a b").with_task(TaskBuilder("x", "j").with_timeout("soon")).with_dependency("x", "y")
    with pytest.raises(InvalidWorkflow) as caught:
        builder.build()
    assert [fault.key for fault in caught.value.faults] == ["workflow", "tasks.x.timeout", "tasks.x.after"]
    assert {fault.line for fault in caught.value.faults} == {0}


def test_a_file_can_be_the_beginning(tmp_path):
    file = tmp_path / "daily.toml"
    file.write_text(render(workflow_file.parse(YAML, "yaml", "f"), "toml"))
    workflow = (
        WorkflowBuilder("other")
        .with_config_file(file)
        .with_task(TaskBuilder("report", "draw"))
        .with_dependency("report", "check")
        .build()
    )
    assert workflow.key == "other"
    assert workflow.title == "Daily bars"
    assert [task.key for task in workflow.tasks] == ["universe", "bars", "close", "check", "report"]


def test_a_fault_that_comes_from_the_file_keeps_its_line(tmp_path):
    file = tmp_path / "daily.yaml"
    file.write_text("workflow: w\ntitel: x\ntasks: {a: {job: j}}\n")
    with pytest.raises(InvalidWorkflow, match=r"daily.yaml:2: titel: unknown key"):
        WorkflowBuilder().with_config_file(file).build()
    with pytest.raises(InvalidWorkflow, match="cannot be read"):
        WorkflowBuilder().with_config_file(tmp_path / "none.yaml")


def test_a_param_is_converted_as_an_output_is():
    workflow = WorkflowBuilder("w").with_task(TaskBuilder("a", "j").with_params(x=date(2026, 1, 5))).build()
    assert workflow.tasks[0].params == {"x": "2026-01-05"}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x"])
def test_only_json_can_be_a_param(value):
    with pytest.raises(InvalidWorkflow, match=r"\['x'\] is .*JSON does not have"):
        WorkflowBuilder("w").with_task(TaskBuilder("a", "j").with_params(x=value)).build()
