"""The code hash of a job changes with every plugin file that it needs, and with no other."""

import zipfile
from pathlib import Path

import pytest

from qflowd.jobs.manifest import Module
from qflowd.plugins import trial_process
from qflowd.plugins.imports import imports_of
from tests.plugins.conftest import poll_until

USES = {
    "at the top": "from helper import f\n",
    "as a module": "import helper\n",
    "in a function": "def g():\n    import helper\n    return helper\n",
    "by name": "import importlib\nhelper = importlib.import_module('helper')\n",
    "through another": "import between\n",
    "by a star": "from helper import *\n",
}


@pytest.mark.parametrize("use", USES)
def test_it_changes_with_a_helper_however_that_is_imported(folder, make_reloader, use):
    folder.write("helper.py", "def f(): return 1\n")
    folder.write("between.py", "import helper\n")
    folder.write("user.py", USES[use] + "from qflowd import job\n@job\ndef uses(): ...\n")
    folder.job("alone")
    reloader = make_reloader(folder.path)
    before = reloader.start()
    folder.write("helper.py", "def f(): return 2\n")
    poll_until(reloader, lambda now: now.manifest != before.manifest)
    now = reloader.registry
    assert now.jobs["uses"].hash != before.jobs["uses"].hash
    assert now.jobs["alone"].hash == before.jobs["alone"].hash == now.sources[now.jobs["alone"].file].hash
    folder.write("helper.py", "def f(): return 1\n")
    poll_until(reloader, lambda now: now.manifest == before.manifest)
    assert reloader.registry.jobs == before.jobs


def test_it_covers_relative_imports_and_the_packages_above(folder, make_reloader):
    folder.write("desk/__init__.py", "LOT = 100\n")
    folder.write("desk/maths/rates.py", "RATE = 3\n")
    folder.write(
        "desk/jobs/daily.py", "from ..maths.rates import RATE\nfrom qflowd import job\n@job\ndef daily(): ...\n"
    )
    folder.write("desk/jobs/other.py", "from qflowd import job\n@job\ndef other(): ...\n")
    reloader = make_reloader(folder.path)
    hashes = [{name: job.hash for name, job in reloader.start().jobs.items()}]
    for name, text in {"desk/maths/rates.py": "RATE = 4\n", "desk/__init__.py": "LOT = 200\n"}.items():
        manifest = reloader.registry.manifest
        folder.write(name, text)
        poll_until(reloader, lambda now, before=manifest: now.manifest != before)
        hashes.append({name: job.hash for name, job in reloader.registry.jobs.items()})
    assert len({each["daily"] for each in hashes}) == 3
    assert hashes[0]["other"] == hashes[1]["other"] != hashes[2]["other"]
    assert len({each["log"] for each in hashes}) == 1


def test_circles_and_sources_that_cannot_be_parsed_end():
    def module(source):
        return Module("/x.py", source, False, "")

    modules = {
        "a": module(b"import b"),
        "b": module(b"import a"),
        "c": module(b"def ("),
        "d": module(b"from .. import a"),
    }
    assert imports_of(modules, lambda _name: None) == {
        "a": frozenset("b"),
        "b": frozenset("a"),
        "c": frozenset(),
        "d": frozenset(),
    }


def test_an_installed_package_is_hashed_with_its_own_helpers(folder, make_reloader, tmp_path, monkeypatch):
    import sys

    site = tmp_path / "site"
    (site / "acme-1.0.dist-info").mkdir(parents=True)
    (site / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("[qflowd.plugins]\nacme = acme.jobs\n")
    (site / "acme").mkdir()
    (site / "acme" / "__init__.py").write_text("")
    (site / "acme" / "maths.py").write_text("ONE = 1\n")
    (site / "acme" / "jobs.py").write_text(
        "from acme.maths import ONE\nfrom qflowd import job\n@job\ndef acme(): ...\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    reloader = make_reloader(folder.path)
    before = reloader.start().jobs["acme"].hash
    (site / "acme" / "maths.py").write_text("ONE = 2\n")
    reloader.reload()
    poll_until(reloader, lambda now: now.jobs["acme"].hash != before)


def test_a_package_that_lies_in_an_archive_is_found(folder, make_reloader, tmp_path, monkeypatch):
    import sys

    with zipfile.ZipFile(tmp_path / "acme.zip", "w") as archive:
        archive.writestr("acme-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        archive.writestr("acme-1.0.dist-info/entry_points.txt", "[qflowd.plugins]\nacme = acme_missing\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "acme.zip")])
    errors = make_reloader(folder.path).start().errors
    assert "ModuleNotFoundError" in errors["entry point acme = acme_missing"]


def test_a_folder_of_the_path_that_may_not_be_read_is_left_to_importlib(monkeypatch, tmp_path):
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))  # root may read whatever there is

    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert not trial_process._may_be_offered()
    monkeypatch.setattr(Path, "is_file", refuse)
    assert trial_process._may_be_offered()
