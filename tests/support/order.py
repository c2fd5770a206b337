"""In which order the files of a parallel run are handed out.

Fault tests wait for daemons that were killed or frozen, three houses at once: side by side they starve each other, and a
long one at the end is waited for. So they are spread over the first four fifths of the rest, whose folders are mixed.
At the end come files that neither start nor wait for anything, the largest first: no worker has much more than the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

UNTIL = 0.8  # of the other tests: what is left then is short
SHORT = {"unit", "engine"}  # folders of tests that take milliseconds
LAST = 0.1  # so much of all tests


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same items, file by file, those of fault tests far apart."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: (item.path.name, item.path)):
        files.setdefault(item.path, []).append(item)
    faults = [file for file in files.values() if file[0].get_closest_marker("fault")]
    others = [file for file in files.values() if not file[0].get_closest_marker("fault")]
    last = _last(others)
    others = [file for file in others if file not in last]
    share = UNTIL * sum(map(len, others)) / max(1, len(faults))
    ordered: list[pytest.Item] = []
    handed_out = 0
    for number, file in enumerate(faults, 1):
        ordered += file
        while others and handed_out < number * share:
            handed_out += len(others[0])
            ordered += others.pop(0)
    return ordered + [item for file in (*others, *last) for item in file]


def _last(files: list[list[pytest.Item]]) -> list[list[pytest.Item]]:
    """Files of short tests for the end."""
    wanted = LAST * sum(map(len, files))
    found: list[list[pytest.Item]] = []
    for file in reversed(files):
        if wanted > 0 and file[0].path.parent.name in SHORT:
            found.append(file)
            wanted -= len(file)
    return sorted(found, key=len, reverse=True)
