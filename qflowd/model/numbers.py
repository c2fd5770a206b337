"""Whole numbers as people and paths write them."""


def whole_number(text: str, most_digits: int = 18) -> int | None:
    """The number that these digits 0 to 9 are; None where there is anything else, or more of them than `most_digits`."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= most_digits else None
