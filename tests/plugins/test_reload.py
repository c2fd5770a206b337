"""The folders change in all the ways they do in life; the registry follows, and never loses what was good."""

import itertools
import sys
import threading
import time
from pathlib import Path

from qflowd.plugins.folder_watch import FolderWatch
from qflowd.plugins.source import scan
from tests.plugins.conftest import poll_until


def hash_of(path):
    return scan([Path(path).parent], [".py"], trusted_only=False).files[str(path)].hash


def test_a_new_file_is_live_without_a_restart(folder, make_reloader):
    changes = []
    reloader = make_reloader(folder.path, on_change=changes.append)
    reloader.start()
    folder.job("fresh")
    poll_until(reloader, lambda now: "fresh" in now.jobs)
    assert changes[-1] is reloader.registry


def test_a_file_that_is_moved_in_place_is_live_without_a_restart(folder, make_reloader, tmp_path):
    reloader = make_reloader(folder.path)
    path = folder.job("one", "jobs.py")
    reloader.start()
    outside = tmp_path / "jobs.new"
    outside.write_text("from qflowd import job\n@job\ndef two(): ...\n")
    outside.replace(path)
    poll_until(reloader, lambda now: "two" in now.jobs and "one" not in now.jobs)


def test_a_deleted_file_withdraws_its_jobs(folder, make_reloader):
    path = folder.job("gone")
    folder.job("stays")
    reloader = make_reloader(folder.path)
    reloader.start()
    Path(path).unlink()
    poll_until(reloader, lambda now: "gone" not in now.jobs)
    assert "stays" in reloader.registry.jobs
    assert not reloader.registry.errors


def test_a_broken_file_keeps_its_last_good_version_and_shows_its_error(folder, make_reloader):
    path = folder.job("kept")
    reloader = make_reloader(folder.path)
    good = reloader.start().jobs["kept"]
    folder.write("kept.py", "def kept(:\n")
    folder.job("other")
    poll_until(reloader, lambda now: path in now.errors and "other" in now.jobs)
    assert reloader.registry.jobs["kept"] == good
    assert "SyntaxError" in reloader.registry.errors[path]
    assert reloader.registry.manifest.modules["kept"].hash == good.hash
    folder.job("kept", returns="2")
    poll_until(reloader, lambda now: not now.errors)
    assert reloader.registry.jobs["kept"].hash == hash_of(path) != good.hash


def test_a_helper_that_breaks_others_is_held_back_until_all_go_together(folder, make_reloader):
    helper = folder.write("helper.py", "def old(): return 1\n")
    user = folder.write(
        "user.py", "from helper import old\nfrom qflowd import job\n@job\ndef use():\n    return old()\n"
    )
    reloader = make_reloader(folder.path)
    before = reloader.start()
    folder.write("helper.py", "def new(): return 2\n")
    poll_until(reloader, lambda now: helper in now.errors)
    assert reloader.registry.jobs["use"] == before.jobs["use"]
    assert "held back" in reloader.registry.errors[helper]
    assert "cannot import name 'old'" in reloader.registry.errors[user]
    assert reloader.registry.manifest.modules["helper"].source == b"def old(): return 1\n"
    folder.write("user.py", "from helper import new\nfrom qflowd import job\n@job\ndef use():\n    return new()\n")
    poll_until(reloader, lambda now: not now.errors)
    assert reloader.registry.manifest.modules["helper"].source == b"def new(): return 2\n"


def test_the_version_equals_the_file_after_100_rewrites_of_equal_size_in_5_seconds(folder, make_reloader):
    path = folder.job("same", returns="100")
    reloader = make_reloader(folder.path)
    reloader.start()
    wrong = 0
    for number in range(101, 201):
        folder.job("same", returns=str(number))
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            time.sleep(min(reloader.poll(), 0.01))
            job = reloader.registry.jobs["same"]
            source = reloader.registry.manifest.modules["same"]
            wrong += job.hash != source.hash or b"return " not in source.source
    assert wrong == 0
    poll_until(reloader, lambda now: now.jobs["same"].hash == hash_of(path), 2.0)
    assert b"return 200" in reloader.registry.manifest.modules["same"].source


