"""The page on testing is a small project: its files are written, and its tests run as its reader would run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, blocks_of, named_files

PAGE = ROOT / "docs" / "testing.md"


def test_all_tests_of_the_page_pass(tmp_path: Path) -> None:
    files = named_files(PAGE)
    assert len(files) == 2
    tests = [block.text for block in blocks_of(PAGE) if block.language == "python" and "def test_" in block.text]
    files |= {f"tests/test_{number}.py": text for number, text in enumerate(tests)}
    files["pytest.ini"] = "[pytest]\npythonpath = plugins\nfilterwarnings = error\n"
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    expected = sum(len(re.findall(r"^def test_", text, re.MULTILINE)) for text in tests)
    assert re.search(rf"^{expected} passed", ran.stdout, re.MULTILINE), ran.stdout + ran.stderr
