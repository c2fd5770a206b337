"""Pictures as SVG text: lines over time, falls from a peak, months as coloured squares. The page gives the colours.

A `Line` has a name, the number of its colour (0 to 4), and its points in order of time.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import NamedTuple

Points = Sequence[tuple[str, float]]  # (day as 2013-03-01, value)

WIDTH, LEFT, RIGHT = 1040, 46, 926  # lines lie between LEFT and RIGHT, names to the right of them


class Line(NamedTuple):
    """One series to draw."""

    name: str
    colour: int
    points: Points


def growth(lines: Sequence[Line], height: int = 420) -> str:
    """What one dollar became, on a logarithmic scale; each line begins at 1 on its first day."""
    lines = [line._replace(points=[(day, value / line.points[0][1]) for day, value in line.points]) for line in lines]
    values = [value for line in lines for _, value in line.points]
    low, high = min(values) / 1.06, max(values) * 1.06
    time, top, bottom = Time(lines), 8, height - 28

    def y(value: float) -> float:
        return bottom - (bottom - top) * math.log(value / low) / math.log(high / low)

    parts = [_rule(y(value), f"${value:g}", "base" if value == 1 else "grid") for value in _steps(low, high)]
    parts += time.axis(bottom + 20)
    heights = _apart([y(line.points[-1][1]) for line in lines], 18, bottom)
    for line, label_y in zip(lines, heights, strict=True):
        path = [(time.x(day), y(value)) for day, value in _thinned(line.points)]
        parts.append(f'<path class="line s{line.colour}" d="{_path(path)}"/>')
        if line.points[0][0] > time.first:
            parts.append(_dot(*path[0], line.colour, f"{line.name}: first session {line.points[0][0]}"))
        parts.append(_name(label_y, line.colour, f"{line.name} ${line.points[-1][1]:.2f}"))
    return _svg(WIDTH, height, parts, "What one dollar became")


def falls(lines: Sequence[Line], strip: int = 92) -> str:
    """How far below its highest close so far each price stood: a strip per line, one scale for all."""
    under = [line._replace(points=_below_peak(line.points)) for line in lines]
    deepest = min(value for line in under for _, value in line.points) * 1.05 or -0.05
    time, height, parts = Time(lines), strip - 24, []
    for number, line in enumerate(under):
        top = number * strip + 8.0
        scale = height / deepest
        marks = [share for share in (0.0, -0.4, -0.8) if share >= deepest]
        parts += [_rule(top + share * scale, percent(share), "grid") for share in marks]
        path = [(time.x(day), top + value * scale) for day, value in _thinned(line.points, lowest=True)]
        area = [(path[0][0], top), *path, (path[-1][0], top)]
        parts.append(f'<path class="area s{line.colour}" d="{_path(area)}Z"/>')
        parts.append(f'<path class="thin s{line.colour}" d="{_path(path)}"/>')
        parts.append(_name(top + 10, line.colour, f"{line.name} {percent(min(value for _, value in line.points))}"))
    bottom = len(lines) * strip
    return _svg(WIDTH, bottom + 24, [*parts, *time.axis(bottom + 12)], "Below the highest close so far")


def months(returns: Mapping[str, float], years: Sequence[int], cell: int = 24, row: int = 15) -> str:
    """Monthly returns ("2013-03" -> share), a row per year: green above zero, red below, full colour at 20 %."""
    left, top = 40, 16
    parts = [_text(left + cell * month + cell / 2, 10, "JFMAMJJASOND"[month], "middle") for month in range(12)]
    for number, year in enumerate(years):
        y = top + row * number
        parts.append(_text(left - 8, y + 11, str(year), "end"))
        for month in range(12):
            key = f"{year}-{month + 1:02}"
            parts.append(_month(left + cell * month, y, (cell - 1, row - 1), key, returns.get(key)))
    return _svg(left + 12 * cell + 4, top + row * len(years), parts, "Monthly returns")


def percent(share: float, digits: int = 0, *, sign: bool = False) -> str:
    """0.5 as 50%, with a real minus; `sign` puts a plus before what is not negative."""
    return f"{share:{'+' if sign else ''},.{digits}%}".replace("-0%", "0%").replace("-", "\N{MINUS SIGN}")


class Time:
    """Days on the x axis, between LEFT and RIGHT."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.first = min(line.points[0][0] for line in lines)
        self.last = max(line.points[-1][0] for line in lines)
        self._begin = date.fromisoformat(self.first).toordinal()
        self._scale = (RIGHT - LEFT) / max(1, date.fromisoformat(self.last).toordinal() - self._begin)

    def x(self, day: str) -> float:
        return LEFT + (date.fromisoformat(day).toordinal() - self._begin) * self._scale

    def axis(self, y: float) -> list[str]:
        """Names of years, or of quarters where there are few years."""
        years = range(int(self.first[:4]), int(self.last[:4]) + 1)
        starts = {f"{year}-01-01": str(year) for year in years}
        if len(years) <= 4:
            quarters = {"01": "Jan", "04": "Apr", "07": "Jul", "10": "Oct"}
            starts = {f"{year}-{m}-01": f"{name} {year}" for year in years for m, name in quarters.items()}
        inside = [(day, name) for day, name in starts.items() if self.first <= day <= self.last]
        every = math.ceil(len(inside) / 14) or 1
        return [_text(self.x(day), y, name, "middle") for day, name in inside[::every]]


