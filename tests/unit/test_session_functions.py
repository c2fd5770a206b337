"""Functions of expressions that ask a calendar, and `format`: what they give, and what they say of anything else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from qflowd.define import workflow_file
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.differences import differences
from qflowd.define.expressions import compile_condition, compile_value
from qflowd.define.writing import dump
from qflowd.model.errors import ExpressionFailed, InvalidExpression, InvalidWorkflow
from tests.support.rendering import render as render_file

SCOPE: dict[str, Any] = {
    "calendar": "XSHG",
    "business_date": "2026-11-20",  # a Friday
    "fire_at": "2026-11-20T13:05:00Z",  # 21:05 in Shanghai
    "params": {"exchange": "XHKG", "product": "rb", "long": "x" * 900_000, "n": 2, "nothing": None},
    "tasks": {},
}


def render(text: str, **scope: Any) -> Any:
    return compile_value("{{ " + text + " }}").render(SCOPE | scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("prev_session(business_date)", "2026-11-19"),
        ("prev_session(business_date, 1)", "2026-11-19"),
        ("prev_session('2026-10-08', params.n)", "2026-09-29"),
        ("next_session(business_date)", "2026-11-23"),
        ("next_session(business_date, 5)", "2026-11-27"),
        ("sessions('2026-09-28', '2026-10-08')", ["2026-09-28", "2026-09-29", "2026-09-30", "2026-10-08"]),
        ("sessions('2026-10-01', '2026-10-07')", []),
        ("is_session(business_date)", True),
        ("is_session('2026-10-01')", False),
        ("month_end_session('2026-10-01')", "2026-10-30"),
        ("trade_date('2026-11-20T09:30:00+08:00')", "2026-11-20"),
        ("trade_date('2026-11-20T02:00:00Z')", "2026-11-20"),
        ("trade_date('2026-11-21T09:30:00+08:00')", None),
        ("prev_session(trade_date(fire_at), 2)", "2026-11-18"),
    ],
)
def test_the_workflow_s_calendar_is_asked(text: str, value: Any) -> None:
    assert render(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("next_session('2025-12-31', 'XSHG')", "2026-01-05"),
        ("next_session('2025-12-31', 1, 'XHKG')", "2026-01-02"),
        ("next_session('2025-12-31', 1, params.exchange)", "2026-01-02"),
        ("is_session('2026-10-02', 'XHKG')", True),
        ("is_session('2026-10-02', params.exchange)", True),
        ("len(sessions('2026-10-01', '2026-10-07', 'XHKG')) > 0", True),
        ("trade_date(fire_at, 'SHFE.rb')", "2026-11-23"),  # Friday night is Monday's
        ("trade_date(fire_at, 'SHFE.' + params.product)", "2026-11-23"),
        ("month_end_session('2026-10-01', 'XNYS')", "2026-10-30"),
    ],
)
def test_another_calendar_is_named_by_the_last_argument(text: str, value: Any) -> None:
    assert render(text) == value
    assert render(text, calendar="") == value


def test_a_day_stands_inside_a_string_and_a_condition() -> None:
    assert compile_value("bars_{{ prev_session(business_date, 1) }}.csv").render(SCOPE) == "bars_2026-11-19.csv"
    condition = compile_condition("business_date == month_end_session(business_date)")
    assert condition.render(SCOPE) is False
    assert condition.render(SCOPE | {"business_date": "2026-11-30"}) is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("format(business_date, '%Y%m%d')", "20261120"),
        ("format(prev_session(business_date), 'y%y/%j, %a %d %b, %V')", "y26/323, Thu 19 Nov, 47"),
        ("format(business_date, '%Y年%m月 100%%')", "2026年11月 100%"),
        ("format(fire_at, '%Y%m%d_%H%M%S')", "20261120_130500"),
        ("format(local(fire_at, 'Asia/Shanghai'), '%Y%m%dT%H%M%z')", "20261120T2105+0800"),
        ("format(business_date, '')", ""),
    ],
)
def test_format_writes_days_and_instants(text: str, value: str) -> None:
    assert render(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prev_session(params.nothing)", "needs a date like 2026-01-05, not null"),
        ("is_session('soon')", "'soon' is not a date; write it like 2026-11-20"),
        ("is_session(5)", "is_session needs a date like 2026-01-05, not 5"),
        ("is_session(fire_at)", "'2026-11-20T13:05:00Z' is an instant, whose session is trade_date(…)"),
        ("prev_session(business_date, 0)", "n is 0; it counts sessions from 1"),
        ("prev_session(business_date, 1.5)", "n is 1.5, not a whole number"),
        ("prev_session(business_date, params.exchange)", "n is 'XHKG', not a whole number; it stands before"),
        ("is_session(business_date, 5)", "is_session needs the name of a calendar, such as XSHG, not 5"),
        ("is_session(business_date, params.long)", "is_session needs the name of a calendar, such as XSHG, not 'xxx"),
        ("is_session(business_date, params.product)", "there is no calendar 'rb'"),
        ("is_session(business_date, 'X' + 'SHH')", "did you mean XSH"),
        ("trade_date(null)", "where it is fire_at, no schedule has fired"),
        ("trade_date(business_date)", "'2026-11-20' has no offset from UTC; write it like"),
        ("trade_date('2026-11-20T21:05:00')", "has no offset from UTC; write it like 2026-01-05T21:05:00+08:00"),
        ("trade_date('now')", "'now' is not an instant"),
        ("trade_date(5)", "not 5"),
        ("format(params.nothing, '%Y')", "format needs a date like 2026-01-05, not null"),
        ("format(business_date, '%Y%H')", "format of a date does not have %H; it has %% %A"),
        ("format(fire_at, '%s')", "format of an instant does not have %s; it has"),
        ("format(business_date, '%-d')", "does not have %-"),
        ("format(business_date, '50%')", "does not have %;"),
        ("format(business_date)", 'format needs a pattern like "%Y%m%d"'),
        ("format(business_date, 5)", 'format needs a pattern like "%Y%m%d"'),
        ("format(business_date, sessions('2020-01-01', '2026-01-01'))", 'format needs a pattern like "%Y%m%d"'),
        ("format('soon', '%Y')", "'soon' is not an instant"),
    ],
)
def test_what_has_no_value_says_why(text: str, reason: str) -> None:
    with pytest.raises(ExpressionFailed) as caught:
        render(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text", ["prev_session(business_date)", "days(business_date, 1)", "format(business_date, '%Y')"]
)
def test_a_run_without_a_business_date_says_what_to_do(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="not null; where it is business_date, submit the instance with one"):
        render(text, business_date=None)


@pytest.mark.parametrize(
    "text", ["next_session('2199-01-01')", "sessions(business_date, '2199-01-01')", "next_session(business_date, 9999)"]
)
def test_past_the_horizon_nothing_is_guessed(text: str) -> None:
    with pytest.raises(ExpressionFailed, match=r"calendar XSHG is known to .* past that horizon"):
        render(text)


@pytest.mark.parametrize(
    "text",
    [
        "prev_session()",
        "prev_session(business_date, 1, 'XSHG', 2)",
        "sessions(business_date)",
        "sessions(business_date, 'XSHG', 'XSHG', 'XSHG')",
        "is_session(day=business_date)",
        "trade_date",
    ],
)
def test_a_call_with_other_arguments_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        compile_value("{{ " + text + " }}")


def test_a_template_knows_which_calendars_it_asks() -> None:
    template = compile_value(["{{ is_session('2026-01-05') }}", "{{ next_session('2026-01-05', 'XHKG') }}"])
    assert template.calendars == {"", "XHKG"}
    assert not template.is_constant


# ------------------------------------------------------------------------------------------------- in files

EVERYWHERE = """\
workflow: closes
{head}
params:
  day: {{type: string, default: "{{{{ prev_session(business_date) }}}}"}}
