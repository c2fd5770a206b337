"""Filters as patterns of LIKE, with `!` before what is meant as it stands.

All compare without case, as the database tells letters: what is compared goes through its LOWER, and so does the pattern.
"""


def of_glob(glob: str | None) -> str:
    """`daily_*` as a pattern; without a filter the one that fits everything."""
    return "%" if glob is None else _plain(glob).replace("*", "%")


def beginning(text: str) -> str:
    """A pattern of what begins with the text."""
    return f"{_plain(text)}%"


def containing(text: str | None) -> str:
    """A pattern of what contains the text; without one, of everything."""
    return f"%{_plain(text)}%" if text else "%"


def _plain(text: str) -> str:
    return "".join(f"!{character}" if character in "!%_" else character for character in text)
