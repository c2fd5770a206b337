"""Workflow files: one model from three formats, and every fault at once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qflowd.define import stored, workflow_file
from qflowd.define.writing import dump
from qflowd.model.dag import order
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Edge, Saga, Schedule, Settings, Task, Workflow
from tests.support.rendering import render

YAML = """\
workflow: daily_bars
title: Daily bars
tags: [cn, daily]
schedule: {cron: "0 17 * * *", timezone: Asia/Shanghai, catchup: all(5)}
params:
  trade_date: {type: string, format: date, default: "{{ business_date }}"}
  symbol: {type: string, default: 000300}
defaults: {retries: 3, timeout: 10m}
timeout: 2h
tasks:
  universe: {job: list_symbols}
  bars:
    job: fetch_bars
    title: Bars
    after: universe
    params: {symbol: "{{ universe.output.symbols[0] }}", day: "{{ params.trade_date }}", at: 21:00}
    memory: 512MB
    backoff: exponential
    retry_delay: 1m30s
  check: {job: check_bars, after: [bars, universe], params: {}}
  factors: {job: alpha, after: {check: "{{ check.output.missing == 0 }}", bars: true}}
"""
TOML = """\
workflow = "daily_bars"
title = "Daily bars"
tags = ["cn", "daily"]
schedule = {cron = "0 17 * * *", timezone = "Asia/Shanghai", catchup = "all(5)"}
timeout = "2h"
[params]
trade_date = {type = "string", format = "date", default = "{{ business_date }}"}
symbol = {type = "string", default = "000300"}
[defaults]
retries = 3
timeout = 600
[tasks]
universe.job = "list_symbols"
[tasks.bars]
job = "fetch_bars"
title = "Bars"
after = "universe"
params = {symbol = "{{ universe.output.symbols[0] }}", day = "{{ params.trade_date }}", at = 21:00}
memory = "512MB"
backoff = "exponential"
retry_delay = 90.0
[tasks.check]
job = "check_bars"
after = ["bars", "universe"]
params = {}
[tasks.factors]
job = "alpha"
after = {check = "{{ check.output.missing == 0 }}", bars = true}
"""
EXPECTED = Workflow(
    key="daily_bars",
    title="Daily bars",
    tags=("cn", "daily"),
    schedule=Schedule("0 17 * * *", "Asia/Shanghai", "all", 5),
    params={
        "trade_date": {"type": "string", "format": "date", "default": "{{ business_date }}"},
        "symbol": {"type": "string", "default": "000300"},
    },
    defaults=Settings(retries=3, timeout=600.0),
    timeout=7200.0,
    tasks=(
        Task("universe", "list_symbols"),
        Task(
            "bars",
            "fetch_bars",
            "Bars",
            (Edge("universe"),),
            {"symbol": "{{ universe.output.symbols[0] }}", "day": "{{ params.trade_date }}", "at": "21:00"},
            Settings(memory=512 << 20, backoff="exponential", retry_delay=90.0),
        ),
        Task("check", "check_bars", after=(Edge("bars"), Edge("universe")), params={}),
        Task("factors", "alpha", after=(Edge("check", "{{ check.output.missing == 0 }}"), Edge("bars"))),
    ),
)


def faults(text, format="yaml"):
    with pytest.raises(InvalidWorkflow) as caught:
        workflow_file.parse(text, format, "f.yaml")
    return str(caught.value).splitlines()


def tasks(body, head=""):
    return f"workflow: w\n{head}\ntasks:\n" + "".join(f"  {line}\n" for line in body.splitlines())


def test_three_formats_give_the_same_workflow():
    assert workflow_file.parse(YAML, "yaml", "f") == EXPECTED
    assert workflow_file.parse(TOML, "toml", "f") == EXPECTED
    assert workflow_file.parse(render(EXPECTED, "json"), "json", "f") == EXPECTED


def test_tasks_keep_the_order_in_which_they_were_written():
    workflow = workflow_file.parse(tasks("z: {job: j, after: a}\nb: {job: j}\na: {job: j}"), "yaml", "f")
    assert [task.key for task in workflow.tasks] == ["z", "b", "a"]
    assert [task.key for task in order(workflow)] == ["b", "a", "z"]


def test_a_schedule_may_be_a_bare_expression():
    workflow = workflow_file.parse(tasks("a: {job: j}", 'schedule: "@daily"'), "yaml", "f")
    assert workflow.schedule == Schedule("@daily")


def test_no_params_and_empty_params_differ():
    assert workflow_file.parse(tasks("a: {job: j}"), "yaml", "f").params is None
    assert workflow_file.parse(tasks("a: {job: j}", "params: {}"), "yaml", "f").params == {}


def test_every_fault_of_a_file_is_reported_at_once_with_line_and_key():
    text = """\
