"""Sentences that end with the names of files: what stands before these, and how such a sentence is told without them.

Why something waits, or was rejected, is one text in the database. Who writes such a sentence and who tells it to those who
may not see files both have its words from here; the view `lane_wait` has the first in SQL.
"""

from typing import Final

PLUGIN_FILES: Final = "; plugin files with errors: "
WORKFLOW_FILE: Final = " has a file that has never been without fault: "
_UNNAMED: Final = (
    (PLUGIN_FILES, "; plugin files have errors"),
    (WORKFLOW_FILE, WORKFLOW_FILE.removesuffix(": ")),
)


def without_files(sentence: str) -> str:
    """The sentence without the names of the files that it ends with, if it is one of these."""
    for words, instead in _UNNAMED:
        before, found, _ = sentence.partition(words)
        if found:
            return before + instead
    return sentence
