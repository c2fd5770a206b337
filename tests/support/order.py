"""In which order the files of a parallel run are handed out.

Fault tests wait for daemons that were killed or frozen, three houses at once: side by side they starve each other, and a
long one at the end is waited for. So they are spread over the first four fifths of the rest, whose folders are mixed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

UNTIL = 0.8  # of the other tests: what is left then is short


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same items, file by file, those of fault tests far apart."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: (item.path.name, item.path)):
        files.setdefault(item.path, []).append(item)
    faults = [file for file in files.values() if file[0].get_closest_marker("fault")]
    others = [file for file in files.values() if not file[0].get_closest_marker("fault")]
    share = UNTIL * sum(map(len, others)) / max(1, len(faults))
    ordered: list[pytest.Item] = []
    handed_out = 0
    for number, file in enumerate(faults, 1):
        ordered += file
        while others and handed_out < number * share:
            handed_out += len(others[0])
            ordered += others.pop(0)
    return ordered + [item for file in others for item in file]