workflow: daily bars
titel: Daily bars
schedule: {cron: "0 17 * *", timezone: Asia/Shanhai, catchup: all, calendar: XSHG, jitter: 5m}
params: {day: {type: strng}, n: 3, m: {default: "{{ params.day }}"}, r: {$ref: "http://localhost/x"}}
defaults: {retries: -3, timeout: 10 min, polo: io}
saga: maybe
tasks:
  params: {job: x}
  universe: {job: list, after: nope}
  bars: {after: universe, map: x, params: {a: "{{ check.output }}", b: "{{ params.dayy }}", c: ["{{ 1 ** 2 }}"]}}
  check: {job: check bars, after: [bars, bars], priority: 1001, jitter: 2, memory: lots}
  repair: {job: refetch, after: {check: 7}}
"""
    found = faults(text)
    expected = [
        ("f.yaml:1: workflow:", "' '"),
        ("f.yaml:2: titel:", "did you mean title?"),
        ("f.yaml:3: schedule.cron:", "4 fields"),
        ("f.yaml:3: schedule.timezone:", "Asia/Shanghai"),
        ("f.yaml:3: schedule.catchup:", "all(n)"),
        ("f.yaml:3: schedule.jitter:", "not supported yet"),
        ("f.yaml:4: params.day:", "JSON Schema"),
        ("f.yaml:4: params.n:", "JSON Schema"),
        ("f.yaml:4: params.m.default:", "params cannot be used here"),
        ("f.yaml:4: params.r:", "never fetched"),
        ("f.yaml:5: defaults.retries:", "0 to 1000"),
        ("f.yaml:5: defaults.timeout:", "10m"),
        ("f.yaml:5: defaults.polo:", "did you mean pool?"),
        ("f.yaml:6: saga:", "true or false"),
        ("f.yaml:8: tasks.params:", "expression language"),
        ("f.yaml:9: tasks.universe.after:", "no task 'nope'"),
        ("f.yaml:10: tasks.bars.job:", "is missing"),
        ("f.yaml:10: tasks.bars.map:", "must be a list"),
        ("f.yaml:10: tasks.bars.params.a:", "the output of 'check'"),
        ("f.yaml:10: tasks.bars.params.b:", "params has no 'dayy'"),
        ("f.yaml:10: tasks.bars.params.c[0]:", "** 2, which expressions do not have"),
        ("f.yaml:11: tasks.check.job:", "' '"),
        ("f.yaml:11: tasks.check.after:", "names bars twice"),
        ("f.yaml:11: tasks.check.priority:", "-1000 to 1000"),
        ("f.yaml:11: tasks.check.jitter:", "0 to 1"),
        ("f.yaml:11: tasks.check.memory:", "512MB"),
        ("f.yaml:12: tasks.repair.after:", "true or an expression"),
    ]
    for place, reason in expected:
        assert any(line.startswith(place) and reason in line for line in found), (place, reason)
    assert len(found) == len(expected)


def test_a_cycle_is_named_with_its_path():
    found = faults(tasks("a: {job: j, after: c}\nb: {job: j, after: a}\nc: {job: j, after: b}"))
    assert found == ["f.yaml:4: tasks.a.after: cycle: a -> b -> c -> a"]
    assert faults(tasks("a: {job: j, after: a}")) == ["f.yaml:4: tasks.a.after: cycle: a -> a"]


@pytest.mark.parametrize(
    "key",
    ["window", "compensation", "signal", "deadline", "overlap"],
)
def test_a_key_of_later_work_is_not_supported_yet(key):
    assert faults(tasks(f"a: {{job: j, {key}: x}}")) == [f"f.yaml:4: tasks.a.{key}: is not supported yet"]


@pytest.mark.parametrize(
    ("written", "saga"),
    [
        ("true", Saga()),
        ("false", None),
        ("{}", Saga()),
        ("{name: undo loads, retries: 5, order: serial}", Saga("undo loads", 5, "serial")),
    ],
)
def test_a_saga_is_read_and_written_back(written, saga):
    text = tasks("a: {job: j, compensate: undo, compensate_on: success}", f"saga: {written}")
    workflow = workflow_file.parse(text, "yaml", "f.yaml")
    assert (workflow.saga, workflow.tasks[0].compensate, workflow.tasks[0].compensate_on) == (saga, "undo", "success")
    assert workflow_file.parse(json.dumps(dump(workflow)), "json", "w.json") == workflow


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (tasks("a: {job: j}", "saga: maybe"), "saga: must be true or false"),
        (tasks("a: {job: j}", "saga: {order: random}"), "saga.order: must be one of reverse, serial, not 'random'"),
        (tasks("a: {job: j}", "saga: {retries: -1}"), "saga.retries: must be a whole number from 0 to 1000, not -1"),
        (tasks("a: {job: j}", "saga: {timeout: 5m}"), "saga.timeout: unknown key"),
        (tasks("a: {job: j, compensate_on: failure}"), "compensate_on: must be one of start, success, not 'failure'"),
        ("workflow: w", "f.yaml:1: tasks: is missing"),
        ("workflow: w\ntasks: {}", "f.yaml:2: tasks: holds no task"),
        ("workflow: w\ntasks: [a]", "f.yaml:2: tasks: must hold keys and values, not a list"),
        ("workflow: w\ntasks: {a: b}", "f.yaml:2: tasks.a: must hold keys and values, not a string"),
        ("tasks: {a: {job: j}}", "f.yaml:1: workflow: is missing"),
        (tasks("a: {job: j, after: 3.5}"), "f.yaml:4: tasks.a.after: no task '3.5' in this workflow"),
        (tasks("a: {job: j, after: {b: true}}\nb: {job: j}\nb: {job: k}"), "duplicate key"),
        (tasks("a: {job: j}", "enabled: maybe"), "enabled: must be true or false"),
        (tasks("a: {job: j}", "schedule: 5"), "schedule: must hold keys and values"),
        (tasks("a: {job: j}", "schedule: {timezone: UTC}"), "schedule.cron: is missing"),
        (tasks("a: {job: j, when: 5}"), "f.yaml:4: tasks.a.when: must be true, false or an expression"),
        (
            tasks("a: {job: j, when: 'b.output'}\nb: {job: j}"),
            "f.yaml:4: tasks.a.when: the output of 'b' is not known here",
        ),
        (tasks("a: {job: j, when: '1 +'}"), "f.yaml:4: tasks.a.when: "),
        (
            tasks("a: {job: j, params: {x: '{{ item }}'}}"),
            "item is known only to the params, label and limits of a task",
        ),
        (
            tasks("a: {job: j, params: {x: '{{ index }}'}}"),
            "index is known only to the params, label and limits of a task",
        ),
        (tasks("a: {job: j, map: AAPL}"), "f.yaml:4: tasks.a.map: must be a list, or an expression such as"),
        (tasks("a: {job: j, map: {b: 1}}"), "tasks.a.map: must be a list, or an expression"),
        (tasks("a: {job: j, map: [1, '{{ item }}']}"), "item is known only to the params"),
        (tasks("a: {job: j, map: '{{ b.output }}'}\nb: {job: j}"), "the output of 'b' is not known here"),
        (tasks("a: {job: j, map: [1], chunk: 0}"), "tasks.a.chunk: must be a whole number from 1 to 1000000, not 0"),
        (tasks("a: {job: j, map: [1], max_parallel: x}"), "tasks.a.max_parallel: must be a whole number"),
        (tasks("b: {job: j}\na: {job: j, map: [1], after: b, trigger_rule: any_success}"), "not supported with `map`"),
        (
            tasks("a: {job: j, map: [1], tolerate: {fail_pct: 101}}"),
            "tasks.a.tolerate.fail_pct: must be a number from 0",
        ),
        (tasks("a: {job: j, map: [1], tolerate: {min_ok: -1}}"), "tasks.a.tolerate.min_ok: must be a whole number"),
        (tasks("a: {job: j, map: [1], tolerate: {min: 1}}"), "tasks.a.tolerate.min: unknown key"),
        (tasks("a: {job: j, map: [1], tolerate: 5}"), "tasks.a.tolerate: must hold keys and values, not a number"),
        (tasks("a: {job: j, map: [1], tolerate: {}}"), "tasks.a.tolerate: needs fail_pct, min_ok or both"),
        (tasks("b: {job: j}\na: {job: j, after: {b: each}}"), "b is not a map; `each` waits for the items of one"),
        (
            tasks("b: {job: j}\na: {job: j, after: {b: {on: breaker_open, each: true}}}"),
            "b is not a map; `each` waits for the items of one",
        ),
        (
            tasks("b: {job: j}\na: {job: j, after: {b: {on: failure}}}"),
            "tasks.a.after: the condition of b must be true or an expression, each, or {on: breaker_open}",
        ),
        (
            tasks("b: {job: j}\na: {job: j, after: {b: {each: true}}}"),
            "tasks.a.after: the condition of b must be true or an expression, each, or {on: breaker_open}",
        ),
        (
            tasks("b: {job: j}\na: {job: j, after: {b: 5}}"),
            "the condition of b must be true or an expression, each, or {on: breaker_open}",
        ),
        (
            tasks("b: {workflow: x}\na: {job: j, after: {b: {on: breaker_open}}}"),
            "tasks.a.after.b: b starts a workflow and needs no limits, so no breaker",
        ),
        (
            tasks("b: {job: j, map: [1]}\na: {job: j, after: {b: each}, map: [1, 2]}"),
            "tasks.a.after.b: b has another list; leave `map` out here, or write the same",
        ),
        (
            tasks("b: {job: j, map: [1], chunk: 5}\na: {job: j, after: {b: each}, map: [1], chunk: 7}"),
            "tasks.a.after.b: b has chunk 5, and this task 7; both must be the same",
        ),
        (
            tasks("b: {job: j, map: [1]}\nc: {job: j, map: [2]}\na: {job: j, after: {b: each, c: each}}"),
            "tasks.a.after.c: c has another list",
        ),
        (tasks("a: {job: j, after: {a: each}}"), "cycle: a -> a"),
        (tasks("a: {job: j, after: {b: each}}\nb: {job: j, after: {a: each}}"), "cycle: a -> b -> a"),
        (tasks("a: {job: j, after: {b: each}}"), "no task 'b' in this workflow"),
        (
            tasks("b: {job: j, map: [1]}\na: {job: j, after: {b: each}, trigger_rule: any_success}"),
            "not supported with",
        ),
        (
            tasks("b: {job: j, map: [1]}\na: {job: j, after: {b: each}, when: '{{ b.output }}'}"),
            "tasks.a.when: items of 'b' may still run here; `params` alone know its output, that of the same item",
        ),
        (tasks("a: {job: j, chunk: 5}"), "tasks.a.chunk: needs `map`, the list that it is about"),
        (
            tasks("b: {job: j}\na: {job: j, after: b, map: [1], label: '{{ b.output }}'}"),
            "the output of 'b' is not known here",
        ),
        (tasks("a: {job: j, params: {x: '{{ a.output }}'}}"), "the output of 'a' is not known here"),
    ],
)
def test_a_single_fault_is_named(text, fault):
    assert fault in faults(text)[0]
    assert len(faults(text)) == 1


def test_a_condition_sees_its_parent_and_what_stands_above_it():
    body = "a: {job: j}\nb: {job: j, after: a}\nc: {job: j, after: {b: 'a.output.x and b.output.y and params.z'}}\nd: {job: j}"
    workflow_file.parse(tasks(body), "yaml", "f")
    assert "the output of 'd'" in faults(tasks(body.replace("a.output.x", "d.output.x")))[0]


def test_the_line_of_a_fault_is_right_in_all_formats():
    toml = 'workflow = "w"\n[tasks.a]\njob = "j"\n\nretries = "x"\n'
    json = '{"workflow": "w",\n "tasks": {"a": {\n   "job": "j",\n   "retries": "x"}}}'
    assert faults(toml, "toml")[0].startswith("f.yaml:5: tasks.a.retries")
    assert faults(json, "json")[0].startswith("f.yaml:4: tasks.a.retries")


def test_null_in_toml_is_refused_with_a_remedy():
    workflow = Workflow("w", (Task("a", "j", params={"x": None}),))
    with pytest.raises(InvalidWorkflow, match="use YAML or JSON"):
        render(workflow, "toml")


def test_a_map_behind_a_map_has_its_list_its_chunks_and_its_label():
    workflow = workflow_file.parse(
        tasks(
            "signals: {job: j, after: {factors: each}, max_parallel: 3}\n"
            "factors: {job: j, after: {bars: each}, label: 'f{{ index }}', params: {bar: '{{ bars.output }}'}}\n"
            "bars: {job: j, map: [1, 2, 3], chunk: 2, label: '{{ item[0] }}'}\n"
            "end: {job: j, trigger_rule: always}"
        ),
        "yaml",
        "f",
    )
    by_key = {task.key: task for task in workflow.tasks}
    assert {key: (task.map, task.chunk, task.label) for key, task in by_key.items()} == {
        "signals": ([1, 2, 3], 2, "f{{ index }}"),
        "factors": ([1, 2, 3], 2, "f{{ index }}"),
        "bars": ([1, 2, 3], 2, "{{ item[0] }}"),
        "end": (None, None, None),
    }
    assert by_key["factors"].after == (Edge("bars", each=True),)
    assert [edge.parent for edge in by_key["end"].after] == ["signals", "factors", "bars"]
    assert workflow_file.parse(json.dumps(dump(workflow)), "json", "f") == workflow
    assert stored.read(stored.write(workflow), "f") == workflow


KEYS = st.text(st.sampled_from("abz09_-./é中"), min_size=1, max_size=6).map(lambda key: f"k{key}")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0{"), max_size=12) | st.sampled_from(
    [
        "NO",
        "000300",
        "21:00",
        "2026-01-05",
        "1e5",
        "null",
        "~",
        "",
        " a",
        "- x",
        "#",
        "<<",
        "=",
        "a: b",
        "\n",
        "'",
        "0x1f",
    ]
)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(TEXTS, v, max_size=3), max_leaves=6)
SECONDS = st.none() | st.floats(0.001, 1e6)
SETTINGS = st.builds(
    Settings,
    pool=st.none() | KEYS,
    timeout=SECONDS,
    retries=st.none() | st.integers(0, 1000),
    retry_delay=SECONDS | st.just(0.0),
    backoff=st.sampled_from([None, "fixed", "exponential"]),
    retry_max_delay=SECONDS,
    jitter=st.none() | st.floats(0, 1),
    priority=st.none() | st.integers(-1000, 1000),
    memory=st.none() | st.integers(1, 2**40),
    retry=st.sampled_from([None, "automatic", "manual"]),
)
SCHEDULES = st.builds(
    Schedule,
    st.sampled_from(["@daily", "0 17 * * 1-5", "*/5 * * * * *"]),
    st.sampled_from(["UTC", "Asia/Shanghai"]),
    st.sampled_from(["none", "last"]),
    st.just(0),
    st.booleans(),
)


@st.composite
def workflows(draw):
    keys = draw(st.lists(KEYS, min_size=1, max_size=5, unique=True))
    found = []
    for place, key in enumerate(keys):
        parents = draw(st.lists(st.sampled_from(keys[:place]), unique=True)) if place else []
        conditions = [draw(st.sampled_from([None, "true", "{{ params == {} }}", "on"])) for _ in parents]
        edges = tuple(
            Edge(parent, on="breaker_open") if condition == "on" else Edge(parent, condition)
            for parent, condition in zip(parents, conditions, strict=True)
        )
        params = draw(st.none() | st.dictionaries(TEXTS, VALUES, max_size=3))
        found.append(Task(key, draw(KEYS), draw(TEXTS), edges, params, draw(SETTINGS)))
    return Workflow(
        draw(KEYS),
        tuple(draw(st.permutations(found))),
        *(draw(TEXTS) for _ in range(4)),
        tags=tuple(draw(st.lists(TEXTS.filter(bool), max_size=3))),
        enabled=draw(st.booleans()),
        params=draw(st.none() | st.dictionaries(KEYS, st.fixed_dictionaries({"default": VALUES}), max_size=3)),
        defaults=draw(SETTINGS),
        schedule=draw(st.none() | SCHEDULES),
        calendar=draw(st.sampled_from(["", "XSHG", "SHFE.rb"])),
        timeout=draw(SECONDS),
    )


@settings(max_examples=150)
@given(workflows())
def test_a_workflow_survives_being_written_in_every_format(workflow):
    for format in ("yaml", "toml", "json"):
        assert workflow_file.parse(render(workflow, format), format, "f") == workflow
    assert dump(workflow_file.parse(render(workflow, "json"), "json", "f")) == dump(workflow)
    assert stored.read(stored.write(workflow), "v") == workflow


@pytest.mark.parametrize("schedule", ['"0 17 * * *"', '{cron: "0 17 * * *", enabled: false}'])
def test_a_schedule_that_could_never_fire_is_a_fault(schedule):
    text = f"workflow: w\nparams: {{day: {{type: string}}, n: {{default: 1}}}}\nschedule: {schedule}\ntasks: {{a: {{job: x}}}}\n"
    with pytest.raises(InvalidWorkflow, match=r"f.yaml:3: schedule: can never fire: param day has no default"):
        workflow_file.parse(text, "yaml", "f.yaml")
    assert workflow_file.parse(
        text.replace("{type: string}", '{default: "{{ business_date }}"}'), "yaml", "f.yaml"
    ).schedule


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ('{"vendor:x": 0}', "limits: vendor:x: must be a whole number from 1 to 1000000, not 0"),
        ('{"vendor:x": 1.5}', "limits: vendor:x: must be a whole number from 1 to 1000000, not 1.5"),
        ("[a]", "limits: must hold keys and values, not a list"),
        ('{"bank:{{ params.bank }": 1}', "limits: '{{ params.bank }' opens {{ and never closes it"),
        ('{"bank:{{ b.output }}": 1}', "limits: the output of 'b' is not known here; tasks above: none"),
        ('{"bank:*": 1}', "limits: limit 'bank:*' contains '*'; use letters, digits and _ - . / :"),
    ],
)
def test_a_fault_in_limits_is_named(limits, fault):
    assert faults(tasks(f"a: {{job: j, limits: {limits}}}")) == [f"f.yaml:4: tasks.a.{fault}"]
