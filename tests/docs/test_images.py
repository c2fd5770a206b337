"""The pictures in docs/images: small, of one size, all of them shown somewhere; and the command that takes them."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

IMAGES = ROOT / "docs" / "images"
LARGEST = 100_000
SIZE = (1280, 720)


def size_of(picture: bytes) -> tuple[int, int]:
    """Of a WebP: the frame's header, or that of the container."""
    assert (picture[:4], picture[8:12]) == (b"RIFF", b"WEBP")
    if picture[12:16] == b"VP8X":
        width, height = (int.from_bytes(picture[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    assert picture[12:16] == b"VP8 "
    width, height = struct.unpack("<HH", picture[26:30])
    return width & 0x3FFF, height & 0x3FFF


def test_pictures_are_small_and_of_one_size() -> None:
    pictures = {path.name: path.read_bytes() for path in IMAGES.glob("*.webp")}
    assert len(pictures) >= 10
    assert {name: size_of(picture) for name, picture in pictures.items() if size_of(picture) != SIZE} == {}
    assert {name: len(picture) for name, picture in pictures.items() if len(picture) > LARGEST} == {}


def test_every_picture_is_taken_by_the_command_and_shown_on_a_page() -> None:
    taken = set(re.findall(r'Shot\("([\w-]+)"', (IMAGES / "screenshots.py").read_text("utf-8")))
    assert {path.stem for path in IMAGES.glob("*.webp")} == taken
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+)\.webp", page.read_text("utf-8"))}
    assert shown == taken


@pytest.mark.long
def test_the_command_takes_a_picture(tmp_path: Path) -> None:
    command = [sys.executable, str(IMAGES / "screenshots.py"), "--into", str(tmp_path), "--only", "today"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=500)
    assert [path.name for path in tmp_path.iterdir()] == ["today.webp"]
    assert size_of((tmp_path / "today.webp").read_bytes()) == SIZE
