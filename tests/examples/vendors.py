"""The examples' made-up vendor in a thread of the test, and their files as a daemon takes them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def module(file: Path) -> ModuleType:
    """A module of an example, under a name of its own."""
    name = "example_" + "_".join(file.relative_to(EXAMPLES).with_suffix("").parts)
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    found = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@contextmanager
def vendor() -> Iterator[Any]:
    """A vendor whose bars of Friday do not land before `late_s` is set to 0; `url` says where it is."""
    code = module(EXAMPLES / "vendor.py")
    one = code.Vendor(late_s=float("inf"))
    with code.serve(one, port=0) as server:
        one.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield one
        finally:
            server.shutdown()
            thread.join()


def project(name: str) -> dict[str, Any]:
    """The files of an example, as `Daemon` takes them. Its `[database]` is the test's."""
    folder = EXAMPLES / name
    settings = (folder / "qflowd.toml").read_text("utf-8")
    return {
        "plugins": {file.name: file.read_text("utf-8") for file in folder.glob("plugins/*.py")},
        "workflows": {file.name: file.read_text("utf-8") for file in folder.glob("workflows/*.yaml")},
        "config": settings.replace('[database]\nurl = "sqlite:///qflow.db"\n', ""),
    }
