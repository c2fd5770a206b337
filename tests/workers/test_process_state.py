"""A task meets the process as the first one did, whatever the tasks before it have done to it."""

import ast
import json
import os
import textwrap

import pytest

from qflowd.jobs.manifest import Manifest, Module

JOBS = """
    import asyncio, decimal, gc, locale, logging, logging.config, os, random, resource, signal, socket
    import sys, threading, time, warnings

    stray = logging.getLogger("stray")

    @job
    def leaks(code: str):
        exec(code, globals())

    @job
    def looks(expression: str):
        return repr(eval(expression))

    @job
    def looks_and_leaks(code: str, expression: str):
        before = repr(eval(expression))
        exec(code, globals())
        return before

    @job
    def speaks():
        logging.getLogger("stray").info("heard")
        logging.info("heard too")
        print("printed")

    @job
    async def leaves_a_task():
        async def later():
            await asyncio.sleep(0.05)
            print("too late")
        globals()["kept"] = asyncio.create_task(later())

    @job
    async def sleeps():
        await asyncio.sleep(0.2)

    @job
    def who():
        return os.getpid()
"""
QUICK = {
    "folder": ("os.chdir('/')", "os.getcwd()"),
    "deleted folder": ("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", "os.getcwd()"),
    "environment": ("os.environ['DESK'] = 'fx'; os.environ.pop('PATH')", "sorted(os.environ.items())"),
    "environment as bytes": ("os.environb[b'DESK'] = b'fx'", "sorted(os.environ.items())"),
    "os.environ itself": ("os.environ = {'DESK': 'fx'}", "type(os.environ)"),
    "umask": ("os.umask(0)", "(m := os.umask(0o22), os.umask(m))"),
    "signal handler": ("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "signal.getsignal(signal.SIGCHLD)"),
    "our handler": ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "str(signal.getsignal(signal.SIGTERM))[:20]"),
    "alarm": ("signal.alarm(1)", "signal.getitimer(signal.ITIMER_REAL)"),
    "socket timeout": ("socket.setdefaulttimeout(0.1)", "socket.getdefaulttimeout()"),
    "decimal": ("decimal.getcontext().prec = 5", "decimal.Decimal(1) / 3"),
    "TZ": ("os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "time.localtime(0).tm_hour"),
    "TZ without its variable": ("os.environ['TZ'] = 'Asia/Tokyo'; time.tzset(); del os.environ['TZ']", "time.tzname"),
    "sys.path": ("sys.path.insert(0, '/tmp/x')", "sys.path"),
    "other sys.path": ("sys.path = ['/tmp/x']", "sys.path"),
    "stdout": ("sys.stdout = open(os.devnull, 'w')", "type(sys.stdout)"),
    "stderr": ("sys.stderr = None", "type(sys.stderr)"),
    "warnings": ("warnings.simplefilter('error')", "(warnings.filters, warnings.warn('w'))"),
    "logging.disable": ("logging.disable(logging.CRITICAL)", "logging.getLogger('x').isEnabledFor(logging.ERROR)"),
    "root level": ("logging.getLogger().setLevel('ERROR')", "logging.getLogger('x').isEnabledFor(logging.INFO)"),
    "root handlers": ("logging.getLogger().handlers.clear()", "logging.getLogger().handlers"),
    "dictConfig": (
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}})",
        "(logging.getLogger('stray').disabled, logging.getLogger().handlers, logging.getLogger().level)",
    ),
    "basicConfig": ("logging.basicConfig(force=True, level='ERROR')", "logging.getLogger().handlers"),
    "excepthook": ("sys.excepthook = print", "sys.excepthook"),
    "trace": ("sys.settrace(lambda *_: None)", "sys.gettrace()"),
    "gc": ("gc.disable()", "gc.isenabled()"),
    "recursion": ("sys.setrecursionlimit(5000)", "sys.getrecursionlimit()"),
}
THOROUGH = {
    "locale": ("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "locale.setlocale(locale.LC_ALL)"),
    "odd signal handler": ("signal.signal(signal.SIGXCPU, signal.SIG_IGN)", "signal.getsignal(signal.SIGXCPU)"),
    "level of a logger": ("stray.setLevel('ERROR')", "stray.isEnabledFor(logging.INFO)"),
    "handler of a logger": ("stray.addHandler(logging.StreamHandler())", "stray.handlers"),
    "new logger": ("logging.getLogger('new').propagate = False", "logging.getLogger('new').propagate"),
    "handler level": ("logging.getLogger().handlers[0].setLevel(50)", "logging.getLogger().handlers[0].level"),
    "signal mask": (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [])",
    ),
    "CPU timer": ("signal.setitimer(signal.ITIMER_PROF, 60)", "signal.getitimer(signal.ITIMER_PROF)"),
    "soft limit": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
        "resource.getrlimit(resource.RLIMIT_NOFILE)",
    ),
    "affinity": ("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})", "os.sched_getaffinity(0)"),
    "thread hook": ("threading.excepthook = print", "threading.excepthook"),
    "start method": (
        "import multiprocessing; multiprocessing.set_start_method('spawn')",
        "__import__('multiprocessing').get_start_method(allow_none=True)",
    ),
    "fault timer": ("import faulthandler; faulthandler.dump_traceback_later(0.3, exit=True)", "time.sleep(0.5)"),
}
ENV = {"PATH": os.environ["PATH"], "TZ": "UTC"}


