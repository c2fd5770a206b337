"""`@job` records a function and leaves it a plain function."""

import asyncio
import functools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

import qflowd
from qflowd import job, on
from qflowd.jobs.decorators import InvalidJob, find, registered
from qflowd.jobs.signature import params_schema, signature
from qflowd.model.workflow import Settings


def spec_of(function):
    return function.__qflowd_job__


def run(source, module, **names):
    """As an importer would."""
    exec(compile(source, f"{module}.py", "exec"), {"__name__": module, **names})  # noqa: S102 - files of users


def test_a_decorated_function_stays_a_plain_function():
    @job
    def plain(x: int) -> int:
        """Doubles."""
        return 2 * x

    assert plain(4) == 8
    spec = spec_of(plain)
    assert (spec.name, spec.doc, spec.settings) == ("plain", "Doubles.", Settings())
    assert spec.function is plain
    assert spec in registered()
    assert find(spec.module, "plain") is spec


def test_settings_are_read_as_people_write_them():
    @job(
        name="desk/settings",
        title="All",
        pool="io",
        timeout="10m",
        retries=3,
        retry_delay=0,
        backoff="exponential",
        retry_max_delay="1h30m",
        jitter=0.5,
        priority=-5,
        memory="2G",
        retry="manual",
    )
    def everything() -> None: ...

    assert spec_of(everything).title == "All"
    assert spec_of(everything).settings == Settings(
        "io", 600.0, 3, 0.0, "exponential", 5400.0, 0.5, -5, 2 << 30, retry="manual"
    )


def test_an_async_function_stays_one():
    @job
    async def later() -> int:
        return 1

    with ThreadPoolExecutor(1) as pool:  # a browser of earlier tests may have a loop in this thread
        assert pool.submit(asyncio.run, later()).result() == 1


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"timeout": "soon"}, "timeout='soon'"),
        ({"timeout": 0}, "timeout=0"),
        ({"retries": -1}, "retries=-1: must be a whole number from 0 to 1000"),
        ({"retries": True}, "retries=True"),
        ({"retry_delay": False}, "retry_delay=False"),
        ({"backoff": "wild"}, "must be one of fixed, exponential, not 'wild'"),
        ({"retry": "never"}, "must be one of automatic, manual, not 'never'"),
        ({"jitter": 2}, "jitter=2"),
        ({"priority": 1001}, "from -1000 to 1000"),
        ({"memory": "lots"}, "memory='lots'"),
        ({"pool": ""}, "pool"),
        ({"limits": {"a": 0}}, "must be a whole number from 1 to 1000000, not 0"),
        ({"limits": {"a b": 1}}, "limit 'a b' contains ' '"),
        ({"colour": "red"}, "colour is not a setting; there are pool"),
        ({"map": [1]}, "map belongs to a task: `map:` in the workflow's file, or `TaskBuilder.with_map`"),
    ],
)
def test_a_faulty_setting_is_named_at_decoration(settings, says):
    with pytest.raises(InvalidJob) as caught:
        job(**settings)(lambda: None)
    assert says in str(caught.value)


def test_a_function_that_cannot_be_a_job_is_refused():
    def yields():
        yield 1

    async def yields_later():
        yield 1

    def positional(a, /):
        return a

    def many(*args):
        return args

    for function, says in [
        (yields, "yields"),
        (yields_later, "yields"),
        (positional, "by name"),
        (many, r"\*args"),
        (int, "goes on a function"),
        (lambda: 1, "contains '<'"),
    ]:
        with pytest.raises(InvalidJob, match=says):
            job(function)


def test_a_job_name_needs_the_letters_of_a_key():
    with pytest.raises(InvalidJob, match="contains ' '"):

        @job(name="two words")
        def anything() -> None: ...


def test_the_same_name_twice_in_one_file_is_refused_with_both_lines():
    source = "from qflowd import job\n@job\ndef a(): ...\n@job\ndef a(): ...\n"
    with pytest.raises(InvalidJob, match=r"job 'a' is defined twice in this file \(lines 2 and 4\)"):
        run(source, "twice")


def test_a_factory_registers_for_the_file_that_calls_it():
    def factory(name):
        @job(name=name)
        def made() -> None: ...

        return made

    run("\nmade = factory('made-by-caller')", "caller", factory=factory)
    spec = find("caller", "made-by-caller")
    assert (spec.file, spec.line) == ("caller.py", 2)


def test_hooks_say_that_they_come_later():
    with pytest.raises(InvalidJob, match="hooks are not supported yet"):

        @on("workflow.failed")
        def hook(event): ...


def test_a_compensation_is_a_job_of_its_own_that_the_job_names():
    @job
    def load(symbol: str) -> dict: ...

    @load.compensation(retries=5)
    def unload(symbol: str, output: dict) -> None: ...

    assert spec_of(load).compensation == "unload"
    assert find(spec_of(load).module, "load") is spec_of(load)
    undo = spec_of(unload)
    assert (undo.settings.retries, undo.compensation) == (5, "")
    # A task that failed has no output.
    assert signature(unload).bind({"symbol": "IBM", "output": None}) == {"symbol": "IBM", "output": None}
    with pytest.raises(InvalidJob, match="job 'load' already has a compensation: 'unload'; it can have one"):
        load.compensation(lambda symbol: None)


def test_all_public_names_can_be_imported_or_belong_to_a_floor_above():
    for name in qflowd.__all__:
        if name not in {"Engine", "connect", "TaskBuilder", "WorkflowBuilder"}:
            assert getattr(qflowd, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = qflowd.nonsense


def test_importing_qflowd_imports_nothing_else_of_it():
    code = "import qflowd, sys; print([m for m in sys.modules if m.startswith(('qflowd.', 'msgspec'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_wrapper_that_hides_the_parameters_is_refused_with_a_remedy():
    def logged(function):
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    with pytest.raises(InvalidJob, match=r"functools\.wraps"):
        job(logged(lambda: 1))


def test_a_decorated_function_has_the_schema_and_the_name_of_the_function_within():
    @job
    @functools.lru_cache
    def cached(symbol: str, lots: int = 1) -> int:
        """Counts."""

    spec = spec_of(cached)
    assert (spec.name, spec.doc) == ("cached", "Counts.")
    assert list(params_schema(spec.function)["properties"]) == ["symbol", "lots"]
