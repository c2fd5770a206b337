"""The page on calendars: its Python is run, its commands are typed in, and its table is what ships."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import qflowd
from qflowd.calendars import bundled
from tests.docs.pages import ROOT, blocks_of
from tests.docs.test_howto import environment, pattern_of

PAGE = ROOT / "docs" / "calendars.md"
TEXT = PAGE.read_text("utf-8")


def test_the_python_of_the_page_runs() -> None:
    names: dict[str, Any] = {}
    blocks = [block for block in blocks_of(PAGE) if block.language == "python"]
    assert len(blocks) >= 5
    for block in blocks:
        exec(compile(block.text, block.place, "exec"), names)  # noqa: S102 - our own page


def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    variables = environment(tmp_path)
    blocks = [block for block in blocks_of(PAGE) if block.language in ("sh", "text")]
    assert [block.language for block in blocks] == ["sh", "text"] * 3
    for command, shown in zip(blocks[::2], blocks[1::2], strict=True):
        ran = subprocess.run(
            ["bash", "-euc", command.text],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        printed = "".join(f"{line.strip()}\n" for line in ran.stdout.splitlines())
        assert re.fullmatch(pattern_of(shown.text), printed), f"{shown.place}: {ran.stdout}{ran.stderr}"


def test_the_table_names_all_calendars_that_ship() -> None:
    rows = [line.split("|")[1] for line in TEXT.partition("## What ships")[2].splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([A-Z]+)`", row)]
    assert sorted(named) == list(bundled.names())
    [nights] = re.findall(r"^\| (.*) \| .*, with their nights \|$", TEXT, re.MULTILINE)
    have_nights = {name for name in named if qflowd.calendar(name).nights.on(qflowd.calendar(name).last)}
    assert set(re.findall(r"\w+", nights)) == have_nights


@pytest.mark.parametrize("name", re.findall(r"`([A-Z]+\.[A-Za-z]+)`", TEXT))
def test_every_product_that_the_page_names_has_a_calendar(name: str) -> None:
    assert qflowd.calendar(name).name == name
