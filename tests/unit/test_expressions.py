"""The expression language: what it says, what it refuses, and that nothing gets out or grows."""

import contextlib
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.define.expressions import compile_condition, compile_value
from qflowd.model.errors import ExpressionFailed, InvalidExpression

SCOPE = {
    "params": {
        "trade_date": "2026-01-05",
        "n": 3,
        "symbols": ["A", "B", "C"],
        "big": "x" * 900_000,
        "long": [0] * 900_000,
    },
    "business_date": None,
    "fire_at": "2026-01-05T09:00:00Z",
    "instance": {"id": 7, "name": "seven"},
    "tasks": {"bars": {"output": {"missing": 0, "rows": [1, 2]}}, "a-b": {"output": [True]}},
}


def render(value, scope=SCOPE):
    return compile_value(value).render(scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no expression } } {", "no expression } } {"),
        ("{{ params.n }}", 3),
        ("{{params.n}}", 3),
        (" {{ params.n }}", " 3"),
        ("{{ params.n }}{{ params.n }}", "33"),
        ("out/{{ params.trade_date }}.csv", "out/2026-01-05.csv"),
        ("{{ params }}x", None),
        ("{{ params.symbols }} and {{ true }}", '["A","B","C"] and true'),
        ("{{ bars.output.missing == 0 }}", True),
        ("{{ tasks['a-b'].output[0] }}", True),
        ("{{ tasks['bars'].output.rows[-1] }}", 2),
        ("{{ params['n'] * 2 + 1 }}", 7),
        ("{{ 7 // 2 - -1 % 3 }}", 1),
        ("{{ 1 / 4 }}", 0.25),
        ("{{ params.symbols[1:] + ['D'] }}", ["B", "C", "D"]),
        ("{{ params.trade_date[:4] + '/x' }}", "2026/x"),
        ("{{ 'A' in params.symbols and 'Z' not in params.symbols }}", True),
        ("{{ 'n' in params }}", True),
        ("{{ 1 < params.n <= 3 }}", True),
        ("{{ not business_date }}", True),
        ("{{ business_date is null }}", True),
        ("{{ business_date or params.trade_date }}", "2026-01-05"),
        ("{{ 'few' if params.n < 5 else 'many' }}", "few"),
        ("{{ {'a': {'b': params.n}} }}", {"a": {"b": 3}}),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ '}}' + \"{{\" }}", "}}{{"),
        ("{{ [true, false, null, None] }}", [True, False, None, None]),
        ("{{ len(params.symbols) + max(1, 5) + min([4, 2]) + sum([1, 2]) + abs(-1) }}", 14),
        ("{{ [str(5), int('7'), float('1.5'), bool(''), round(2.567, 1)] }}", ["5", 7, 1.5, False, 2.6]),
        ("{{ get(params, 'nothing', 5) }}", 5),
        ("{{ replace(params.trade_date, '-', '') }}", "20260105"),
        ("{{ days(params.trade_date, -5) }}", "2025-12-31"),
        ("{{ params.n\n  + 1  # next\n }}", 4),
        ({"a": ["{{ params.n }}", 1], "{{ key }}": None}, {"a": [3, 1], "{{ key }}": None}),
    ],
)
def test_expressions_mean_what_they_say(text, value):
    if text == "{{ params }}x":
        scope = SCOPE | {"params": {"n": 1}}
        assert render(text, scope) == '{"n":1}x'
    else:
        found = render(text)
        assert found == value
        assert type(found) is type(value)


def test_a_template_knows_what_it_uses():
    template = compile_value(
        {"a": "{{ params.n + bars.output.x }} {{ params['m'] }}", "b": '{{ tasks["a-b"].output }}'}
    )
    assert template.facts == {"params"}
    assert template.params == {"n", "m"}
    assert template.tasks == {"bars", "a-b"}
    assert not template.is_constant
    assert compile_value({"a": [1, "x"]}).is_constant


def test_outputs_are_fetched_only_when_they_are_needed():
    class Lazy(Mapping):
        asked = ()

        def __getitem__(self, key):
            self.asked = (*self.asked, key)
            return {"output": {"missing": 0}}

        def __contains__(self, key):
            return True

        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

    tasks = Lazy()
    assert render("{{ params.n == 3 or bars.output.missing }}", SCOPE | {"tasks": tasks}) is True
    assert tasks.asked == ()
    assert render("{{ bars.output.missing }}", SCOPE | {"tasks": tasks}) == 0
    assert tasks.asked == ("bars",)


