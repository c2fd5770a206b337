"""Which files may be plugins, and how they import each other."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from qflowd import resources
from qflowd.jobs.manifest import Manifest
from qflowd.model.errors import RefusedPath
from qflowd.plugins import trust
from tests.plugins.conftest import poll_until

JOB = "from qflowd import job\n"


def test_a_folder_that_its_group_can_write_to_is_refused(folder, make_reloader):
    folder.job("never")
    folder.path.chmod(0o775)
    registry = make_reloader(folder.path).start()
    assert "never" not in registry.jobs
    assert registry.errors[str(folder.path)].endswith(f"chmod go-w {folder.path}")


def test_a_file_that_others_can_write_to_is_refused_alone(folder, make_reloader):
    path = folder.job("never")
    folder.job("good")
    Path(path).chmod(0o646)
    registry = make_reloader(folder.path).start()
    assert "never" not in registry.jobs
    assert "good" in registry.jobs
    assert "by everybody" in registry.errors[path]


def test_a_subfolder_that_others_can_write_to_is_refused_alone(folder, make_reloader):
    folder.job("never", "open/never.py")
    folder.job("good")
    (folder.path / "open").chmod(0o777)
    registry = make_reloader(folder.path).start()
    assert "never" not in registry.jobs
    assert "good" in registry.jobs
    assert str(folder.path / "open") in registry.errors


def test_an_ancestor_that_others_can_write_to_is_refused_unless_it_is_sticky(folder):
    trust.check_folder(folder.path)
    folder.path.parent.chmod(0o1777)
    trust.check_folder(folder.path)
    folder.path.parent.chmod(0o777)
    with pytest.raises(RefusedPath, match=f"chmod go-w {folder.path.parent}$"):
        trust.check_folder(folder.path)
    folder.path.parent.chmod(0o755)


def test_a_link_to_a_folder_is_as_safe_as_both_ends(folder, tmp_path):
    open_place = tmp_path / "open"
    open_place.mkdir()
    (open_place / "link").symlink_to(folder.path)
    trust.check_folder(open_place / "link")
    open_place.chmod(0o777)
    with pytest.raises(RefusedPath, match="open"):
        trust.check_folder(open_place / "link")


def test_links_and_pipes_among_the_files_are_refused(folder, make_reloader, tmp_path):
    target = tmp_path / "elsewhere.py"
    target.write_text("raise SystemExit\n")
    link = folder.path / "link.py"
    link.symlink_to(target)
    pipe = folder.path / "pipe.py"
    os.mkfifo(pipe)
    errors = make_reloader(folder.path).start().errors
    assert "is a symbolic link" in errors[str(link)]
    assert "is not a plain file" in errors[str(pipe)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(folder, make_reloader):
    path = folder.job("never")
    os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    registry = make_reloader(folder.path).start()
    assert "belongs to nobody; chown" in registry.errors[path]


def test_a_folder_that_becomes_writable_keeps_what_was_good_and_takes_nothing_new(folder, make_reloader):
    good = folder.job("good")
    reloader = make_reloader(folder.path)
    reloader.start()
    Path(good).chmod(0o666)
    folder.job("good", returns="2")
    poll_until(reloader, lambda now: good in now.errors)
    assert b"return 1" in reloader.registry.manifest.modules["good"].source


def test_modules_and_packages_import_each_other(folder, make_reloader):
    folder.write("desk/__init__.py", "from .prices import mid\n")
    folder.write("desk/prices.py", "from tools.maths import half\ndef mid(a, b): return half(a + b)\n")
    folder.write("desk/jobs.py", JOB + "from . import mid\n@job\ndef inner(): return mid(1, 3)\n")
    folder.write("tools/maths.py", "def half(x): return x / 2\n")
    folder.write("top.py", JOB + "import desk\nfrom desk.prices import mid\n@job\ndef outer(): return desk.mid(2, 4)\n")
    registry = make_reloader(folder.path).start()
    assert not registry.errors
    assert {name: job.module for name, job in registry.jobs.items() if name in {"inner", "outer"}} == {
        "inner": "desk.jobs",
        "outer": "top",
    }


def test_a_stem_that_means_something_else_breaks_nobodys_import(folder, make_reloader):
    folder.write("json.py", JOB + "@job\ndef mine(): ...\n")
    folder.write("msgspec.py", JOB + "@job\ndef mine_too(): ...\n")
    folder.write("user.py", JOB + "import json, msgspec\njson.dumps({})\nmsgspec.Struct\n@job\ndef use(): ...\n")
    registry = make_reloader(folder.path).start()
    assert not registry.errors
    assert registry.jobs["mine"].module == "qflowd_dropin.json"
    assert registry.jobs["mine_too"].module == "qflowd_dropin.msgspec"
    assert "use" in registry.jobs


def test_of_two_folders_the_first_has_the_name_and_both_have_their_jobs(folder, make_reloader):
    folder.job("one", "first/bars.py")
    folder.job("two", "second/bars.py")
    registry = make_reloader(folder.path / "first", folder.path / "second").start()
    assert (registry.jobs["one"].module, registry.jobs["two"].module) == ("bars", "qflowd_dropin.bars")


def test_a_file_and_a_folder_of_one_name_both_count(folder, make_reloader):
    folder.job("from_file", "desk.py")
    folder.job("from_folder", "desk/jobs.py")
    registry = make_reloader(folder.path).start()
    assert {"from_file", "from_folder"} <= set(registry.jobs)


def test_names_that_are_no_identifiers_work_and_dots_are_refused(folder, make_reloader):
    folder.job("dashed", "us-bars 2026.py")
    dotted = folder.job("dotted", "bars.v2.py")
    registry = make_reloader(folder.path).start()
    assert "dashed" in registry.jobs
    assert "has a dot" in registry.errors[dotted]


def test_shell_is_off_unless_enabled(folder, make_reloader):
    assert set(make_reloader(folder.path).start().jobs) == {"log", "delay"}
    registry = make_reloader(folder.path, enable=["shell", "rocket"]).start()
    assert set(registry.jobs) == {"log", "delay", "shell"}
    assert "ships no plugin 'rocket'" in registry.errors["[plugins] enable: rocket"]


def test_the_shipped_folder_as_the_users_own_enables_nothing(make_reloader):
    registry = make_reloader(resources.folder("plugins")).start()
    assert "shell" not in registry.jobs


def test_a_worker_imports_the_validated_bytes_and_not_the_file(folder, make_reloader, tmp_path):
    path = folder.write("bars.py", JOB + "@job\ndef fails():\n    raise ValueError('old')  # the line that ran\n")
    registry = make_reloader(folder.path).start()
    (tmp_path / "manifest").write_bytes(registry.manifest.encode())
    folder.write("bars.py", "# shorter\n")
    code = (
        "import sys, importlib, inspect, traceback\n"
        "from qflowd.jobs import decorators, manifest\n"
        "manifest.Manifest.decode(open(sys.argv[1], 'rb').read()).install()\n"
        "module = importlib.import_module('bars')\n"
        "print(module.__file__)\n"
        "assert 'the line that ran' in inspect.getsource(module)\n"
        "try:\n    decorators.find('bars', 'fails').function()\n"
        "except ValueError:\n    print(traceback.format_exc(), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "manifest"], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == path
    assert "raise ValueError('old')  # the line that ran" in done.stderr


def test_a_manifest_travels_and_differs_with_its_content(folder, make_reloader):
    folder.job("one")
    manifest = make_reloader(folder.path).start().manifest
    assert Manifest.decode(manifest.encode()) == manifest
    folder.job("one", returns="2")
    assert make_reloader(folder.path).start().manifest != manifest


def test_a_file_whose_name_is_not_text_is_refused_alone(folder, make_reloader):
    folder.job("good")
    path = folder.path / os.fsdecode(b"bad\xff.py")
    path.write_text("x = 1")
    path.chmod(0o644)
    registry = make_reloader(folder.path).start()
    assert "good" in registry.jobs
    assert registry.errors[str(path)] == "cannot be imported: its name is not UTF-8; rename it"
