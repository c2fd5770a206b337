"""What `qflowd top` shows, as lines of words with a meaning: sections that share the rows there are. Draws nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from qflowd.api.today.overview import Overview
from qflowd.cli.printing import CONTROL, cut, duration, first_line, in_zone, instant, printable, width, zone
from qflowd.model.states import InstanceState

BAR: Final = 20
GAP: Final = 2
SECTIONS: Final = 4
LEAST_ROWS: Final = 1  # of a section, below its title
KEYS: Final = "q quit   p pause   s sort   ←→ section   ↑↓ scroll"


class Span(NamedTuple):
    """A piece of a line. `word`: a state that gives its colour, `bold`, `chosen`, or nothing."""

    text: str
    word: str = ""


Line = list[Span]


@dataclass
class Look:
    """How a person looks: what is chosen, where it is scrolled to, how runs are sorted, and whether it stands still."""

    title: str
    place: str  # which database it is, as far as there is room
    sort: int = 0
    section: int = 0
    first: int = 0
    is_paused: bool = False
    note: str = ""

    def choose(self, step: int) -> None:
        """The next section, or the one before; its first row is at the top."""
        self.section, self.first = (self.section + step) % SECTIONS, 0

    def scroll(self, step: int) -> None:
        """By so many rows; `frame` knows where it ends."""
        self.first = max(0, self.first + step)

    def sort_otherwise(self) -> None:
        """By the next of `SORTS`."""
        self.sort, self.first = (self.sort + 1) % len(SORTS), 0


# How runs are sorted: a name, and what is compared; the first comes first.
SORTS: Final[Sequence[tuple[str, Callable[[Any], Any]]]] = (
    ("newest", lambda run: -run.id),
    ("oldest", lambda run: (run.started_at is None, run.started_at, run.id)),
    ("least done", lambda run: (run.progress, run.id)),
    ("name", lambda run: (run.name, run.id)),
)


class _Section(NamedTuple):
    title: str
    heads: Sequence[str]  # `>` at the end aligns to the right
    rows: Sequence[Sequence[Span]]


def frame(overview: Overview, look: Look, columns: int | None, rows: int | None) -> list[Line]:
    """The lines of one picture.

    Args:
        columns: of the screen; None: lines are as long as they need to be.
        rows: of the screen, 10 or more to be of use; None: all there is. The last one names the keys.
    """
    head = [*_head(overview, look), []]
    sections = _sections(overview, look)
    look.section %= len(sections)
    if rows is None:
        body = [line for section in sections for line in (*_lines(section, 0, len(section.rows)), [])][:-1]
        return [_fit(line, columns) for line in (*head, *body)]
    rooms = _rooms([len(section.rows) for section in sections], rows - len(head) - 1 - 3 * len(sections) + 1)
    body = []
    for number, (section, room) in enumerate(zip(sections, rooms, strict=True)):
        is_chosen = number == look.section
        first = min(look.first, max(0, len(section.rows) - room)) if is_chosen else 0
        look.first = first if is_chosen else look.first
        body += [*_lines(section, first, room, is_chosen=is_chosen), []]
    foot: Line = [Span(look.note, "FAILED")] if look.note else [Span(KEYS), Span(f"   sorted: {SORTS[look.sort][0]}")]
    picture = [*head, *body][: rows - 1]
    picture += [[]] * (rows - 1 - len(picture))
    return [_fit(line, columns) for line in (*picture, foot)]


def _head(overview: Overview, look: Look) -> list[Line]:
    states = overview.states
    counts: Line = []
    for state in sorted(InstanceState, key=lambda state: (state.is_final, state)):
        if number := states.get(state.name):
            counts += [Span(f"{state.name} ", state.name), Span(f"{number}   ")]
    ready = (
        "nothing is ready" if overview.oldest_ready_s is None else f"oldest ready {duration(overview.oldest_ready_s)}"
    )
    stands = [Span(" · "), Span("PAUSED", "PAUSED")] if look.is_paused else []
    return [
        [Span(look.title, "bold"), Span(f" · {instant(overview.now)} {zone().key}"), *stands, Span(f" · {look.place}")],
        counts or [Span("no instances since yesterday")],
        [Span(ready), *_faulty(overview)],
    ]


def _faulty(overview: Overview) -> Line:
    number = len(overview.faulty_files)
    what = (
        f"{number} file{'s' * (number > 1)} cannot be used: {_near_end(overview.faulty_files[0].file)}"
        if number
        else ""
    )
    return [Span("   "), Span(what, "FAILED")] if what else []


def _near_end(path: str) -> str:
    """The last two parts of a path."""
    return "/".join(path.split("/")[-2:])


def _sections(overview: Overview, look: Look) -> list[_Section]:
    runs = sorted(overview.running, key=SORTS[look.sort][1])
    number = sum(overview.states.get(state, 0) for state in ("RUNNING", "PAUSED"))
    return [
        _Section(
            f"Running ({number if number <= len(runs) else f'{number}, the newest {len(runs)}'})",
            ("ID>", "NAME", "STATE", "DONE", "TIME>", "NOTE"),
            [_run(overview, run) for run in runs],
        ),
        _Section(
            f"Failing ({len(overview.failing)})",
            ("TIMES>", "WORKFLOW", "TASK", "LAST>", "ERROR"),
            [
                _row(group.count, group.workflow, group.task, _ago(overview, group.newest_at), first_line(group.error))
                for group in overview.failing
            ],
        ),
        _Section(
            f"Daemons ({len(overview.daemons)})",
            ("NAME", "HOST", "STATE", "BUSY>", "MEMORY>", "JOBS>", "SEEN>"),
            [_daemon(overview, daemon) for daemon in overview.daemons],
        ),
        _Section(
            "Next",
            (f"FIRES ({zone().key})", "IN>", "WORKFLOW", "SCHEDULE"),
            [_row(instant(fire.at), _in(overview, fire.at), fire.workflow, fire.schedule) for fire in overview.fires],
        ),
    ]


def _run(overview: Overview, run: Any) -> list[Span]:
    full = int(BAR * run.progress)
    bar = f"[{'#' * full}{'-' * (BAR - full)}] {run.progress:4.0%}"
    since = "" if run.started_at is None else _ago(overview, run.started_at)
    cells = _row(run.id, run.name, run.state, bar, since, first_line(run.error or in_zone(run.wait_reason)))
    cells[2] = Span(run.state, run.state)
    return cells


def _daemon(overview: Overview, daemon: Any) -> list[Span]:
    memory = "" if daemon.memory_mb is None else f"{daemon.memory_mb:.0f} MB"
    slots, seen = f"{daemon.busy}/{daemon.slots}", _ago(overview, daemon.seen_at)
    return _row(daemon.name, daemon.host, daemon.state, slots, memory, daemon.jobs, seen)


def _row(*cells: object) -> list[Span]:
    return [Span("" if cell is None else CONTROL.sub(" ", printable(str(cell)))) for cell in cells]


def _ago(overview: Overview, at: Any) -> str:
    return duration(max(0.0, (overview.now - at).total_seconds()))


def _in(overview: Overview, at: Any) -> str:
    return duration(max(0.0, (at - overview.now).total_seconds()))


def _rooms(wanted: Sequence[int], left: int) -> list[int]:
    """Rows for each section: what it needs, or an equal share of what others leave."""
    rooms = [min(LEAST_ROWS, need) for need in wanted]
    left -= sum(rooms)
    while left > 0 and any(room < need for room, need in zip(rooms, wanted, strict=True)):
        for number, need in enumerate(wanted):
            if left > 0 and rooms[number] < need:
                rooms[number], left = rooms[number] + 1, left - 1
    return rooms


def _lines(section: _Section, first: int, room: int, *, is_chosen: bool = False) -> list[Line]:
    """The title with what is out of sight, the heads, and rows from `first` on."""
    shown = section.rows[first : first + room]
    hidden = f"  {first + 1} to {first + len(shown)} of {len(section.rows)}" if len(shown) < len(section.rows) else ""
    title: Line = [Span(section.title, "chosen" if is_chosen else "bold"), Span(hidden)]
    if not section.rows:
        return [[*title, Span("  none")]]
    cells = [[Span(head.removesuffix(">"), "bold") for head in section.heads], *shown]
    widths = [max(width(span.text) for span in column) for column in zip(*cells, strict=True)]
    return [title, *(_aligned(row, widths, section.heads) for row in cells)]


def _aligned(row: Sequence[Span], widths: Sequence[int], heads: Sequence[str]) -> Line:
    line: Line = []
    for span, size, head in zip(row, widths, heads, strict=True):
        gap = " " * (size - width(span.text))
        padded = gap + span.text if head.endswith(">") else span.text + gap
        line += [Span(padded, span.word), Span(" " * GAP)]
    return line


def _fit(line: Line, columns: int | None) -> Line:
    """No longer than the screen is wide."""
    if columns is None:
        return line
    fitted: Line = []
    for span in line:
        text = cut(span.text, columns) if columns > 0 else ""
        columns -= width(text)
        fitted.append(Span(text, span.word))
    return fitted
