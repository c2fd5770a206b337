"""Plugin files that are no plugins, or do harm when they are imported: the daemon goes on running other work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.conftest import House, family
from tests.support.daemon import until

pytestmark = pytest.mark.fault
FILES = {
    "binary.py": (b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)) * 20, "NUL"),
    "exits.py": (b"import os\nos._exit(0)\n", "exit"),
    "kills.py": (b"import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "SIGKILL"),
    "segfaults.py": (b"import ctypes\nctypes.string_at(0)\n", "SIGSEGV"),
    "endless.py": (b"while True:\n    pass\n", "took more than"),
    "greedy.py": (b"kept = []\nwhile True:\n    kept.append(b'x' * (64 << 20))\n", "mem"),
    "broken.py": (b"from qflowd import job\n@job\ndef half(", "line 3: SyntaxError"),
    "raises.py": (b"raise ValueError('not today')\n", "not today"),
}


def test_files_that_harm_whoever_imports_them_harm_nobody(sqlite_url: str, make_house: Callable[..., House]) -> None:
    house = make_house(sqlite_url)
    daemon = house.daemon(lease="30s").start()
    pid = daemon.pid
    plugins = daemon.folder / "plugins"
    house.submit(job="step", count=60, params='{"seconds": 0.1}')
    for name, (data, _) in FILES.items():
        (plugins / f".{name}").write_bytes(data)
        (plugins / f".{name}").rename(plugins / name)
    daemon.write("plugins/late.py", "from qflowd import job\n\n@job\ndef late():\n    return 1\n")
    final = "SELECT count(*) FROM qflow.plugin WHERE error <> '' AND error NOT LIKE '%it is tried for 10 s%'"
    until(lambda: house.one(final) == len(FILES), 60)
    errors = {
        file.rsplit("/", 1)[1]: error
        for file, error in house.sql("SELECT file, error FROM qflow.plugin WHERE error <> ''")
    }
    for name, (_, word) in FILES.items():
        # On a busy machine the greedy one may run out of time before it runs out of memory.
        words = (word, "took more than") if name == "greedy.py" else (word,)
        assert any(each.lower() in errors[name].lower() for each in words), (name, errors[name])
    # The good file beside them is live all the same, and all other work is done.
    house.submit(job="late")
    house.drain()
    assert house.states() == {"SUCCESS": 61}
    for name in FILES:
        (plugins / name).unlink()
    until(lambda: not house.sql("SELECT 1 FROM qflow.plugin WHERE error <> ''"), 20, what="errors go with their files")
    assert (daemon.is_running, daemon.pid) == (True, pid)
    until(lambda: len(family(daemon.pid)) == 3, 10, what="what tried the files is gone")
    assert daemon.stop() == 0
    house.check()