def output_of(story, job: str, **params: str):
    end = story.end(job, params=json.dumps(params))
    assert end.output is not None, end
    return json.loads(end.output)


@pytest.mark.parametrize("name", [*QUICK, *THOROUGH])
def test_what_a_job_changes_is_put_back_before_the_next(hire, name):
    code, expression = {**QUICK, **THOROUGH}[name]
    story = hire(JOBS, env=ENV)
    pid = output_of(story, "who")
    before = output_of(story, "looks", expression=expression)
    leaking = story.end("leaks", params=json.dumps({"code": code}))
    assert getattr(leaking, "error", None) is None
    assert output_of(story, "looks", expression=expression) == before
    assert output_of(story, "who") == pid


@pytest.mark.parametrize("name", QUICK)
def test_short_tasks_that_travel_together_do_not_meet_what_the_one_before_them_did(hire, name):
    code, expression = QUICK[name]
    story = hire(JOBS, env=ENV)
    ids = story.send(
        "looks_and_leaks", tasks=4, params=json.dumps({"code": code, "expression": expression}), estimate_s=9
    )
    story.until_ended(ids)
    assert len({story.ends()[task_id].output for task_id in ids}) == 1


@pytest.mark.parametrize("name", ["folder", "environment", "umask", "logging.disable", "stdout", "level of a logger"])
def test_in_a_pool_with_threads_it_is_put_back_when_no_task_runs(hire, name):
    code, expression = {**QUICK, **THOROUGH}[name]
    story = hire(JOBS, threads=2, env=ENV)
    before = output_of(story, "looks", expression=expression)
    story.end("leaks", params=json.dumps({"code": code}))
    assert output_of(story, "looks", expression=expression) == before


@pytest.mark.parametrize(
    "code",
    [
        "logging.disable(logging.CRITICAL)",
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'ERROR'}})",
        "logging.basicConfig(force=True, level='ERROR')",
        "logging.getLogger('stray').disabled = True; sys.stdout = sys.stderr = None",
    ],
)
def test_later_jobs_lose_none_of_their_records(hire, code):
    story = hire(JOBS, env=ENV)
    story.end("leaks", params=json.dumps({"code": code}))
    ended = story.end("speaks")
    story.until(lambda: len(story.text_of(ended.task_id)) >= 3)
    assert story.text_of(ended.task_id) == ["heard", "heard too", "printed"]


def test_what_cannot_be_put_back_costs_the_process_and_the_log_says_why(hire):
    story = hire(JOBS, env=ENV)
    nice = output_of(story, "looks", expression="os.getpriority(os.PRIO_PROCESS, 0)")
    pids = set(story.crew.pids())
    code = "os.geteuid() or os.setresuid(65534, 65534, 65534); os.nice(5)"
    leaking = story.end("leaks", params=json.dumps({"code": code}))
    story.until_seen("cannot be put back")
    assert any("nice value" in text for text in story.text_of(leaking.task_id))
    story.until(lambda: story.crew.pids() and not pids & story.crew.pids().keys())
    assert output_of(story, "looks", expression="os.getpriority(os.PRIO_PROCESS, 0)") == nice


def test_what_importing_a_module_changes_belongs_to_its_jobs_and_to_no_others(hire):
    changes = """
    stray.setLevel("ERROR")
    os.environ["DESK"] = "fx"
    decimal.getcontext().prec = 5
    sys.stdout = None
    """
    modules = {
        name: Module(f"/srv/{name}.py", ("from qflowd import job\n" + textwrap.dedent(source)).encode(), False, "")
        for name, source in {"desk": JOBS + changes, "other": JOBS}.items()
    }
    story = hire(env=ENV, manifest=Manifest(modules).encode())
    expression = "(os.environ.get('DESK'), str(decimal.Decimal(1) / 3), stray.level, sys.stdout is None)"
    params = json.dumps({"expression": expression})

    def look(module: str):
        ids = story.send("looks", params=params, module=module)
        story.until_ended(ids)
        return ast.literal_eval(json.loads(story.ends()[ids[0]].output))

    for _ in range(2):
        assert look("desk") == ("fx", "0.33333", 40, True)
        assert look("other") == (None, "0.3333333333333333333333333333", 0, False)
    story.end("leaks", params=json.dumps({"code": "decimal.getcontext().prec = 9; os.environ['DESK'] = 'eq'"}))
    assert look("desk") == ("fx", "0.33333", 40, True)


def test_what_an_async_job_leaves_running_is_cancelled_with_it(hire):
    story = hire(JOBS, env=ENV)
    left = story.end("leaves_a_task")
    story.end("sleeps")
    story.end("speaks")
    story.until_seen("printed")
    assert story.text_of(left.task_id) == []
