"""Whatever way a file or a whole folder gets its new content, the daemon has it long before it reads everything anyway."""

import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from qflowd.plugins.folder_watch import FolderWatch


def text_of(name, number):
    return f"from qflowd import job\n@job\ndef {name}():\n    return {number}\n"


def write_in_place(path, text):
    path.write_text(text)


def rename_a_backup_away_first(path, text):
    """As vim does with `backupcopy=no`, and others do."""
    if path.exists():
        path.rename(f"{path}~")
    path.write_text(text)
    Path(f"{path}~").unlink(missing_ok=True)


def rename_a_hidden_file_over_it(path, text):
    """As rsync, and most editors that write safely."""
    hidden = path.with_name(f".{path.name}.Xa3Bc9")
    hidden.write_text(text)
    hidden.replace(path)


def move_it_in_from_another_folder(path, text):
    outside = path.parent.parent / "upload.tmp"
    outside.write_text(text)
    outside.replace(path)


def write_it_in_pieces(path, text):
    with path.open("w", buffering=1) as file:
        for piece in text.splitlines(keepends=True):
            file.write(piece)
            file.flush()
            time.sleep(0.01)


WAYS = [
    write_in_place,
    rename_a_backup_away_first,
    rename_a_hidden_file_over_it,
    move_it_in_from_another_folder,
    write_it_in_pieces,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_saves_at_any_distance_from_one_another_are_all_live(folder, serve, way):
    served, gaps = serve(folder.path), random.Random(20261128)
    for number in range(6):
        for name in ("one", "two"):
            way(folder.path / f"{name}.py", text_of(name, number))
            time.sleep(gaps.uniform(0.02, 0.3))
        wanted = {name: text_of(name, number).encode() for name in ("one", "two")}
        served.until(lambda now, wanted=wanted: wanted == {n: m.source for n, m in modules(now).items() if n in wanted})


def modules(registry):
    return registry.manifest.modules


def release(place, number):
    """A complete folder of plugins, somewhere else."""
    made = place / f"release-{number}"
    (made / "desk").mkdir(parents=True)
    (made / "desk" / "jobs.py").write_text(text_of("inner", number))
    (made / "top.py").write_text(text_of("outer", number))
    return made


def has_release(number):
    wanted = {"top": text_of("outer", number), "desk.jobs": text_of("inner", number)}
    return lambda now: {n: modules(now)[n].source.decode() for n in wanted if n in modules(now)} == wanted


def test_a_folder_that_is_swapped_by_rename_is_live_and_is_watched_from_then_on(folder, serve, tmp_path):
    place = tmp_path / "plugins" / "current"
    release(tmp_path, 0).rename(place)
    served = serve(place)
    for number in (1, 2):
        fresh = release(tmp_path, number)
        place.rename(tmp_path / f"old-{number}")
        fresh.rename(place)
        served.until(has_release(number))
    (place / "top.py").write_text(text_of("outer", 9))
    served.until(lambda now: modules(now)["top"].source.decode() == text_of("outer", 9))


def test_a_subfolder_that_is_swapped_by_rename_is_live_and_is_watched_from_then_on(folder, serve, tmp_path):
    shutil.copytree(release(tmp_path, 0), folder.path, dirs_exist_ok=True)
    served = serve(folder.path)
    fresh = release(tmp_path, 1)
    (folder.path / "desk").rename(tmp_path / "desk-old")
    (fresh / "desk").rename(folder.path / "desk")
    served.until(lambda now: modules(now)["desk.jobs"].source.decode() == text_of("inner", 1))
    (folder.path / "desk" / "jobs.py").write_text(text_of("inner", 2))
    served.until(lambda now: modules(now)["desk.jobs"].source.decode() == text_of("inner", 2))


@pytest.mark.parametrize("named", ["link", "link/plugins"], ids=["the folder is a link", "a folder above it is"])
def test_a_link_that_points_elsewhere_now_is_live_and_is_watched_from_then_on(folder, serve, tmp_path, named):
    link, inner = tmp_path / "link", Path(named).relative_to("link")

    def point_to(number):
        made = tmp_path / f"target-{number}"
        (made / inner).parent.mkdir(parents=True, exist_ok=True)
        release(tmp_path, number).rename(made / inner)
        (tmp_path / "link.new").symlink_to(made)
        (tmp_path / "link.new").rename(link)

    point_to(0)
    served = serve(tmp_path / named)
    assert has_release(0)(served.reloader.registry)
    for number in (1, 2):
        point_to(number)
        served.until(has_release(number))
    (tmp_path / named / "top.py").write_text(text_of("outer", 9))
    served.until(lambda now: modules(now)["top"].source.decode() == text_of("outer", 9))


def test_a_file_that_is_still_written_is_not_taken(folder, serve):
    path = folder.path / "kept.py"
    path.write_text(text_of("kept", 1))
    served = serve(folder.path)
    seen = set()
    with path.open("w") as file:
        for number in range(60):  # three seconds
            file.write(f"# line {number}\n")
            file.flush()
            time.sleep(0.05)
            seen.add(modules(served.reloader.registry)["kept"].source)
        file.write(text_of("kept", 2))
    assert seen == {text_of("kept", 1).encode()}
    served.until(lambda now: b"return 2" in modules(now)["kept"].source)


def test_a_reload_may_be_asked_for_from_any_thread_at_any_moment(folder, make_reloader):
    folder.job("stays")
    reloader = make_reloader(folder.path)
    reloader.start()
    is_over = threading.Event()

    def ask():
        while not is_over.is_set():
            reloader.reload()
            time.sleep(0.002)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        descriptors = set()
        for _ in range(300):
            time.sleep(min(reloader.poll(), 0.002))
            descriptors.add(len(list(Path("/proc/self/fd").iterdir())))
    finally:
        is_over.set()
        asking.join()
    assert max(descriptors) - min(descriptors) < 8
    assert "stays" in reloader.registry.jobs


def test_what_changes_behind_a_linked_file_is_seen_though_nothing_in_the_folder_changes(tmp_path):
    """As Kubernetes mounts a ConfigMap: a file is a link through `..data`, which is swapped."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for number in (1, 2):
        (tmp_path / f"release_{number}").mkdir()
        (tmp_path / f"release_{number}" / "w.yaml").write_text(f"{number}")
    (tmp_path / "current").symlink_to("release_1")
    (mounted / "w.yaml").symlink_to(tmp_path / "current" / "w.yaml")
    watch = FolderWatch([mounted], (".yaml",), trusted_only=False, reread_s=3600.0)

    def next_content():
        end = time.monotonic() + 20
        while (scan := watch.poll()) is None:
            assert time.monotonic() < end, "the change is not seen"
            time.sleep(min(0.1, watch.due_s()))
        return [file.data for file in scan.files.values()]

    assert [file.data for file in watch.start().files.values()] == [b"1"]
    until_read = time.monotonic() + 2
    while time.monotonic() < until_read:  # the poll after the start has read everything, too
        assert watch.poll() is None
        time.sleep(0.1)
    (tmp_path / "next").symlink_to("release_2")
    (tmp_path / "next").replace(tmp_path / "current")
    assert next_content() == [b"2"]
    (tmp_path / "release_2" / "w.yaml").write_text("3")
    assert next_content() == [b"3"]