def _below_peak(points: Points) -> Points:
    highest, under = 0.0, []
    for day, value in points:
        highest = max(highest, value)
        under.append((day, value / highest - 1))
    return under


def _thinned(points: Points, *, lowest: bool = False, most: int = 700) -> Points:
    """About `most` points at the most: of each group the lowest, or else the last (and the very first)."""
    size = math.ceil(len(points) / most)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    if lowest:
        return [min(group, key=lambda point: point[1]) for group in groups]
    return [points[0], *(group[-1] for group in groups)]


def _steps(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`: 0.5, 1, 2, 5, 10 …, closer ones where there is little between the two."""
    digits = (1, 2, 5) if high / low > 8 else (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [round(digit * 10.0**power, 10) for power in powers for digit in digits]
    return [value for value in values if low <= value <= high]


def _apart(heights: Sequence[float], gap: float, bottom: float) -> list[float]:
    """Move labels up until none covers another."""
    placed = list(heights)
    limit = bottom
    for number in sorted(range(len(heights)), key=lambda number: -heights[number]):  # from below
        placed[number] = min(heights[number], limit)
        limit = placed[number] - gap
    return placed


def _month(x: float, y: float, size: tuple[int, int], key: str, value: float | None) -> str:
    place = f'x="{x}" y="{y}" width="{size[0]}" height="{size[1]}"'
    if value is None:
        return f'<rect class="none" {place}/>'
    strength = 0.12 + 0.88 * min(1.0, abs(value) / 0.20)
    title = f"<title>{key}: {percent(value, 1, sign=True)}</title>"
    return f'<rect class="{"up" if value >= 0 else "down"}" {place} fill-opacity="{strength:.2f}">{title}</rect>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _rule(y: float, text: str, kind: str) -> str:
    line = f'<line class="{kind}" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>'
    return line + _text(LEFT - 8, y + 4, text, "end")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _name(y: float, colour: int, text: str) -> str:
    return f'<text class="name s{colour}" x="{RIGHT + 10}" y="{y + 4:.1f}">{escape(text)}</text>'


def _dot(x: float, y: float, colour: int, title: str) -> str:
    return f'<circle class="dot s{colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(title)}</title></circle>'


def _svg(width: int, height: int, parts: Sequence[str], title: str) -> str:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
    return opening + "".join(parts) + "</svg>"
