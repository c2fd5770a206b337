"""Other decorators beside `@job`: below it they run, above it they run too, and params are those of the function."""

import json

import pytest

from qflowd.workers.wire import Done

JOBS = """
    import asyncio, functools
    import tenacity

    def counted(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return ["counted", function(*args, **kwargs)]
        return wrapper

    def plainly(function):
        def wrapper(**kwargs):
            return ["plainly", function(**kwargs)]
        return wrapper

    class Timed:
        def __init__(self, function):
            self.function = function
        def __call__(self, **kwargs):
            return ["timed", self.function(**kwargs)]

    tries = []

    @job
    @tenacity.retry(stop=tenacity.stop_after_attempt(3))
    def stubborn(lots: int) -> int:
        tries.append(lots)
        if len(tries) < 3:
            raise ConnectionError
        return lots + len(tries)

    @job
    @tenacity.retry(stop=tenacity.stop_after_attempt(2))
    async def later(lots: int) -> int:
        return lots

    @job
    @counted
    async def wrapped_coroutine_in_a_list(lots: int):
        return lots

    def passes_on(function):
        @functools.wraps(function)
        def wrapper(**kwargs):
            return function(**kwargs)
        return wrapper

    @job
    @passes_on
    async def behind_a_plain_wrapper(lots: int):
        await asyncio.sleep(0)
        return lots

    @job
    @functools.lru_cache
    def cached(lots: int) -> int:
        return lots

    @counted
    @job
    def above(lots: int) -> int:
        return lots

    @plainly
    @job
    def above_without_wraps(lots: int) -> int:
        return lots

    @counted
    @Timed
    @plainly
    @job(retries=1)
    def far_above(lots: int) -> int:
        return lots

    @job(name="first")
    def twice(lots: int):
        return ["first", lots]

    @job(name="second")
    def twice(lots: int):
        return ["second", lots]

    @job
    def shadowed(lots: int) -> int:
        return lots

    shadowed = [shadowed]
"""


@pytest.mark.parametrize(
    ("job", "output"),
    [
        ("stubborn", 8),
        ("later", 5),
        ("behind_a_plain_wrapper", 5),
        ("cached", 5),
        ("above", ["counted", 5]),
        ("above_without_wraps", ["plainly", 5]),
        ("far_above", ["counted", ["timed", ["plainly", 5]]]),
        ("first", ["first", 5]),
        ("second", ["second", 5]),
        ("shadowed", 5),
    ],
)
def test_decorators_below_and_above_job_run(hire, job, output):
    end = hire(JOBS).end(job, params='{"lots": 5.0}')
    assert isinstance(end, Done), end
    assert json.loads(end.output) == output


def test_params_are_checked_against_the_function_that_is_decorated(hire):
    failed = hire(JOBS).end("stubborn", params='{"lot": 5}')
    assert "unknown parameter 'lot'; there are: lots" in failed.error