def test_torn_writes_never_lose_a_job(folder, make_reloader):
    path = folder.job("torn", returns="0")
    reloader = make_reloader(folder.path)
    reloader.start()
    stop = threading.Event()

    def write_slowly():
        for number in itertools.count(1):
            source = f"from qflowd import job\n@job\ndef torn():\n    return {number}\n"
            with Path(path).open("w", buffering=1) as file:
                for line in source.splitlines(keepends=True):
                    file.write(line)
                    file.flush()
                    if stop.wait(0.06):  # together longer than a file must hold still
                        file.write(source[file.tell() :])
                        return
            if stop.wait(0.8):  # time enough to be seen
                return

    writer = threading.Thread(target=write_slowly)
    writer.start()
    generations = set()
    try:
        until = time.monotonic() + 6
        while time.monotonic() < until:
            time.sleep(min(reloader.poll(), 0.01))
            assert "torn" in reloader.registry.jobs
            assert b"return" in reloader.registry.manifest.modules["torn"].source
            generations.add(reloader.registry.jobs["torn"].hash)
    finally:
        stop.set()
        writer.join()
    assert len(generations) > 2
    poll_until(reloader, lambda now: now.jobs["torn"].hash == hash_of(path))


def test_an_emptied_file_withdraws_its_jobs(folder, make_reloader):
    folder.job("kept")
    reloader = make_reloader(folder.path)
    reloader.start()
    folder.write("kept.py", "")
    poll_until(reloader, lambda now: "kept" not in now.jobs)
    assert not reloader.registry.errors


def test_a_job_may_move_to_another_file(folder, make_reloader):
    folder.job("mover", "a.py")
    reloader = make_reloader(folder.path)
    reloader.start()
    folder.write("a.py", "")
    path = folder.job("mover", "b.py")
    poll_until(reloader, lambda now: now.jobs["mover"].file == path, 3.0)
    assert not reloader.registry.errors


def test_the_next_look_is_never_more_than_half_a_second_away(folder, make_reloader):
    reloader = make_reloader(folder.path)
    reloader.start()
    poll_until(reloader, lambda _now: reloader.poll() > 0.1)  # nothing is on its way
    assert reloader.poll() <= 0.5


def test_what_no_time_of_a_file_tells_is_seen_when_all_is_read_again(folder):
    folder.job("one")
    watch = FolderWatch([folder.path], [".py"], settle_s=0, reread_s=0.5)
    assert not watch.start().errors
    while watch.poll() is not None or watch.due_s() == 0:
        pass
    folder.path.parent.chmod(0o777)
    until = time.monotonic() + 10
    while (content := watch.poll()) is None and time.monotonic() < until:
        time.sleep(0.01)
    assert str(folder.path) in content.errors


def test_a_folder_that_comes_later_is_read_too(folder, make_reloader):
    later = folder.path / "later"
    reloader = make_reloader(later)
    assert "there is no such folder" in reloader.start().errors[str(later)]
    later.mkdir()
    folder.job("late", "later/late.py")
    poll_until(reloader, lambda now: "late" in now.jobs)
    assert not reloader.registry.errors


def test_editors_leftovers_are_ignored(folder, make_reloader):
    for name in (".hidden.py", "bars.py~", ".bars.py.swp", "4913", "#bars.py#", "__pycache__/bars.py", ".git/hook.py"):
        folder.write(name, "raise SystemExit")
    registry = make_reloader(folder.path).start()
    assert set(registry.jobs) == {"log", "delay"}
    assert not registry.errors


def test_a_job_name_that_two_files_define_is_refused_for_the_second(folder, make_reloader):
    first = folder.job("same", "a.py")
    second = folder.write("b.py", "from qflowd import job\n@job\ndef same(): ...\n@job\ndef mine(): ...\n")
    registry = make_reloader(folder.path).start()
    assert registry.jobs["same"].file == first
    assert "mine" in registry.jobs
    assert registry.errors == {second: f"job 'same' is already defined by {first}; rename one of them"}


def test_a_culprit_does_not_delay_what_is_good(folder, make_reloader):
    bad = folder.write("bad.py", "while True: pass\n")
    reloader = make_reloader(folder.path, timeout_s=1.5)
    reloader.start()
    assert bad in reloader.registry.errors
    folder.job("first")
    poll_until(reloader, lambda now: "first" in now.jobs)
    folder.job("second")  # while the culprit has its second chance
    poll_until(reloader, lambda now: "second" in now.jobs)
    assert "took more than" in reloader.registry.errors[bad]
    folder.job("bad")
    poll_until(reloader, lambda now: "bad" in now.jobs)


def test_a_hanging_file_delays_those_saved_with_it_by_its_time_and_none_after_that(folder, make_reloader):
    reloader = make_reloader(folder.path, timeout_s=3)
    reloader.start()
    hanging = folder.write("a_hanging.py", "import time\ntime.sleep(60)\n")
    folder.job("good")
    poll_until(reloader, lambda now: "good" in now.jobs)
    assert reloader.registry.errors[hanging] == "line 2: importing it took more than 3 s"
    folder.job("better")
    assert poll_until(reloader, lambda now: "better" in now.jobs) < 3, "it was tried again"
    assert hanging in reloader.registry.errors
    reloader.reload()
    folder.job("best")
    assert poll_until(reloader, lambda now: "best" in now.jobs) >= 3, "a reload tries everything"


