"""Sentences that name files, told to those who may not see them."""

from __future__ import annotations

from qflowd.model.named_files import PLUGIN_FILES, WORKFLOW_FILE, without_files
from tests.docs.pages import ROOT


def test_a_sentence_is_told_without_the_files_that_it_names() -> None:
    assert without_files(f"no live daemon knows job x{PLUGIN_FILES}/a.py, /b.py") == (
        "no live daemon knows job x; plugin files have errors"
    )
    assert without_files(f"workflow 'w'{WORKFLOW_FILE}/w.yaml:2: titel") == (
        "workflow 'w' has a file that has never been without fault"
    )
    assert without_files("the job is paused: x") == "the job is paused: x"


def test_the_view_that_says_why_a_lane_waits_has_the_same_words() -> None:
    assert f"'{PLUGIN_FILES}'" in (ROOT / "sql/common/migrations/views.sql").read_text("utf-8")
