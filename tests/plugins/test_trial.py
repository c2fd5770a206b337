"""Files that ruin the process that imports them are known by name, and nothing else is lost."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qflowd.jobs.manifest import Manifest
from qflowd.plugins.trial import Trial, TrialFailed
from qflowd.workers.environment import worker_env
from tests.plugins.conftest import poll_until

GOOD = "from qflowd import job\n@job(timeout='10m')\ndef good(symbol: str) -> None:\n    'Says hello.'\n"

HINT_THAT_RAISES = """from __future__ import annotations
from qflowd import job
def hint(): return 1 / 0
@job
def f(x: hint()): ...
"""


def load(make_reloader, folder, **options):
    return make_reloader(folder.path, **options).start()


def test_a_good_file_gives_its_jobs_with_schema_and_settings(folder, make_reloader):
    path = folder.write("good.py", GOOD)
    job = load(make_reloader, folder).jobs["good"]
    assert (job.module, job.file, job.doc, job.settings.timeout) == ("good", path, "Says hello.", 600.0)
    assert job.params_schema["properties"] == {"symbol": {"type": "string"}}


def test_a_job_below_or_above_other_decorators_has_the_schema_of_its_function(folder, make_reloader):
    source = "import tenacity\nfrom qflowd import job\n@job\n@tenacity.retry\ndef tried(n: int) -> None: ...\n"
    folder.write("tried.py", source + GOOD.replace("@job", "@tenacity.retry\n@job"))
    jobs = load(make_reloader, folder).jobs
    assert list(jobs["tried"].params_schema["properties"]) == ["n"]
    assert list(jobs["good"].params_schema["properties"]) == ["symbol"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1\ndef f(:\n", "line 2: SyntaxError"),
        ("\n\n1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError"),
        ("import os\nos._exit(3)\n", "ended the process (exit code 3)"),
        ("import os\nos._exit(0)\n", "ended the process (exit code 0)"),
        ("import sys\nsys.exit()\n", "line 2: SystemExit"),
        ("import ctypes\nctypes.string_at(0)\n", "line 2: importing it crashed the process (SIGSEGV)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "SIGKILL"),
        (b"\x7fELF\0\0\1", "source code string cannot contain null bytes"),
        (b"x = '\xff\xfe'\n", "SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xff"),
        ("from qflowd import job\n@job(timeout='soon')\ndef f(): ...\n", "line 2: InvalidJob: @job: timeout='soon'"),
        ("from qflowd import job\nclass X: ...\n@job\ndef f(x: X): ...\n", "line 3: job f: parameter 'x'"),
        ("from qflowd import job\n@job\ndef f(x: Y): ...\n", "NameError"),
        ("raise ValueError('a name \\udcff')\n", "line 1: ValueError: a name \N{REPLACEMENT CHARACTER}"),
        ("from qflowd import job\n@job\ndef f(x: str = '\\udcff'): ...\n", "line 2: UnicodeEncodeError"),
        (HINT_THAT_RAISES, "ZeroDivisionError"),
        ("from qflowd import on\n@on('workflow.failed')\ndef f(event): ...\n", "hooks are not supported yet"),
    ],
)
def test_a_bad_file_shows_its_error_and_the_others_live(folder, make_reloader, source, says):
    folder.write("good.py", GOOD)
    bad = folder.write("bad.py", source)
    registry = load(make_reloader, folder)
    assert set(registry.jobs) == {"good", "log", "delay"}
    assert says in registry.errors.pop(bad)
    assert not registry.errors


def test_an_endless_import_is_stopped_and_its_line_is_known(folder, make_reloader):
    folder.write("good.py", GOOD)
    bad = folder.write("bad.py", "x = 0\nwhile True:\n    x += 1\n")
    registry = load(make_reloader, folder, timeout_s=0.5)
    assert "good" in registry.jobs
    assert registry.errors[bad].endswith("importing it took more than 0.5 s")
    assert registry.errors[bad].startswith(("line 2: ", "line 3: "))


def test_a_file_that_eats_memory_is_stopped(folder):
    from qflowd.jobs.manifest import Manifest
    from qflowd.plugins.module_names import modules_of
    from qflowd.plugins.source import scan

    folder.write("good.py", GOOD)
    folder.write("bad.py", "kept = []\nwhile True:\n    kept.append(bytearray(b'x' * 10_000_000))\n")
    modules = modules_of(scan([folder.path], [".py"], trusted_only=True).files.values())
    trial = Trial(Manifest(modules), {}, memory_bytes=300 << 20, env=worker_env(os.environ))
    while (answer := trial.poll()) is None:
        trial.wait_s(0.02)
    found = answer.found
    assert "more than 300 MB of memory" in found["bad"].error
    assert [job.name for job in found["good"].jobs] == ["good"]


def test_several_culprits_are_all_named(folder, make_reloader):
    bad = [folder.write(f"bad{n}.py", f"import os\nos._exit({n})\n") for n in range(3)]
    folder.write("good.py", GOOD)
    registry = load(make_reloader, folder)
    assert [registry.errors[path] for path in bad] == [
        f"importing it ended the process (exit code {n})" for n in range(3)
    ]
    assert "good" in registry.jobs


def test_a_start_that_can_start_no_process_says_so_and_may_be_repeated(folder, make_reloader, tmp_path):
    folder.job("good")
    place = tmp_path / "workers"
    reloader = make_reloader(folder.path, cwd=place)
    with pytest.raises(TrialFailed, match="no process can be started to try the plugins: No such file"):
        reloader.start()
    place.mkdir()
    assert "good" in reloader.start().jobs


def test_a_start_that_could_start_no_process_leaves_nothing_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        with pytest.raises(TrialFailed):
            Trial(Manifest(), {}, env={}, cwd=tmp_path / "missing")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_a_file_starts_at_import_dies_with_its_trial(folder, make_reloader, tmp_path):
    pid_file = tmp_path / "pid"
    folder.write(
        "starts.py",
        "import subprocess\nfrom pathlib import Path\n"
        f"Path({str(pid_file)!r}).write_text(str(subprocess.Popen(['sleep', '300']).pid))\n" + GOOD,
    )
    assert "good" in load(make_reloader, folder).jobs
    state = Path(f"/proc/{pid_file.read_text()}/stat")
    deadline = time.monotonic() + 5
    while state.exists() and ") Z" not in state.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_user_code_gets_no_secret_and_no_input(folder, make_reloader, monkeypatch):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", "postgresql://me:secret@host/db")
    folder.write(
        "nosy.py",
        "import os, sys\nassert 'QFLOWD_DATABASE_URL' not in os.environ\nassert sys.stdin.read() == ''\n"
        "print('x' * 10_000_000)\nsys.stderr.write('y' * 1_000_000)\n" + GOOD,
    )
    registry = load(make_reloader, folder)
    assert not registry.errors
    assert "good" in registry.jobs


def test_nothing_is_left_when_the_daemon_stops_in_the_middle(folder, make_reloader, tmp_path):
    pid_file = tmp_path / "pid"
    folder.write(
        "slow.py",
        f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n",
    )
    reloader = make_reloader(folder.path)
    reloader.poll()
    poll_until(reloader, lambda _: pid_file.exists() and pid_file.read_text())
    reloader.stop()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid_file.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_trial_ends_with_the_daemon_however_that_ends(folder, tmp_path):
    pid_file = tmp_path / "pid"
    folder.write("slow.py", f"import os\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\nwhile True: pass\n")
    code = (
        "from pathlib import Path\nfrom qflowd.plugins.reload import Reloader\n"
        f"Reloader([Path({str(folder.path)!r})], env={{}}).start()"
    )
    daemon = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    daemon.kill()
    daemon.wait()
    while Path(f"/proc/{pid_file.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
