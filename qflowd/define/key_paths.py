"""Paths of keys and their lines, as the readers of YAML, TOML and JSON share them; and their error."""

from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
KeyFault = tuple[KeyPath, str]  # of which key, and what is wrong with it
Lines = dict[KeyPath, int]  # path of a key or item -> its line, from 1


class UnreadableText(Exception):
    """A document is not in its format; `faults` are (line, key, message)."""

    def __init__(self, faults: Iterable[tuple[int, str, str]]) -> None:
        self.faults = list(faults)
        super().__init__(self.faults)


def dotted(path: KeyPath) -> str:
    """`path` as people write it: `tasks.bars.after[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