concurrency: {{policy: sequential, keyed: "{{{{ prev_session(business_date) }}}}"}}
defaults:
  limits: {{"day:{{{{ prev_session(business_date) }}}}": 1}}
tasks:
  a: {{job: work, params: {{day: "{{{{ prev_session(business_date) }}}}"}}}}
  b:
    job: work
    after: {{a: is_session(business_date)}}
    when: is_session(business_date)
  c:
    job: work
    map: "{{{{ sessions(business_date, business_date) }}}}"
    label: "{{{{ prev_session(item) }}}}"
outputs:
  day: "{{{{ prev_session(business_date) }}}}"
"""


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidWorkflow) as caught:
        workflow_file.parse(text, "yaml", "f.yaml")
    return str(caught.value).splitlines()


def test_a_call_without_a_calendar_is_a_fault_wherever_it_stands() -> None:
    found = faults(EVERYWHERE.format(head="title: Closes"))
    why = "no calendar is named: give the workflow one, as in `calendar: XSHG`, or name one as the last argument"
    assert all(fault.endswith(why) for fault in found)
    places = [fault.split(": ")[:2] for fault in found]
    assert places == [
        ["f.yaml:4", "params.day.default"],
        ["f.yaml:5", "concurrency.keyed"],
        ["f.yaml:7", "defaults.limits"],
        ["f.yaml:9", "tasks.a.params.day"],
        ["f.yaml:12", "tasks.b.after.a"],
        ["f.yaml:13", "tasks.b.when"],
        ["f.yaml:16", "tasks.c.map"],
        ["f.yaml:17", "tasks.c.label"],
        ["f.yaml:19", "outputs.day"],
    ]
    assert workflow_file.parse(EVERYWHERE.format(head="calendar: XSHG"), "yaml", "f.yaml").calendar == "XSHG"


def test_a_workflow_without_a_calendar_has_that_of_its_schedule() -> None:
    by_session, by_clock = "{at: close+30m, calendar: XHKG}", "{cron: 0 17 * * *, calendar: XHKG}"
    several = f"schedules: {{early: {by_session}, late: {by_clock}, other: 0 5 * * *}}"
    for head in (f"schedule: {by_session}", f"schedule: {by_clock}", several):
        found = workflow_file.parse(EVERYWHERE.format(head=head), "yaml", "f.yaml")
        assert found.calendar == "XHKG"
        assert workflow_file.parse(render_file(found, "yaml"), "yaml", "f.yaml") == found
    assert len(faults(EVERYWHERE.format(head=several.replace("XHKG", "XSHG", 1)))) == 9  # which of the two is not said
    both = EVERYWHERE.format(head="calendar: XSHG\nschedule: {at: close+30m, calendar: XHKG}")
    assert workflow_file.parse(both, "yaml", "f.yaml").calendar == "XSHG"


def test_an_unknown_calendar_is_a_fault_that_names_what_comes_near() -> None:
    assert faults(EVERYWHERE.format(head="calendar: xshgg")) == [
        "f.yaml:2: calendar: there is no calendar 'xshgg'; did you mean XSHG?"
    ]
    assert faults("workflow: w\ntasks:\n  a: {job: j, when: \"is_session('2026-01-05', 'XHKK')\"}\n") == [
        "f.yaml:3: tasks.a.when: there is no calendar 'XHKK'; did you mean XHKG?"
    ]


def test_the_calendar_of_a_builder_is_that_of_the_file_it_writes() -> None:
    built = WorkflowBuilder("w").with_calendar("XHKG").with_task(TaskBuilder("a", "work")).build()
    assert dump(built)["calendar"] == "XHKG"
    assert workflow_file.parse(render_file(built, "yaml"), "yaml", "f.yaml") == built
    other = WorkflowBuilder("w").with_task(TaskBuilder("a", "work")).build()
    assert [(one.change, one.key, one.after) for one in differences(other, built)] == [("added", "calendar", "XHKG")]


def test_a_workflow_without_calendars_imports_none() -> None:
    code = (
        "import sys; from qflowd.define import workflow_file; import qflowd.jobs.context\n"
        "text = 'workflow: w\\ntasks: {a: {job: j, params: {day: \"{{ days(business_date, 1) }}\"}}}'\n"
        "workflow_file.parse(text, 'yaml', 'f')\n"
        "print([name for name in sys.modules if name.startswith('qflowd.calendars')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"