@pytest.mark.parametrize("text", ["{{ bars.output.missing == 0 }}", "bars.output.missing == 0", " params.symbols "])
def test_a_condition_is_true_or_false_with_and_without_braces(text):
    assert compile_condition(text).render(SCOPE) is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ params.trade_dat }}", "params has no 'trade_dat'; it has trade_date, n, symbols"),
        ("{{ params.symbols[9] }}", "params.symbols has no item 9; it has 3"),
        ("{{ params.n.x }}", "params.n is a int and has no 'x'"),
        ("{{ business_date.year }}", "business_date is null and has no 'year'"),
        ("day {{ business_date }}", "is null, which cannot stand inside a string; submit with a business date"),
        ("{{ nothing.output }}", "the task nothing has no output here"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'a' < 1 }}", "'<' not supported"),
        ("{{ true + 1 }}", "True is not a number"),
        ("{{ days('soon', 1) }}", "soon"),
        ("{{ days(params.trade_date, 1e300) }}", "too large"),
        ("{{ int('x') }}", "invalid literal"),
        ("{{ max() }}", "max"),
        ("{{ {params.symbols: 1} }}", "is not a string"),
        ("{{ {} in {} }}", "unhashable"),
    ],
)
def test_a_value_that_is_missing_is_named(text, reason):
    with pytest.raises(ExpressionFailed) as caught:
        render(text)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("{{ ")


@pytest.mark.parametrize(
    "attack",
    [
        "params.__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "__import__('os').system('id')",
        "__builtins__.output",
        "open('/etc/passwd')",
        "eval('1')",
        "getattr(params, 'x')",
        "params.get('x')",
        "'a'.upper()",
        "'{0.__class__}'.format(params)",
        "f'{params}'",
        "b'x'",
        "lambda: 1",
        "(lambda: 1)()",
        "[x for x in params.symbols]",
        "{x for x in params.symbols}",
        "{x: 1 for x in params.symbols}",
        "sum(x for x in params.long)",
        "(x := 1)",
        "[*params.symbols]",
        "{**params}",
        "{1, 2}",
        "len(*params.symbols)",
        "params.symbols[0:1, 2]",
        "max(1, key=len)",
        "9**9",
        "9**9**9**9",
        "1 << 9999999",
        "~1",
        "params @ params",
        "1j",
        "...",
        "await params",
        "yield",
        "import os",
        "a; b",
        "params is params",
        "len",
        "tasks",
        "bars",
        "nobody",
        "",
        "1) + (",
        "9" * 5000,
        "9" * 3000,
        "1e999",
        "(" * 500 + ")" * 500,
        "-" * 3000 + "1",
        "not " * 900 + "1",
        "1" + "+1" * 1900,
        "params" + ".a" * 1900,
        "[" * 190 + "]" * 190,
        "params" + "[0]" * 1000,
    ],
)
def test_an_attack_is_refused_before_anything_runs(attack):
    with pytest.raises(InvalidExpression):
        compile_value("{{ " + attack + " }}")
    with pytest.raises(InvalidExpression):
        compile_condition(attack)


@pytest.mark.parametrize(
    "attack",
    [
        "'x' * 1000000000",
        "1000000000 * 'x'",
        "[0] * 1000000000",
        "'%1000000000d' % 1",
        "params.big + params.big",
        "params.long + params.long",
        "[params.big, params.big]",
        "{'a': params.long, 'b': params.long}",
        "replace(params.big, 'x', params.big)",
        "str([params.big, params.big])",
        "9223372036854775807 * 9223372036854775807",
        "1e308 * 10",
        "float('nan')",
        "int('9' + params.big)",
        "round(1.5, 1000000000)",
        "'a' + 1",
    ],
)
def test_nothing_grows_beyond_its_bound(attack):
    begun = time.process_time()
    with pytest.raises(ExpressionFailed):
        render("{{ " + attack + " }}")
    assert time.process_time() - begun < 2  # of CPU: an attack that got through would take minutes, or all memory


def test_texts_joined_from_many_parts_are_bounded_too():
    with pytest.raises(ExpressionFailed, match="larger than"):
        render("{{ params.big }} {{ params.big }}")


LARGE = SCOPE | {"tasks": {"bars": {"output": {"text": "x" * 9_000_000, "rows": [0] * 3_000_000}}}}


@pytest.mark.parametrize("text", ["{{ bars.output }}", "{{ bars.output.text }}", "{{ bars.output.rows }}"])
def test_an_output_is_given_whole_however_large(text):
    assert render({"of": text, "beside": "{{ params.big }}"}, LARGE)["of"]


def test_what_is_made_of_a_large_output_is_bounded_all_the_same():
    for attack in ("[bars.output, bars.output]", "bars.output.text + 'x'", "str(bars.output)"):
        with pytest.raises(ExpressionFailed, match="larger than"):
            render("{{ " + attack + " }}", LARGE)


@pytest.mark.parametrize("text", ["{{ params.n", "x {{", "{{ 'a }}", "{{ (1 }}"])
def test_braces_that_never_close_are_a_fault(text):
    with pytest.raises(InvalidExpression, match="never closes"):
        compile_value(text)


@given(st.text(alphabet="{}'\"()[]. paramstsklen0123+-*=:,_\n\\#ifor", max_size=60))
def test_any_text_is_a_value_or_a_clear_fault(text):
    scope = SCOPE | {"params": {"n": 1, "s": "x"}}
    for compiled, source in ((compile_value, "{{" + text + "}}"), (compile_value, text), (compile_condition, text)):
        with contextlib.suppress(InvalidExpression, ExpressionFailed):
            compiled(source).render(scope)
