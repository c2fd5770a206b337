"""Names that nothing has: the message about one, with what comes near it."""

from bisect import bisect
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message about an unknown `word`: what comes near it, else `otherwise`, else what there is."""
    from difflib import get_close_matches  # seldom needed, and large

    choices = sorted(known, key=str.casefold)
    if len(choices) > 1000:  # only those beside it in the alphabet are compared
        place = bisect(choices, word.casefold(), key=str.casefold)
        choices = choices[max(0, place - 50) : place + 50]
    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(word.casefold(), folded, 1, 0.6)
    if near:
        return f"; did you mean {folded[near[0]]}?"
    if otherwise:
        return f"; {otherwise}"
    return f"; known: {', '.join(choices)}" if 0 < len(choices) <= 30 else ""


def there_is_no(what: str, name: str, known: Iterable[str], command: str) -> str:
    """The message about a `name` that nothing has; `qflowd COMMAND` lists those there are."""
    return f"there is no {what} {name!r}{did_you_mean(name, known, f'`qflowd {command}` lists those there are')}"
