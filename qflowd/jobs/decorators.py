"""`@job`: a function becomes a job by being recorded; it stays the plain function that it was."""

import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn, ParamSpec, TypeVar, overload

from qflowd.define.settings import SETTINGS
from qflowd.model.durations import parse_delay, parse_duration
from qflowd.model.errors import QflowdError
from qflowd.model.names import fault_in_key
from qflowd.model.workflow import Backoff, Retry, Settings

P = ParamSpec("P")
R = TypeVar("R")

LATER = frozenset({"wait_for"})
OF_A_TASK = "belongs to a task: `map:` in the workflow's file, or `TaskBuilder.with_map`"


class InvalidJob(QflowdError):
    """A function cannot be the job that its decorator or its parameters ask for."""


@dataclass(frozen=True, slots=True)
class Poll:
    """The second phase of a job, and in seconds when it looks: `first_s` after the submission, then every `every_s`."""

    function: Callable[..., Any]
    every_s: float
    within_s: float  # after the submission, at most
    first_s: float


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What `@job` recorded. `module`, `file` and `line` say where the decorator ran."""

    name: str
    function: Callable[..., Any]
    module: str
    file: str
    line: int
    title: str = ""
    doc: str = ""
    settings: Settings = Settings()  # noqa: RUF009 - frozen
    compensation: str = ""  # name of the job that undoes it
    poll: Poll | None = None  # where what it submits lands later


_specs: dict[tuple[str, str], JobSpec] = {}
_EMPTY_CELL = types.CellType()


@overload
def job(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def job(
    *,
    name: str | None = None,
    title: str = "",
    pool: str | None = None,
    timeout: str | float | None = None,
    retries: int | None = None,
    retry_delay: str | float | None = None,
    backoff: Backoff | None = None,
    retry_max_delay: str | float | None = None,
    jitter: float | None = None,
    priority: int | None = None,
    memory: str | int | None = None,
    limits: Mapping[str, int] | None = None,
    retry: Retry | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def job(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Make a function a job: `@job` or `@job(pool="io", timeout="10m", retries=3)`.

    Args:
        name: the job's key; the function's own name if not given.
        timeout, retry_delay, retry_max_delay: durations such as `"10m"`, or seconds.
        retries: attempts after the first, 0 to 1000.
        memory: limit of the worker, such as `"2G"`, or bytes.
        priority: -1000 to 1000; greater is sooner.
        limits: slots that each attempt takes of what is shared by all daemons, such as `{"vendor:tushare": 1}`.
        retry: `"manual"`: when its last attempt has failed, the task waits for a person, who retries or skips it.

    Raises: InvalidJob naming the setting, the value and what is possible.
    """
    if function is not None and settings:
        raise InvalidJob("@job takes settings by name: @job(timeout='10m')")
    if function is not None:
        return _record(function, None, "", Settings())
    name, title = settings.pop("name", None), settings.pop("title", "")
    checked = _settings(settings)
    return lambda function: _record(function, name, title, checked)


def on(event: Any, /, **_filters: Any) -> NoReturn:
    """Bind a hook to an event; not there yet.

    Raises: InvalidJob, always.
    """
    raise InvalidJob(f"@on({event!r}): hooks are not supported yet; remove the decorator")


def describe(function: Callable[..., Any], *, name: str | None = None, title: str = "", **settings: Any) -> JobSpec:
    """What `@job(…)` would say about `function` (or a bound method), without recording it.

    Raises: InvalidJob, as `@job` does.
    """
    _check_function(function)
    code = inspect.unwrap(function).__code__
    site = function.__module__, code.co_filename, code.co_firstlineno
    return _spec(function, name, title, _settings(settings), site)


def registered() -> list[JobSpec]:
    """All jobs recorded in this process, in the order of their decorators."""
    return list(_specs.values())


def find(module: str, name: str) -> JobSpec:
    """The job `name` that `module` recorded.

    Raises: InvalidJob if that module, once imported, defines no such job.
    """
    spec = _specs.get((module, name))
    if spec is None:
        raise InvalidJob(f"module {module} defines no job {name!r}")
    return spec


def outermost(spec: JobSpec) -> Callable[..., Any]:
    """What its module calls by the function's name: decorators that stand above `@job` belong to it."""
    name = getattr(spec.function, "__name__", spec.name)
    outer = getattr(sys.modules.get(spec.module), name, None)
    return outer if callable(outer) and _wraps(outer, spec.function) else spec.function


def _wraps(outer: Any, function: Callable[..., Any], layers: int = 8) -> bool:
    """Does `outer` hold `function`, as `__wrapped__`, in its closure, or as an attribute?"""
    if outer is function:
        return True
    cells = getattr(outer, "__closure__", None) or ()
    held = [cell.cell_contents for cell in cells if cell != _EMPTY_CELL] + list(getattr(outer, "__dict__", {}).values())
    layers -= 1
    return layers > 0 and any(callable(part) and _wraps(part, function, layers) for part in held)


def _record(function: Callable[..., Any], name: str | None, title: str, settings: Settings) -> Callable[..., Any]:
    _check_function(function)
    module, _, line = site = _site()
    spec = _spec(function, name, title, settings, site)
    label = spec.name
    earlier = _specs.get((module, label))
    if earlier is not None and earlier.line != line and module != "__main__":
        raise InvalidJob(
            f"job {label!r} is defined twice in this file (lines {earlier.line} and {line}); rename one with name="
        )
    _specs[module, label] = spec
    with contextlib.suppress(AttributeError):  # an object with slots
        function.__qflowd_job__ = spec  # type: ignore[attr-defined]
        function.compensation = partial(_compensation, module, label)  # type: ignore[attr-defined]
        function.poll = partial(_poll, module, label)  # type: ignore[attr-defined]
    return function


