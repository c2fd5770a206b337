"""The word list of CONTRIBUTING.md, as far as a pattern can tell: pages, help, messages and docstrings keep to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of

AVOIDED = re.compile(
    r"(?<!\bthere )\b(?:is|are) no (?!longer\b|more\b)|(?<!@job )\b(?:goes|went|going) on\b|\bgo on\b|\bas ever\b"
    r"|\bmend(?:s|ed|ing)?\b|\ba text\b|\btexts\b|\bdie[ds]\b"
    r"|\b(?:obituar\w+|funerals?|corpses?|reborn|bur(?:y|ies|ied)|doomed|farewells?|orphans?)\b",
    re.IGNORECASE,
)
WHERE = (
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "calendars",
    "docs",
    "examples",
    "plugins",
    "systemd",
    "sql/README.md",
    "qflowd",
)
SUFFIXES = {".md", ".py", ".service", ".yaml", ".toml"}


def strings_of(path: Path) -> Iterator[str]:
    """The text of a page; of Python, every string, as that is what a user can see."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield text
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def files() -> Iterator[Path]:
    for name in WHERE:
        place = ROOT / name
        assert place.exists(), name
        yield from [place] if place.is_file() else (p for p in sorted(place.rglob("*")) if p.suffix in SUFFIXES)


def test_readers_meet_only_the_words_of_the_list() -> None:
    seen = [
        f"{name_of(path)}: …{text[max(0, match.start() - 30) : match.end() + 30]}…"
        for path in files()
        for string in strings_of(path)
        for text in [" ".join(string.split())]
        for match in AVOIDED.finditer(text)
    ]
    assert seen == []


@pytest.mark.parametrize("bad", ["'x' is no number", "it goes on", "as ever", "mends itself", "must be a text", "died"])
def test_the_rule_sees_what_it_should(bad: str) -> None:
    assert AVOIDED.search(bad)


@pytest.mark.parametrize("good", ["there is no daemon", "it is no longer there", "amend", "based on"])
def test_the_rule_lets_the_rest_pass(good: str) -> None:
    assert not AVOIDED.search(good)
