"""The dashboard in a real browser over a store with large runs: what a person waits for, and what it costs the browser."""

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, Page, StorageState

from bench.builds import Build
from bench.rig import MakeRig, Rig, cpu_s
from bench.served import served
from bench.stored import LARGE_MAP, NODES, fill
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import make_first_code
from tests.support.browser import browser

ABOUT = "the dashboard in Chromium, with maps of 5,400 and 100,000 items and a log of a million lines stored"
INSTANCES: Final = 2_000
MAPPED, LARGE = INSTANCES + 1, INSTANCES + 2
WIDE: Final = 3_000  # tasks of a graph
TABS: Final = 20
WATCHED_S: Final = 10.0

# What a figure may be at most, or with a minus sign at least.
BARS: Final = {
    "first load, KB": 150,
    "first load, usable, ms": 800,
    "data of a page, KB": 60,
    "data of a page, requests": 3,
    "map of 5,400: first content, ms": 500,
    "map of 5,400: graph, ms": 700,
    "map of 5,400: boxes": 300,
    "map of 5,400: DOM nodes": 2_500,
    "map of 5,400: heap, MB": 80,
    "list of 100,000: scroll, fps": -50,
    "list of 100,000: rows in the DOM": 60,
    "list of 100,000: jump, ms": 150,
    "graph of 3,000, folded: fps": -50,
    "graph of 3,000, all: fps": -30,
    "log of 1M lines: tail, ms": 300,
    "live run, 100 tasks/s: core, %": 5,
    "live run, 100 tasks/s: longest update, ms": 50,
    "live run, 100 tasks/s: requests/s": 2,
    "write to seen in another tab, ms": 1_500,
    "20 tabs: streams": 1,
    "20 tabs: server's CPU, of one tab's": 1.5,
}
PAGES: Final = (
    "",
    "workflows",
    "instances",
    "failures",
    "schedules",
    "daemons",
    "limits",
    f"instances/{MAPPED}?task=none",
)

# When each of these stood on the page for the first time, and the longest piece of work since `longest` was reset.
WATCH: Final = """
window.at = {}; window.longest = 0
const wanted = ['main h1', '.tiles', '.box', '.list-row', '.log-line, .log-row']
new MutationObserver(() => { for (const each of wanted) if (!(each in at) && document.querySelector(each)) at[each] = performance.now() })
  .observe(document, {childList: true, subtree: true})
new PerformanceObserver(list => { for (const each of list.getEntries()) longest = Math.max(longest, each.duration) }).observe({type: 'longtask'})
"""
FRAMES: Final = """async ([selector, move]) => {
  const place = document.querySelector(selector); let frames = 0; const began = performance.now()
  await new Promise(done => { const step = () => {
    if (move === 'scroll') place.scrollTop += 90
    else place.dispatchEvent(new WheelEvent('wheel', {deltaX: frames % 120 < 60 ? 24 : -24, bubbles: true, cancelable: true}))
    frames++; performance.now() - began < 2000 ? requestAnimationFrame(step) : done() }; requestAnimationFrame(step) })
  return frames / (performance.now() - began) * 1000 }"""
_FOUND: dict[str, dict[str, float]] = {}


def measure(make: MakeRig, build: Build, _args: Namespace) -> dict[str, float]:
    """Each figure once for a database, with what stands in `BARS`; the bars are printed beside them."""
    rig = make(build)
    if rig.dialect not in _FOUND:
        with browser() as chromium:
            found = _FOUND[rig.dialect] = measured(rig, chromium)
        for name, value in found.items():
            bar = BARS[name]
            is_met = value >= -bar if bar < 0 else value <= bar
            print(f"{rig.dialect:10}{name:44}{value:>10,.1f}  bar {abs(bar):,}{'' if is_met else '  MISSED'}")
    return _FOUND[rig.dialect]


