"""One run: it opens on its first failure; graph, Gantt chart, tasks and log show runs of any size."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Site
from tests.support.browser import violations
from tests.support.daemon import until

ITEMS = 5_400
WIDE = 400  # tasks of a workflow whose graph is folded
LINES = 20_000
# What a list that is scrolled by three rows changes of those that stay.
DRAWN_AGAIN = """async () => {
  const list = document.querySelector('.list'), changed = []
  const watch = new MutationObserver(seen => changed.push(...seen.map(each => each.target.outerHTML.slice(0, 200))))
  watch.observe(list.querySelector('.list-all'), {subtree: true, attributes: true})
  const first = list.querySelector('.list-row').id
  list.scrollTop += 96
  while (list.querySelector('.list-row').id === first) await new Promise(requestAnimationFrame)
  watch.disconnect()
  return changed }"""
# No time passes: where a machine is slow, an answer gets old and is asked for again.
AT_ONCE = "{ const now = Date.now(); Date.now = () => now; performance.now = () => 0 }"
# What is drawn has been drawn, and nothing else waits for its turn.
SETTLED = """async () => {
  for (const turn of [requestAnimationFrame, requestAnimationFrame, requestIdleCallback]) await new Promise(done => turn(done)) }"""
CHATTER = f'''
from qflowd import job


@job
def chatter() -> None:
    """Print more lines than a page of a browser takes well."""
    for n in range({LINES}):
        print(f"第 {{n}} 行 line {{n}}" + (" needle" if n % 5000 == 77 else ""))
'''


@pytest.fixture(scope="module")
def large(site: Site) -> int:
    """A run with a map of 5,400 items."""
    run = site.client.submit("eod.cn", params={"symbols": ITEMS}).id
    assert site.client.instance(run).wait(120) == "FAILED"
    return run


@pytest.fixture(scope="module")
def talking(site: Site) -> int:
    """A run of one job that has printed 20,000 lines."""
    site.daemon.write("plugins/chatter.py", CHATTER)
    until(lambda: "chatter" in site.daemon.log(), 60, what="the job to be known")
    run = site.client.submit(job="chatter").id
    until(lambda: site.client.instance(run).state() == "SUCCESS", 60)
    return run


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
def test_a_run_opens_on_its_first_failure_with_error_and_log(site: Site, lang: str, theme: str) -> None:
    with site.look(lang=lang, theme=theme) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{site.url}instances/{site.runs['eod.cn']}")
        task = page.get_by_role("complementary", name="check")
        expect(task).to_contain_text("ValueError: close of S007 is NaN")
        assert not [url for url in asked if "state=FAILED" in url]  # the run names it
        expect(task.locator(".log")).to_contain_text("comparing closes")
        expect(page.locator('.box[data-node][data-state="FAILED"]')).to_have_count(1)
        for box in page.locator(".box").all():
            expect(box).to_be_in_viewport(ratio=1)
        for tab in ("graph", "gantt", "tasks", "log", "data"):
            page.locator(f'[role="tab"][data-name="{tab}"]').click()
            expect(page.locator(".waiting")).to_have_count(0)
            assert "\n".join(violations(page)) == "", tab
        page.keyboard.press("Escape")
        expect(task).to_have_count(0)
        expect(page).to_have_url(re.compile("task=none"))


@pytest.mark.parametrize("more", ["", "&tab=log", "&tab=tasks", "&tab=tasks&node=bars"])
def test_what_a_page_shows_is_asked_for_once_and_before_its_code_is_here(site: Site, more: str) -> None:
    run = site.runs["eod.cn"]
    with site.look() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.partition("/api/v1")[2]))
        page.add_init_script(AT_ONCE)
        page.goto(f"{site.url}instances/{run}?task=none{more}")
        page.locator(".box, .log-line, .list-row .chip").first.wait_for()
    shell = asked.index("/notifications")
    first = [url for url in asked[:shell] if url]
    assert first[:2] == ["/me", f"/instances/{run}"]
    assert len(first) == 3
    assert [asked.count(url) for url in first] == [1, 1, 1], "what is asked ahead is not what the page asks"


def test_the_graph_is_walked_by_arrows_and_opened_by_enter(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances/{site.runs['reference/adr']}")
        page.locator(".box").first.wait_for()
        page.get_by_role("application", name="Graph").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".box[data-cursor]")).to_contain_text("report")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        expect(page.get_by_role("complementary", name="fetch")).to_contain_text("SUCCESS")
        page.get_by_role("tab", name="Gantt").click()
        expect(page.locator(".gantt-row")).to_have_count(2)


def test_what_would_run_again_is_marked_in_the_graph(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances/{site.runs['eod.cn']}")
        marked = page.locator(".box[data-marked]")
        page.locator(".box", has_text="fetch").click()
        again = page.get_by_role("complementary", name="fetch").get_by_role("button", name="Run again from here")
        expect(again).to_be_visible()
        expect(marked).to_have_count(0)
        again.hover()
        expect(marked).to_have_count(4)
        again.click()
        expect(page.get_by_role("dialog")).to_contain_text("(3): bars, check, report")
        page.keyboard.press("Escape")
        page.mouse.move(0, 0)
        expect(marked).to_have_count(0)
        assert page.locator(".react-flow__edge-path[marker-end]").count() == 4


def test_attempts_before_and_after_a_retry_are_chosen_one_by_one(site: Site) -> None:
    run = site.client.submit("eod.cn").id
    site.ended(run, "FAILED")
    site.client.instance(run).retry()
    site.ended(run, "FAILED")
    with site.look() as page:
        page.goto(f"{site.url}instances/{run}")
        attempts = page.get_by_role("complementary", name="check").locator("tr[aria-selected]")
        printed = page.get_by_role("complementary", name="check").locator(".log-line", has_text="comparing closes")
        expect(printed).to_have_count(2)
        expect(attempts.locator("button")).to_have_text(["1", "1"])  # each is the first since the task began anew
        for chosen in (1, 0):
            attempts.nth(chosen).get_by_role("button").click()
            expect(attempts.nth(chosen)).to_have_attribute("aria-selected", "true")
            expect(attempts.nth(1 - chosen)).to_have_attribute("aria-selected", "false")
            expect(printed).to_have_count(1)


def test_a_graph_of_many_tasks_comes_folded_and_shows_all_of_them(site: Site) -> None:
    tasks = [f"  t{n}: {{job: report{f', after: t{n - 20}' if n >= 20 else ''}}}" for n in range(WIDE)]
    site.daemon.write("workflows/wide.yaml", "\n".join(["workflow: wide", "tasks:", *tasks]))
    until(lambda: any(row["workflow"] == "wide" for row in site.client.workflows()), 60)
    with site.look() as page:
        page.goto(f"{site.url}workflows/wide?tab=graph")
        expect(page.locator(".graph-note")).to_contain_text("folded")
        page.locator(".box").first.wait_for()
        assert page.locator(".box").count() <= 300
        page.locator(".graph").focus()
        page.keyboard.press("u")
        expect(page.locator(".graph-note")).to_have_count(0)
        expect(page).to_have_url(re.compile("all=1"))
        expect(page.locator(".box", has_text=re.compile(r"^t0"))).to_be_visible()
        page.keyboard.press("u")
        expect(page.locator(".graph-note")).to_contain_text("folded")


def test_a_map_of_5400_items_is_one_box_and_a_list_that_jumps(site: Site, large: int) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances/{large}?task=none")
        expect(page.locator(".box")).to_have_count(4)
        box = page.locator(".box").filter(has_text="bars")
        expect(box).to_contain_text("×5,400")
        assert page.locator("*").count() <= 2_500
        tools = page.context.new_cdp_session(page)
        tools.send("HeapProfiler.collectGarbage")
        assert tools.send("Runtime.getHeapUsage")["usedSize"] <= 80e6
        box.click()
        expect(page).to_have_url(re.compile("tab=tasks.*node=bars"))
        expect(page.locator(".list-row").first).to_contain_text("bars[S000]")
        assert page.locator(".list-row").count() <= 60
        page.get_by_label("go to row").fill("5321")
        page.keyboard.press("Enter")
        expect(page.locator(".list-row[data-cursor]")).to_contain_text("bars[S5320]")
        assert page.locator(".list-row").count() <= 60
        assert page.evaluate(DRAWN_AGAIN) == []
        page.get_by_role("searchbox", name="label or task").fill("S4711")
        page.keyboard.press("Enter")
        expect(page.locator(".list-row")).to_have_count(1)
        page.locator(".list-row").click()
        expect(page.get_by_role("complementary", name="bars[S4711]")).to_contain_text("bars of S4711")


def test_a_log_of_20000_lines_is_scrolled_to_both_ends_and_searched(site: Site, talking: int) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances/{talking}?tab=log")
        log = page.get_by_role("region", name="Log")
        expect(log).to_contain_text(f"第 {LINES - 1} 行")
        expect(page.locator(".log-sum")).to_contain_text(f"{LINES:,}")
        assert until(lambda: seen(page, f"第 {LINES - 1} 行"), 20, what="its end")
        log.focus()
        page.keyboard.press("g")
        page.keyboard.press("g")
        expect(log).to_contain_text("第 0 行")
        assert until(lambda: seen(page, "第 0 行"), 20)
        page.keyboard.press("G")
        assert until(lambda: seen(page, f"第 {LINES - 1} 行"), 20)

        page.get_by_role("searchbox", name="Search the log").fill("needle")
        expect(page.get_by_text("4 hits")).to_be_visible()
        expect(page.locator(".log-line")).to_have_count(4)
        page.locator(".log-line").filter(has_text="第 5077 行").locator(".log-time").click()
        marked = page.locator("[data-marked]")
        expect(marked).to_contain_text("第 5077 行")
        expect(log).to_contain_text("第 5076 行")
        expect(log).to_contain_text("第 5078 行")
        line = re.search(r"line=(\d+)", page.url)
        assert line is not None
        page.goto(f"{site.url}instances/{talking}?tab=log&line={line[1]}")
        expect(marked).to_contain_text("第 5077 行")


def test_a_log_above_5000_lines_exists_only_where_one_looks(site: Site, talking: int) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances/{talking}?tab=log")
        log = page.locator(".log-scroll")
        page.locator(".log-line").first.wait_for()

        def older() -> bool:
            log.evaluate("element => { element.scrollTop = 0 }")
            return page.locator(".log-tall").count() == 1

        assert until(older, 120, what="5,001 lines to be here")
        assert page.locator(".log-row").count() <= 100
        page.locator(".log-scroll").focus()
        page.keyboard.press("G")
        assert until(lambda: seen(page, f"第 {LINES - 1} 行"), 20)


def test_older_lines_come_where_one_was_at_the_top_while_others_were_on_their_way(site: Site, talking: int) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    with site.look() as page:
        page.route(re.compile(r"/log\?.*after="), hold)
        page.goto(f"{site.url}instances/{talking}?tab=log")
        until(lambda: page.evaluate("1") and len(held) == 1, 30, what="new lines to be asked for")
        page.locator(".log-line").first.wait_for()
        shown = page.locator(".log-line").count()
        page.locator(".log-scroll").evaluate("element => { element.scrollTop = 0 }")
        page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        held[0].continue_()
        assert until(lambda: page.locator(".log-line").count() > shown > 0, 20, what="older lines")


def test_the_end_of_a_log_is_shown_to_whoever_asked_for_it(site: Site, talking: int) -> None:
    tails: list[Route] = []

    def hold(route: Route) -> None:
        tails.append(route)
        if len(tails) == 1:
            route.continue_()

    with site.look() as page:
        page.route(re.compile(r"/log\?.*tail="), hold)
        page.goto(f"{site.url}instances/{talking}?tab=log")
        log = page.locator(".log-scroll")
        expect(log).to_contain_text(f"第 {LINES - 1} 行")
        log.focus()
        page.keyboard.press("g")
        page.keyboard.press("g")
        assert until(lambda: seen(page, "第 0 行"), 20)
        page.evaluate(SETTLED)
        page.keyboard.press("G")
        assert until(lambda: page.evaluate("1") and len(tails) == 2, 20)
        page.evaluate(SETTLED)
        tails[1].continue_()
        assert until(lambda: seen(page, f"第 {LINES - 1} 行"), 20)


def test_on_a_phone_a_run_shows_its_error_and_its_log(site: Site) -> None:
    with site.look() as page:
        page.set_viewport_size({"width": 400, "height": 860})
        page.goto(f"{site.url}instances/{site.runs['eod.cn']}")
        task = page.get_by_role("complementary", name="check")
        expect(task.get_by_text("close of S007 is NaN").first).to_be_in_viewport()
        expect(page.locator(".box[data-chosen]")).to_be_in_viewport(ratio=0.9)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        task.get_by_role("button", name="Close").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("eod.cn")


def seen(page: Page, text: str) -> bool:
    """Whether a line with this text stands within the log's view."""
    return bool(
        page.evaluate(
            """text => {
                const box = document.querySelector('.log-scroll').getBoundingClientRect()
                const lines = [...document.querySelectorAll('.log-line, .log-row')].filter(line => line.textContent.includes(text))
                return lines.some(line => { const at = line.getBoundingClientRect(); return at.bottom > box.top && at.top < box.bottom })
            }""",
            text,
        )
    )
