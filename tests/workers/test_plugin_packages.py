"""A plugin package in a worker is what it would be in plain Python: for its data, for tools, and for the processes that its jobs start."""

import json

import pytest

from qflowd.jobs.manifest import Manifest
from qflowd.plugins.module_names import modules_of
from qflowd.plugins.source import scan

FILES = {
    "desk/__init__.py": "BASE = 10\n",
    "desk/bars.csv": "symbol,close\n600519,1423.0\n",
    "desk/maths.py": "from desk import BASE\ndef square(x):\n    return BASE * x * x\n",
    "bare/inner/steps.py": "def half(x):\n    return x / 2\n",
    "bare/rates.txt": "0.03",
    "json.py": "def shifted(x):\n    return x + 100\n",
    "helper.py": "NAME = 'helper'\ndef cube(x):\n    return x ** 3  # the line that runs\n",
    "jobs.py": """
import concurrent.futures, importlib.resources, inspect, multiprocessing, pkgutil, sys
from pathlib import Path
import desk, helper
from bare.inner.steps import half
from desk.maths import square
from qflowd import job
from qflowd_dropin.json import shifted

FUNCTIONS = {"square": square, "half": half, "cube": helper.cube, "shifted": shifted}

@job
def pool(method: str, function: str) -> list:
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(FUNCTIONS[function], [1, 2, 3])

@job
def executor(method: str, function: str) -> list:
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        return list(executor.map(FUNCTIONS[function], [1, 2, 3]))

@job
def loky(function: str) -> list:
    from joblib import Parallel, delayed
    return Parallel(n_jobs=2, timeout=60)(delayed(FUNCTIONS[function])(x) for x in [1, 2, 3])

def own(x):
    return -x

@job
def own_function() -> list:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(own, [1, 2])

@job
def data() -> dict:
    return {
        "resource": importlib.resources.files("desk").joinpath("bars.csv").read_text(),
        "bare resource": importlib.resources.files("bare").joinpath("rates.txt").read_text(),
        "get_data": pkgutil.get_data("desk", "bars.csv").decode(),
        "beside the file": (Path(desk.__file__).parent / "bars.csv").read_text(),
        "beside this file": (Path(__file__).parent / "desk" / "bars.csv").read_text(),
        "path": [str(Path(p).name) for p in desk.__path__],
    }

@job
def tools() -> dict:
    return {
        "modules": [m.name for m in pkgutil.iter_modules(desk.__path__, "desk.")],
        "walk": [m.name for m in pkgutil.walk_packages(sys.modules["bare"].__path__, "bare.")],
        "source": inspect.getsource(helper.cube),
        "module source": inspect.getsource(helper),
        "file": inspect.getsourcefile(square),
        "spec": desk.__spec__.name,
        "bare file": getattr(sys.modules["bare"], "__file__", None),
    }

@job
def not_from_disk(folder: str) -> str:
    (Path(folder) / "desk" / "late.py").write_text("raise SystemExit('imported from disk')")
    try:
        import desk.late
    except ModuleNotFoundError as error:
        return str(error)
""",
}
ANSWERS = {"square": [10, 40, 90], "half": [0.5, 1, 1.5], "cube": [1, 8, 27], "shifted": [101, 102, 103]}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "plugins"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.fixture
def story(hire, folder):
    manifest = Manifest(modules_of(scan([folder], [".py"], trusted_only=False).files.values()))
    found = hire(manifest=manifest.encode())
    for path in folder.rglob("*.py"):
        path.write_text("raise SystemExit('imported from disk')\n")
    return found


def answer(story, job, **params):
    [task] = story.send(job, params=json.dumps(params), module="jobs")
    story.until_ended([task])
    end = story.ends()[task]
    assert getattr(end, "state", "success") == "success", (end, story.text_of(task))
    return json.loads(end.output)


@pytest.mark.parametrize("function", ANSWERS)
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("job", ["pool", "executor"])
def test_functions_of_plugins_run_in_processes_that_a_job_starts(story, job, method, function):
    assert answer(story, job, method=method, function=function) == ANSWERS[function]


@pytest.mark.parametrize("function", ANSWERS)
def test_functions_of_plugins_run_in_the_processes_of_joblib(story, function):
    assert answer(story, "loky", function=function) == ANSWERS[function]


def test_a_process_may_import_the_very_module_that_started_it(story):
    assert answer(story, "own_function") == [-1, -2]


def test_data_files_are_found_in_every_way_that_python_has(story):
    bars = FILES["desk/bars.csv"]
    found = answer(story, "data")
    assert found.pop("path") == ["desk"]
    assert found.pop("bare resource") == "0.03"
    assert set(found.values()) == {bars}


def test_tools_see_the_modules_and_the_source_that_runs(story, folder):
    found = answer(story, "tools")
    assert found == {
        "modules": ["desk.maths"],
        "walk": ["bare.inner", "bare.inner.steps"],
        "source": "def cube(x):\n    return x ** 3  # the line that runs\n",
        "module source": FILES["helper.py"],
        "file": str(folder / "desk" / "maths.py"),
        "spec": "desk",
        "bare file": None,
    }


def test_what_was_not_tried_is_never_imported_from_disk(story, folder):
    assert answer(story, "not_from_disk", folder=str(folder)) == "No module named 'desk.late'"