def measured(rig: Rig, chromium: Browser) -> dict[str, float]:
    """All figures, on an empty store."""
    rig.workflow(
        "wide", {f"t{n}": {"job": f"j{n % 7}"} | ({"after": [f"t{n - 50}"]} if n >= 50 else {}) for n in range(WIDE)}
    )
    fill(rig, INSTANCES)
    with served(rig) as api:
        code = rig.store.transact(lambda tx: make_first_code(tx, Actor("bench", "default")))
        site = Site(rig, api.url, chromium, api.pid)
        site.sign_in(str(code))
        return (
            site.first_load()
            | site.pages()
            | site.map()
            | site.list()
            | site.graph()
            | site.log()
            | site.live()
            | site.tabs()
        )


class Site:
    """The dashboard, and a person who looks at it with an empty cache each time."""

    def __init__(self, rig: Rig, url: str, browser: Browser, server: int) -> None:
        self.rig, self.url, self.browser, self.server = rig, url, browser, server
        self.state: StorageState | None = None

    def sign_in(self, code: str) -> None:
        page = self.browser.new_context().new_page()
        page.goto(f"{self.url}#code={code}")
        page.locator(".shell main h1").wait_for()
        self.state = page.context.storage_state()
        page.context.close()

    @contextmanager
    def look(self, path: str, until: str) -> Iterator[Page]:
        """A page until `until` stands on it."""
        context = self.browser.new_context(storage_state=self.state, viewport={"width": 1440, "height": 900})
        context.set_default_timeout(60_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.asked = asked = []  # type: ignore[attr-defined]
        page.on("response", lambda response: asked.append(response))  # noqa: PLW0108 - it cannot wrap a built-in method
        page.goto(self.url + path)
        page.locator(until).first.wait_for()
        try:
            yield page
        finally:
            context.close()

    def first_load(self) -> dict[str, float]:
        with self.look("", ".tiles") as page:
            sizes = [_transferred(each) for each in page.asked if "/api/" not in each.url]  # type: ignore[attr-defined]
            return {"first load, KB": sum(sizes) / 1e3, "first load, usable, ms": _at(page, ".tiles")}

    def pages(self) -> dict[str, float]:
        """The most that any page asks for; who looks and what surrounds every page is not counted."""
        kilobytes, requests = [], []
        for path in PAGES:
            with self.look(path, "main h1") as page:
                page.wait_for_timeout(1_000)
                own = [each for each in page.asked if "/api/v1/" in each.url and not _is_common(each.url)]  # type: ignore[attr-defined]
                kilobytes.append(sum(map(_transferred, own)) / 1e3)
                requests.append(len(own))
        return {"data of a page, KB": max(kilobytes), "data of a page, requests": max(requests)}

    def map(self) -> dict[str, float]:
        name = "map of 5,400"
        with self.look(f"instances/{MAPPED}?task=none", ".box") as page:
            page.wait_for_timeout(1_000)
            tools = page.context.new_cdp_session(page)
            tools.send("HeapProfiler.collectGarbage")
            return {
                f"{name}: first content, ms": _at(page, "main h1"),
                f"{name}: graph, ms": _at(page, ".box"),
                f"{name}: boxes": page.locator(".box").count(),
                f"{name}: DOM nodes": page.locator("*").count(),
                f"{name}: heap, MB": tools.send("Runtime.getHeapUsage")["usedSize"] / 1e6,
            }

    def list(self) -> dict[str, float]:
        name = "list of 100,000"
        with self.look(f"instances/{LARGE}?tab=tasks&node=task_1&task=none", ".list-row .chip") as page:
            frames = page.evaluate(FRAMES, [".list", "scroll"])
            rows = page.locator(".list-row").count()
            page.get_by_label("go to row").fill(str(LARGE_MAP - 12_345))
            began = time.monotonic()
            page.keyboard.press("Enter")
            page.get_by_text(f"s{LARGE_MAP - 12_346}]").wait_for()
            jump = (time.monotonic() - began) * 1e3
            return {f"{name}: scroll, fps": frames, f"{name}: rows in the DOM": rows, f"{name}: jump, ms": jump}

    def graph(self) -> dict[str, float]:
        found = {}
        for name, more in (("folded", ""), ("all", "&all=1")):
            with self.look(f"workflows/wide?tab=graph{more}", ".box") as page:
                for _ in range(6):  # to where boxes can be read
                    page.locator(".graph").press("+")
                page.wait_for_timeout(1_000)
                found[f"graph of 3,000, {name}: fps"] = page.evaluate(FRAMES, [".react-flow__pane", "wheel"])
        return found

    def log(self) -> dict[str, float]:
        with self.look(f"instances/{MAPPED}?tab=log&task=none", ".log-line, .log-row") as page:
            return {"log of 1M lines: tail, ms": _at(page, ".log-line, .log-row") - _at(page, "main h1")}

    def live(self) -> dict[str, float]:
        """A hundred rows a second change hands: what that costs the tab that looks at their run."""
        name, first = "live run, 100 tasks/s", (MAPPED << 20) + NODES + 100
        with self.look(f"instances/{MAPPED}?task=none", ".box") as page:
            page.wait_for_timeout(3_000)
            tools = page.context.new_cdp_session(page)
            tools.send("Performance.enable")
            page.evaluate("longest = 0")
            page.asked.clear()  # type: ignore[attr-defined]
            before, began = _busy_s(tools), time.monotonic()
            for tenth in range(int(WATCHED_S * 10)):
                rows = f"{first + tenth * 10} AND {first + tenth * 10 + 9}"
                self._write(f"UPDATE qflow.task_instance SET state = 3, fence = fence + 1 WHERE id BETWEEN {rows}")
                page.wait_for_timeout(max(0.0, (began + tenth / 10 - time.monotonic()) * 1e3))
            took = time.monotonic() - began
            return {
                f"{name}: core, %": (_busy_s(tools) - before) / took * 100,
                f"{name}: longest update, ms": page.evaluate("longest"),
                f"{name}: requests/s": len(page.asked) / took,  # type: ignore[attr-defined]
                "write to seen in another tab, ms": self._seen(page),
            }

    def tabs(self) -> dict[str, float]:
        """Twenty tabs that are looked at, beside one."""
        with self.look(f"instances/{MAPPED}?task=none", ".box") as page:
            streams: list[str] = []
            page.context.on("request", lambda request: "/stream?" in request.url and streams.append(request.url))
            one = self._served_s(page)
            for _ in range(TABS - 1):
                other = page.context.new_page()
                other.goto(page.url)
                other.locator(".box").first.wait_for()
            page.wait_for_timeout(6_000)
            many = self._served_s(page)
            # The first tab's stream began before anyone counted.
            return {"20 tabs: streams": 1 + len(streams), "20 tabs: server's CPU, of one tab's": many / one}

    def _served_s(self, page: Page) -> float:
        page.wait_for_timeout(2_000)
        began = cpu_s(self.server)
        page.wait_for_timeout(WATCHED_S * 1e3)
        return cpu_s(self.server) - began

    def _seen(self, page: Page) -> float:
        """Of a second tab, five times: the run is paused, and is running again."""
        other = page.context.new_page()
        other.goto(page.url)
        other.locator(".box").first.wait_for()
        times = []
        for state, word in ((2, "PAUSED"), (1, "RUNNING")) * 3:
            other.wait_for_timeout(700)
            began = time.monotonic()
            self._write(f"UPDATE qflow.workflow_instance SET state = {state} WHERE id = {MAPPED}")
            other.locator("h1 .chip", has_text=word).wait_for()
            times.append((time.monotonic() - began) * 1e3)
        return median(times)

    def _write(self, sql: str) -> None:
        connection = self.rig.store.connection()
        connection.begin()
        connection.script(sql)
        connection.commit()


def _at(page: Page, selector: str) -> float:
    """Milliseconds from the beginning of the page until this stood on it."""
    return float(page.evaluate("selector => at[selector]", selector))


def _busy_s(tools: Any) -> float:
    """Seconds that the page's main thread has worked."""
    return float(
        next(
            each["value"] for each in tools.send("Performance.getMetrics")["metrics"] if each["name"] == "TaskDuration"
        )
    )


def _transferred(response: Any) -> int:
    sizes = response.request.sizes()
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def _is_common(url: str) -> bool:
    path = url.partition("/api/v1")[2]
    return path.startswith(("/stream", "/me", "/notifications")) or path == "/daemons"
