"""What a task that waits for files wants, as it is stored."""

from pathlib import PurePosixPath
from typing import NamedTuple


class WantedFiles(NamedTuple):
    """Files of one folder. All that match must have stood still for `stable_s`, and be at least `at_least`, 1 to 1,000.

    `folder`: an absolute path. `pattern`: of names, with `*`, `?` and `[…]`. `ok`: beside each of them must stand a file
    with this at the end of its name; "" for none. `checksum`: the same of one that says its digest, by the algorithm that it
    is called after.
    """

    folder: str
    pattern: str
    stable_s: float
    ok: str
    at_least: int
    checksum: str = ""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Of all names that have to be looked at."""
        return (self.pattern, self.pattern + self.checksum) if self.checksum else (self.pattern,)


def wanted(path: str, stable_s: float, ok: str, at_least: int, checksum: str) -> WantedFiles:
    """`path`: as `fault_in_pattern` lets it pass."""
    whole = PurePosixPath(path)
    return WantedFiles("/" + str(whole.parent).lstrip("/"), whole.name, stable_s, ok, at_least, checksum)
