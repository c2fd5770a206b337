"""The how-to pages, typed in as they stand there: files are written, commands run, and what they print is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks_of, name_of, named_files

PAGES = sorted(path for path in (ROOT / "docs" / "howto").glob("*.md") if path.name != "README.md")
LONGEST = 60
LIMIT_S = 120


def environment(project: Path, **more: str) -> dict[str, str]:
    """`qflowd` and `python` are this interpreter's; other programs are the machine's."""
    commands = project / ".bin"
    commands.mkdir()
    for name, command in (("qflowd", f"{sys.executable} -m qflowd"), ("python", sys.executable)):
        (commands / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
        (commands / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
    return kept | {"PYTHONPATH": str(ROOT), "PATH": f"{commands}:{os.environ['PATH']}"} | more


def pattern_of(expected: str) -> str:
    """`…` on a line of its own stands for any lines; blanks at either end of a line do not matter."""
    lines = [line.strip() for line in expected.strip().splitlines()]
    return "".join(r"(?:.*\n)*?" if line == "…" else re.escape(line) + "\n" for line in lines)


def test_there_are_pages_and_all_are_short() -> None:
    assert len(PAGES) >= 8
    lengths = {name_of(page): len(page.read_text("utf-8").splitlines()) for page in PAGES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_example_of_the_page_does_what_it_says(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    needs_server = "$URL" in page.read_text("utf-8")
    url = request.getfixturevalue("postgres_url") if needs_server else ""
    variables = environment(tmp_path, **({"URL": url} if url else {}))
    project = tmp_path / "project"
    subprocess.run(["qflowd", "init", str(project)], env=variables, check=True, capture_output=True, timeout=LIMIT_S)
    for name, text in named_files(page).items():
        (project / name).write_text(text, "utf-8")
        (project / name).chmod(0o644)
    printed = ""
    compared = 0
    for block in blocks_of(page):
        if block.language == "sh":
            ran = subprocess.run(
                ["bash", "-euc", f"exec 2>stderr.txt; {block.text}"],
                cwd=project,
                env=variables,
                stdout=subprocess.PIPE,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            printed += ran.stdout
            assert ran.returncode == 0, f"{block.place}: {ran.stdout}{(project / 'stderr.txt').read_text('utf-8')}"
        elif block.language == "text":
            there = "".join(f"{line.strip()}\n" for line in printed.splitlines())
            assert re.fullmatch(pattern_of(block.text), there), f"{block.place}: {printed}"
            printed = ""
            compared += 1
    assert compared >= 1
