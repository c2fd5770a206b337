"""Days as files of calendars hold them: by year, `MMDD` or `MMDD-MMDD`, separated by blanks."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta


def unpack(packed: Mapping[str, str]) -> Iterator[date]:
    """The days in `{"2026": "0101 0216-0223"}`, in their order; a range has both of its ends.

    Raises: ValueError with what cannot be read.
    """
    for year, days in packed.items():
        for word in days.split():
            first, _, last = word.partition("-")
            begin = _day(year, first)
            end = _day(year, last) if last else begin
            if end < begin:
                raise ValueError(f"{word} of {year} ends before it begins")
            for number in range((end - begin).days + 1):
                yield begin + timedelta(days=number)


def pack(days: Iterable[date]) -> dict[str, str]:
    """What `unpack` reads; days that follow one another in a year become a range."""
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and (day - runs[-1][-1]).days == 1 and day.year == runs[-1][0].year:
            runs[-1].append(day)
        else:
            runs.append([day])
    words: dict[str, list[str]] = {}
    for run in runs:
        begin, end = (f"{day:%m%d}" for day in (run[0], run[-1]))
        words.setdefault(f"{run[0]:%Y}", []).append(begin if begin == end else f"{begin}-{end}")
    return {year: " ".join(of_year) for year, of_year in words.items()}


def _day(year: str, text: str) -> date:
    if len(text) == 4:
        try:
            return date.fromisoformat(f"{year}-{text[:2]}-{text[2:]}")
        except ValueError:
            pass
    raise ValueError(f"{text!r} of {year} is not a day; write it as MMDD")
