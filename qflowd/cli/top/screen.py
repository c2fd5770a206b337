"""The screen of `qflowd top`: draws pictures, reads keys, and leaves the terminal as it was, however it ends."""

import curses
import locale
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from qflowd.cli.printing import COLOURS
from qflowd.cli.top.frame import Line, Look, frame
from qflowd.cli.top.watch import OverviewWatch

KEY_MS: Final = 200  # a key is noticed at once; a signal, a new size and new figures within this
PAGE: Final = 10
PAIRS: Final = {"green": 1, "cyan": 2, "red": 3, "yellow": 4}
QUIT: Final = (ord("q"), ord("Q"))
MOVES: Final[Mapping[int, Callable[[Look], None]]] = {
    ord("s"): Look.sort_otherwise,
    curses.KEY_LEFT: lambda look: look.choose(-1),
    curses.KEY_RIGHT: lambda look: look.choose(1),
    ord("\t"): lambda look: look.choose(1),
    curses.KEY_UP: lambda look: look.scroll(-1),
    curses.KEY_DOWN: lambda look: look.scroll(1),
    curses.KEY_PPAGE: lambda look: look.scroll(-PAGE),
    curses.KEY_NPAGE: lambda look: look.scroll(PAGE),
    curses.KEY_HOME: lambda look: look.scroll(-(1 << 30)),
    curses.KEY_END: lambda look: look.scroll(1 << 30),
}


def show(watch: OverviewWatch, look: Look) -> None:
    """Until `q`. Raises: KeyboardInterrupt, SystemExit on SIGTERM and SIGHUP, once the terminal is as it was."""
    try:
        with _screen() as screen:
            _run(screen, watch, look)
    finally:
        watch.close()


def _run(screen: Any, watch: OverviewWatch, look: Look) -> None:
    overview = watch.latest
    while True:
        if watch.fault is not None:
            raise watch.fault
        overview = overview if look.is_paused else watch.latest
        look.note = watch.error and f"trying again: {watch.error}"
        rows, columns = screen.getmaxyx()
        _draw(screen, frame(overview, look, columns - 1, rows))
        key = screen.getch()
        if key in QUIT:
            return
        if key in (ord("p"), ord(" ")):
            look.is_paused = not look.is_paused
            watch.stand_still(look.is_paused)
        elif key in MOVES:
            MOVES[key](look)


def _draw(screen: Any, lines: list[Line]) -> None:
    screen.erase()
    for number, line in enumerate(lines):
        screen.move(number, 0)
        for span in line:
            shown = span.text.encode(screen.encoding, "replace").decode(screen.encoding)
            with suppress(curses.error):  # the window became smaller meanwhile
                screen.addstr(shown, _looks(span.word))
    screen.refresh()


def _looks(word: str) -> int:
    if word in ("bold", "chosen"):
        return curses.A_BOLD | (curses.A_REVERSE if word == "chosen" else 0)
    pair = PAIRS.get(COLOURS.get(word, ""), 0)
    return curses.color_pair(pair) if pair and _is_coloured() else curses.A_NORMAL


def _is_coloured() -> bool:
    return "NO_COLOR" not in os.environ and curses.has_colors()


@contextmanager
def _screen() -> Iterator[Any]:
    """The terminal, taken over and given back: also where a signal ends the program."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with suppress(locale.Error):  # else ncurses draws bytes
        locale.setlocale(locale.LC_CTYPE, "")
    screen = curses.initscr()
    try:
        curses.noecho()
        curses.cbreak()
        screen.keypad(True)
        screen.timeout(KEY_MS)
        with suppress(curses.error):
            curses.curs_set(0)
        if "NO_COLOR" not in os.environ and curses.has_colors():
            curses.start_color()
            curses.use_default_colors()
            for name, pair in PAIRS.items():
                curses.init_pair(pair, getattr(curses, f"COLOR_{name.upper()}"), -1)
        yield screen
    finally:
        with suppress(curses.error):
            curses.curs_set(1)
        screen.keypad(False)
        curses.echo()
        curses.nocbreak()
        curses.endwin()


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)