def test_a_good_file_that_takes_long_is_live_once_it_is_done_and_is_not_hurried_again(folder, make_reloader):
    changes = []
    reloader = make_reloader(folder.path, on_change=changes.append)
    reloader.start()
    slow = folder.write("slow.py", "import time\ntime.sleep(0.6)\nfrom qflowd import job\n@job\ndef slow(): ...\n")
    poll_until(reloader, lambda now: "slow" in now.jobs)
    assert not reloader.registry.errors
    for _ in range(2):
        folder.job("other", returns=str(time.monotonic_ns()))
        poll_until(reloader, lambda now: now.sources.get(str(folder.path / "other.py")))
        assert all("slow" in registry.jobs for registry in changes if slow in registry.sources)
    assert not reloader.registry.errors


def test_a_file_that_takes_long_gets_its_time_though_others_change_meanwhile(folder, make_reloader):
    reloader = make_reloader(folder.path)
    reloader.start()
    folder.write("slow.py", "import time\ntime.sleep(1.5)\nfrom qflowd import job\n@job\ndef slow(): ...\n")
    folder.job("first")
    poll_until(reloader, lambda now: "first" in now.jobs)
    folder.write("broken.py", "def (:\n")  # changes no job, so nothing but what is owed makes it try again
    poll_until(reloader, lambda now: "slow" in now.jobs)


def test_a_culprit_is_tried_again_when_its_helper_is_repaired(folder, make_reloader):
    folder.write("helper.py", "def f():\n    import os\n    os._exit(1)\n")
    bad = folder.write("bad.py", "import helper\nhelper.f()\nfrom qflowd import job\n@job\ndef repaired(): ...\n")
    reloader = make_reloader(folder.path)
    assert bad in reloader.start().errors
    folder.write("helper.py", "def f():\n    pass\n")
    poll_until(reloader, lambda now: "repaired" in now.jobs)
    assert not reloader.registry.errors