def _spec(
    function: Callable[..., Any], name: str | None, title: str, settings: Settings, site: tuple[str, str, int]
) -> JobSpec:
    label = inspect.unwrap(function).__name__ if name is None else name
    if (fault := fault_in_key(label, "the name")) is not None:
        raise InvalidJob(f"@job on {inspect.unwrap(function).__qualname__}: {fault}")
    module, file, line = site
    return JobSpec(
        name=label,
        function=function,
        module=module,
        file=file,
        line=line,
        title=title,
        doc=inspect.getdoc(function) or "",
        settings=settings,
    )


def _compensation(module: str, name: str, function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """`@fetch.compensation` or `@fetch.compensation(retries=5)`: a job of its own, which undoes what `fetch` did."""
    if function is None:
        return lambda function: _record_compensation(module, name, function, settings)
    return _record_compensation(module, name, function, settings)


def _record_compensation(module: str, name: str, function: Any, settings: dict[str, Any]) -> Any:
    undone = find(module, name)
    if undone.compensation:
        raise InvalidJob(f"job {name!r} already has a compensation: {undone.compensation!r}; it can have one")
    label, title = settings.pop("name", None), settings.pop("title", "")
    function = _record(function, label, title, _settings(settings))
    function.__qflowd_compensates__ = name
    _amend(undone, compensation=function.__qflowd_job__.name)
    return function


def _poll(
    module: str, name: str, /, *, every: str | float, within: str | float, first: str | float | None = None
) -> Callable[[Any], Any]:
    """`@fetch.poll(every="30s", within="20m")`: looks whether what `fetch` has submitted is there.

    The function is given what `fetch` returned, and those params of `fetch` that it names. `first` is the time before the
    first look, if not `every`: 0 for what may be there already.
    """
    every_s = _period(name, "every", every)
    within_s = _period(name, "within", within)
    first_s = every_s if first is None else _period(name, "first", first, parse_delay)
    if within_s < first_s:
        shorter_than = f"every={every!r}" if first is None else f"first={first!r}"
        raise InvalidJob(f"@{name}.poll: within={within!r} is shorter than {shorter_than}, so it would never look")

    def record(function: Any) -> Any:
        submitting = find(module, name)
        if submitting.poll is not None:
            raise InvalidJob(f"job {name!r} already has a poll, {submitting.poll.function.__name__}; it can have one")
        _check_poll(function, submitting)
        _amend(submitting, poll=Poll(function, every_s, within_s, first_s))
        return function

    return record


def _period(name: str, key: str, value: object, parse: Callable[[object], float] = parse_duration) -> float:
    try:
        return parse(value)
    except ValueError as error:
        raise InvalidJob(f"@{name}.poll: {key}={value!r}: {error}") from None


def _check_poll(function: Any, submitting: JobSpec) -> None:
    _check_function(function)
    known = inspect.signature(submitting.function).parameters
    given = list(inspect.signature(function).parameters.values())
    if not given or given[0].kind is inspect.Parameter.VAR_KEYWORD:
        raise InvalidJob(f"@{submitting.name}.poll: {function.__name__} needs a parameter for what the job returned")
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    for parameter in given[1:]:
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in known:
            raise InvalidJob(
                f"@{submitting.name}.poll: the job has no param {parameter.name!r}; it has {', '.join(known) or 'none'}"
            )


def _amend(spec: JobSpec, **changes: Any) -> None:
    _specs[spec.module, spec.name] = amended = replace(spec, **changes)
    spec.function.__qflowd_job__ = amended  # type: ignore[attr-defined]


def _check_function(function: Any) -> None:
    inner = inspect.unwrap(function) if callable(function) else function
    if not inspect.isroutine(inner) or inspect.isbuiltin(inner):
        raise InvalidJob(f"@job goes on a function, not on {type(function).__name__} {function!r}")
    name = inner.__qualname__
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidJob(f"job {name}: it yields; return a list instead")
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        raise InvalidJob(f"job {name}: params come by name; remove the `/` from its signature")
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        raise InvalidJob(
            f"job {name}: params come by name; *args cannot be filled, take a list. If that is the wrapper of a "
            "decorator, give it functools.wraps, which shows the parameters of what it wraps"
        )


def _site() -> tuple[str, str, int]:
    """Module, file and line of the innermost module body that is being executed.

    A factory in a helper module so registers for the file that called it: importing that file brings the job.
    """
    caller = frame = sys._getframe(2)  # noqa: SLF001 - inspect.stack() reads files
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    if frame.f_code.co_name != "<module>" or frame.f_globals.get("__name__") is None:
        frame = caller
    return str(frame.f_globals.get("__name__")), frame.f_code.co_filename, frame.f_lineno


def _settings(given: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for key, value in given.items():
        read = SETTINGS.get(key)
        if read is None:
            what = f"is not a setting; there are {', '.join(SETTINGS)}"
            if key in LATER:
                what = "is not supported yet"
            elif key == "map":
                what = OF_A_TASK
            raise InvalidJob(f"@job: {key} {what}")
        if value is None:
            continue
        try:
            values[key] = read(value)
        except ValueError as error:
            raise InvalidJob(f"@job: {key}={value!r}: {error}") from None
    return Settings(**values)
