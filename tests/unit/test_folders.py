"""Which names in a folder a pattern means, and which listed folder another one lies in."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from qflowd.engine.waits.folders import names_of, root_of

NAMES = sorted(
    ["a", "a.csv", "a[1].csv", "ab.csv", "b.csv", "ba.csv", "B.csv", "\udce9.csv", ".a.csv", ".b", "\U0010ffff"]
)


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.csv",
        "a*",
        "a?.csv",
        "[ab]*",
        "[!a]*",
        "a[[]1].csv",
        "a.csv",
        "c.csv",
        "a[",
        "\udce9*",
        "\U0010ffff*",
        "z*",
    ],
)
def test_a_pattern_names_what_a_shell_would_and_no_hidden_file(pattern: str) -> None:
    meant = [name for name in NAMES if fnmatchcase(name, pattern) and not name.startswith(".")]
    assert names_of(pattern, NAMES) == meant


@pytest.mark.parametrize(("pattern", "meant"), [(".*", [".a.csv", ".b"]), (".a*", [".a.csv"]), (".b", [".b"])])
def test_a_pattern_that_begins_with_a_dot_names_hidden_files(pattern: str, meant: list[str]) -> None:
    assert names_of(pattern, NAMES) == meant


def test_names_that_begin_otherwise_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []

    class Noted:
        def match(self, name: str) -> bool:
            looked_at.append(name)
            return True

    monkeypatch.setattr("qflowd.engine.waits.folders._compiled", lambda _: Noted())
    assert names_of("bars_7_*", [f"bars_{i}_x" for i in range(10)]) == looked_at == ["bars_7_x"]


@pytest.mark.parametrize(
    ("folder", "root"),
    [("/data/slow/in", "/data/slow"), ("/data/slow", "/data/slow"), ("/data/in", "/data"), ("/date", None)],
)
def test_a_folder_lies_in_the_nearest_of_the_listed_ones(folder: str, root: str | None) -> None:
    found = root_of(folder, [Path("/data"), Path("/data/slow"), Path("/else")])
    assert found == (Path(root) if root else None)