def test_installed_plugins_are_found_and_reload_when_asked(folder, make_reloader, tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "acme_jobs-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-jobs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qflowd.plugins]\nacme = acme_jobs\nbroken = acme_missing:thing\n")
    module = site / "acme_jobs.py"
    module.write_text("from qflowd import job\n@job\ndef acme(): ...\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    changes = []
    reloader = make_reloader(folder.path, on_change=changes.append)
    first = reloader.start()
    assert (first.jobs["acme"].module, first.jobs["acme"].file) == ("acme_jobs", str(module))
    assert "ModuleNotFoundError" in first.errors["entry point broken = acme_missing:thing"]
    module.write_text("from qflowd import job\n@job\ndef acme_two(): ...\n")
    folder.job("dropin")
    poll_until(reloader, lambda now: "dropin" in now.jobs)
    reloader.reload()
    poll_until(reloader, lambda now: "acme_two" in now.jobs and "acme" not in now.jobs)
    reloader.reload()  # its helpers may have changed, which no hash of ours covers: workers start anew
    known = len(changes)
    poll_until(reloader, lambda _now: len(changes) > known)


def test_the_same_files_give_the_same_code_hashes_in_every_daemon(folder, make_reloader):
    folder.job("same")
    first, second = (make_reloader(folder.path).start() for _ in range(2))
    assert first == second


def test_a_file_whose_helper_was_deleted_shows_it_and_the_others_live(folder, make_reloader):
    helper = folder.write("helper.py", "def f(): return 1\n")
    user = folder.write("user.py", "from helper import f\nfrom qflowd import job\n@job\ndef use(): return f()\n")
    folder.job("other")
    reloader = make_reloader(folder.path)
    reloader.start()
    Path(helper).unlink()
    poll_until(reloader, lambda now: user in now.errors)
    assert "No module named 'helper'" in reloader.registry.errors[user]
    assert "other" in reloader.registry.jobs
    folder.write("helper.py", "def f(): return 2\n")
    poll_until(reloader, lambda now: "use" in now.jobs and not now.errors)


def test_a_file_that_begins_to_take_the_process_down_keeps_its_last_good_version(folder, make_reloader):
    path = folder.job("kept")
    reloader = make_reloader(folder.path)
    good = reloader.start().jobs["kept"]
    folder.write("kept.py", "import os\nos._exit(0)\n")
    folder.job("other")
    poll_until(reloader, lambda now: path in now.errors and "other" in now.jobs)
    for _ in range(3):  # also after more changes, with the culprit left out and tried again
        folder.job("other", returns=str(time.monotonic_ns()))
        poll_until(reloader, lambda now: now.jobs["other"].hash == hash_of(folder.path / "other.py"))
        assert reloader.registry.jobs["kept"] == good
        assert "ended the process" in reloader.registry.errors[path]


def test_a_broken_pair_does_not_hold_back_what_else_is_saved(folder, make_reloader):
    folder.write("helper.py", "def old(): return 1\n")
    folder.write("user.py", "from helper import old\nfrom qflowd import job\n@job\ndef use():\n    return old()\n")
    folder.job("other", returns="1")
    reloader = make_reloader(folder.path)
    before = reloader.start()
    helper = folder.write("helper.py", "def new(): return 2\n")
    folder.job("other", returns="2")
    folder.job("fresh")
    poll_until(reloader, lambda now: helper in now.errors and "fresh" in now.jobs)
    now = reloader.registry
    assert b"return 2" in now.manifest.modules["other"].source
    assert now.jobs["use"] == before.jobs["use"]
    assert now.manifest.modules["helper"].source == b"def old(): return 1\n"


def test_a_change_is_live_though_a_helper_that_was_saved_with_it_is_broken(folder, make_reloader):
    helper = folder.write("helper.py", "def f(): return 1\n")
    user = "from helper import f\nfrom qflowd import job\n@job\ndef use():\n    return {}\n"
    path = folder.write("user.py", user.format("f()"))
    reloader = make_reloader(folder.path)
    reloader.start()
    folder.write("helper.py", "def f(:\n")
    folder.write("user.py", user.format("f() + 1"))
    poll_until(reloader, lambda now: helper in now.errors and b"+ 1" in now.manifest.modules["user"].source)
    assert path not in reloader.registry.errors
    assert reloader.registry.manifest.modules["helper"].source == b"def f(): return 1\n"


def test_a_file_that_fails_for_reasons_of_its_own_keeps_its_jobs_and_holds_nothing_back(
    folder, make_reloader, tmp_path
):
    needed = tmp_path / "symbols.txt"
    needed.write_text("600519")
    path = folder.write(
        "reads.py", f"SYMBOLS = open({str(needed)!r}).read()\nfrom qflowd import job\n@job\ndef reads(): ...\n"
    )
    folder.job("other", returns="1")
    reloader = make_reloader(folder.path)
    good = reloader.start().jobs["reads"]
    needed.unlink()
    folder.job("other", returns="2")
    poll_until(reloader, lambda now: b"return 2" in now.manifest.modules["other"].source)
    assert reloader.registry.jobs["reads"] == good
    assert "FileNotFoundError" in reloader.registry.errors[path]


def test_a_deleted_helper_stays_for_the_files_that_cannot_be_imported_without_it(folder, make_reloader):
    helper = Path(folder.write("helper.py", "def f(): return 1\n"))
    user = folder.write("user.py", "from helper import f\nfrom qflowd import job\n@job\ndef use(): return f()\n")
    reloader = make_reloader(folder.path)
    reloader.start()
    helper.unlink()
    poll_until(reloader, lambda now: user in now.errors)
    assert "use" in reloader.registry.jobs
    assert reloader.registry.errors[str(helper)].startswith("deleted, but kept as it was: without it ")
    folder.write("user.py", "from qflowd import job\n@job\ndef use(): return 1\n")
    poll_until(reloader, lambda now: not now.errors)
    assert "helper" not in reloader.registry.manifest.modules


def test_one_broken_file_at_a_start_takes_no_job_of_the_others_away(folder, make_reloader):
    broken = folder.write("broken.py", "def (:\n")
    kills = folder.write("kills.py", "import os\nos._exit(1)\n")
    needs = folder.write("needs.py", "import kills\nfrom qflowd import job\n@job\ndef needs(): ...\n")
    for number in range(5):
        folder.job(f"good{number}")
    registry = make_reloader(folder.path).start()
    assert set(registry.jobs) == {"log", "delay", *(f"good{number}" for number in range(5))}
    assert set(registry.errors) == {broken, kills, needs}
    assert f"{kills}: importing it ended the process" in registry.errors[needs]


def test_a_refused_job_is_named_and_its_file_counts_as_a_whole(folder, make_reloader):
    path = folder.write("pair.py", "from qflowd import job\n@job\ndef good(): ...\n")
    reloader = make_reloader(folder.path)
    good = reloader.start().jobs["good"]
    folder.write("pair.py", "from qflowd import job\n@job\ndef good(): ...\n@job\ndef bad():\n    yield 1\n")
    poll_until(reloader, lambda now: path in now.errors)
    assert reloader.registry.jobs["good"] == good
    assert reloader.registry.errors[path] == (
        "line 4: InvalidJob: job bad: it yields; return a list instead; "
        "a file counts as a whole: fix or remove this job, and the file's others come with it"
    )
