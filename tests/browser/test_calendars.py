"""The trading calendars: a year as a grid, told by signs and words; what comes next in two zones; how long it is known."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

import qflowd
from qflowd.calendars.horizon import days_left
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import make_login_code
from qflowd.engine.access.principals import add_principal
from qflowd.engine.late.late_dates import LateDates
from qflowd.engine.service import Topics
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.roles import Role
from qflowd.store.tx import Store
from tests.browser.conftest import Site
from tests.support.browser import violations
from tests.support.clock import SetClock
from tests.support.daemon import until
from tests.support.sql import run_sql

BY_SESSION = """
workflow: by_session
calendar: SHFE.ag
schedule: {at: close+30m}
tasks:
  report: {job: report}
"""
# Where days stand, all at one moment.
PLACES = "days => days.map(day => document.querySelector(`[data-day='${day}']`).getBoundingClientRect().toJSON())"


LATE_NAV = """
workflow: late_nav
calendar: XHKG
expect_by: close+2h
tasks:
  ship: {wait_for: {approval: "Ship it?"}}
"""


def test_a_year_tells_what_each_day_is_by_a_sign_and_words(site: Site) -> None:
    with site.look() as page:
        site.open(page, "calendars?name=XHKG&year=2024")
        expect(page.get_by_role("grid", name="XHKG 2024")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("246 sessions in 2024")
        signs = page.get_by_role("list", name="Signs").get_by_role("listitem")
        told = ["● 243 session", "◐ 3 half day", "✕ 16 closed on a weekday", "· 104 weekend"]
        expect(signs).to_have_text([re.compile(f"^{re.escape(each)}") for each in told])
        kinds = {"2024-02-08 Thu, session": "●", "2024-02-09 Fri, half day": "◐", "2024-02-12 Mon, closed": "✕"}
        for name, sign in kinds.items():
            expect(page.get_by_role("gridcell", name=re.compile(f"^{name}"))).to_have_text(sign)
        page.get_by_role("gridcell", name=re.compile("^2024-02-09")).hover()
        expect(page.locator(".year-told")).to_contain_text("half day, or other hours than usual")
        expect(page.locator(".year-told")).to_contain_text("09:30–12:00 Asia/Hong_Kong")


def test_an_evening_without_a_night_is_told_and_each_product_has_its_own(site: Site) -> None:
    with site.look() as page:
        site.open(page, "calendars?name=SHFE&year=2026")
        page.get_by_label("Product").select_option("ag")
        expect(page).to_have_url(f"{site.url}calendars?name=SHFE.ag&year=2026")
        cell = page.get_by_role("gridcell", name=re.compile("^2026-10-08"))
        expect(cell).to_have_text("○")
        expect(cell).to_have_accessible_name(re.compile("without a night before it"))
        cell.hover()
        expect(page.locator(".year-told")).to_contain_text("09:00–10:15 10:30–11:30 13:30–15:00")
        expect(page.locator(".year-told")).not_to_contain_text("Night")
        page.get_by_role("gridcell", name=re.compile("^2026-11-23")).hover()
        expect(page.locator(".year-told")).to_contain_text("Night 11-20 21:00–02:30")
        page.get_by_role("button", name=re.compile("^CN")).click()
        expect(page).to_have_url(f"{site.url}calendars?name=CN&year=2026")
        expect(page.get_by_role("gridcell", name=re.compile("^2026-02-14"))).to_have_text("+")
        expect(page.get_by_role("gridcell", name=re.compile("^2026-02-13 Fri, work day"))).to_have_text("●")
        expect(page.get_by_label("Product")).to_have_count(0)


def test_what_comes_next_has_the_hours_of_the_exchange_and_mine(site: Site) -> None:
    calendar = qflowd.calendar("XNYS")
    with site.look() as page:
        site.open(page, "calendars?name=XNYS")
        table = page.get_by_role("table", name="Next sessions")
        expect(table.locator("tbody tr")).to_have_count(5)
        expect(table).to_contain_text("Hours (America/New_York)")
        expect(table).to_contain_text("For me (Asia/Shanghai)")
        first = table.locator("tbody tr").first.locator("td")
        session = calendar.session(first.first.inner_text()[:10])
        assert session.open_at is not None
        assert session.close_at is not None
        theirs = [f"{calendar.local(at):%H:%M}" for at in (session.open_at, session.close_at)]
        expect(first.nth(1)).to_have_text("–".join(theirs))
        mine = qflowd.calendar("XSHG").local(session.open_at)
        expect(first.nth(2)).to_contain_text(f"{mine:%m-%d %H:%M}–")
        left = days_left(calendar, datetime.now(UTC))
        expect(page.get_by_role("main")).to_contain_text(
            re.compile(rf"{left}(?: days from today| more days are known)")
        )
        page.evaluate("localStorage.setItem('qflowd.settings', JSON.stringify({zone: 'America/New_York'}))")
        page.reload()
        expect(first.nth(1)).to_have_text("–".join(theirs))
        expect(table).not_to_contain_text("For me")


def test_days_are_walked_and_years_turned_by_keys(site: Site) -> None:
    with site.look() as page:
        site.open(page)
        page.keyboard.press("g")
        page.keyboard.press("k")
        expect(page).to_have_url(f"{site.url}calendars")
        site.open(page, "calendars?name=XTKS&year=2025")
        grid = page.get_by_role("grid", name="XTKS 2025")
        grid.locator("[tabindex='0']").focus()
        for key, day in (("ArrowDown", "02-01"), ("ArrowLeft", "01-31"), ("ArrowDown", "02-28"), ("Home", "02-01")):
            page.keyboard.press(key)
            expect(grid.locator(f"[data-day='2025-{day}']")).to_be_focused()
        expect(page.locator(".year-told")).to_contain_text("2025-02-01 Sat")
        page.keyboard.press("[")
        expect(page).to_have_url(f"{site.url}calendars?name=XTKS&year=2024")
        expect(page.get_by_role("grid", name="XTKS 2024")).to_be_visible()
        page.get_by_role("button", name="Later year").click()
        expect(page.get_by_role("grid", name="XTKS 2025")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{site.url}calendars?name=XTKS&year=2026")


def test_a_year_that_is_not_known_is_said_and_the_list_leads_on(site: Site) -> None:
    with site.look() as page:
        page.expected |= {"400", "404"}  # type: ignore[attr-defined]
        site.open(page, "calendars?name=XSHG&year=2049")
        expect(page.get_by_role("alert")).to_contain_text("calendar XSHG is known from")
        page.get_by_role("button", name=re.compile("^XSHG")).click()
        expect(page).to_have_url(f"{site.url}calendars?name=XSHG")
        expect(page.get_by_role("grid")).to_be_visible()
        site.open(page, "calendars?name=XSHQ")
        expect(page.get_by_role("alert")).to_contain_text("did you mean XSHG?")


def test_a_schedule_leads_to_its_calendar(site: Site) -> None:
    (site.daemon.folder / "workflows" / "by_session.yaml").write_text(BY_SESSION, "utf-8")
    until(lambda: [row for row in site.client.workflows() if row["workflow"] == "by_session"], 30)
    with site.look() as page:
        site.open(page, "schedules")
        page.get_by_role("button", name="by_session").click()
        _follow(site, page)
        site.open(page, "workflows/by_session?tab=schedule")
        _follow(site, page)


def _follow(site: Site, page: Page) -> None:
    page.get_by_role("link", name="SHFE.ag").click()
    expect(page).to_have_url(f"{site.url}calendars?name=SHFE.ag")
    expect(page.get_by_role("grid", name=re.compile("^SHFE.ag"))).to_be_visible()


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize("name", ["SHFE", "XNYS", "CN"])
def test_on_a_phone_months_stand_side_by_side_and_nothing_sticks_out(
    site: Site, name: str, lang: str, theme: str
) -> None:
    with site.look(lang=lang, theme=theme) as page:
        page.set_viewport_size({"width": 390, "height": 800})
        site.open(page, f"calendars?name={name}&year=2026")
        grid = page.get_by_role("grid", name=f"{name} 2026")
        grid.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("[...document.querySelectorAll('.table-box')].every(x => x.scrollWidth <= x.clientWidth)")
        january, february = page.evaluate(PLACES, [f"2026-{month}-01" for month in ("01", "02")])
        assert january["y"] == february["y"]
        assert january["x"] < february["x"]
        grid.locator("[tabindex='0']").focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowDown")
        expect(grid.locator(":focus")).to_have_attribute("data-day", re.compile("-02$"))
        assert violations(page) == []


def test_a_day_is_overridden_with_a_reason_and_taken_back(site: Site) -> None:
    with site.look() as page:
        site.open(page, "calendars?name=XHKG&year=2027")
        cell = page.get_by_role("gridcell", name=re.compile("^2027-03-17"))
        expect(cell).to_have_text("●")
        expect(page.get_by_role("main")).to_contain_text("No day is overridden")
        dialog = page.get_by_role("dialog")
        page.get_by_role("button", name="Override a day").click()
        expect(dialog.get_by_label("Day", exact=True)).to_have_value("")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        cell.click()
        page.get_by_role("button", name="Override this day").click()
        expect(dialog.get_by_label("Day", exact=True)).to_have_value("2027-03-17")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        cell.focus()
        page.keyboard.press("Enter")
        expect(dialog.get_by_label("Day", exact=True)).to_have_value("2027-03-17")
        dialog.get_by_label("It is").select_option("half")
        dialog.get_by_label("Hours (Asia/Hong_Kong)").fill("09:30-12:00")
        do = dialog.get_by_role("button", name="Override a day")
        expect(do).to_be_disabled()
        dialog.get_by_label("Reason", exact=True).fill("typhoon signal 8")
        do.click()
        expect(cell).to_have_text("◐")
        row = page.get_by_role("table", name="Overridden days of 2027").locator("tbody tr")
        expect(row).to_contain_text("2027-03-17")
        expect(row).to_contain_text("09:30-12:00")
        expect(row).to_contain_text("typhoon signal 8")
        assert site.client.calendar("XHKG").session("2027-03-17").is_half
        row.get_by_role("button", name="Restore").click()
        page.get_by_role("dialog").get_by_role("button", name="Restore").click()
        expect(cell).to_have_text("●")
        expect(row).to_have_count(0)


def test_an_own_calendar_is_imported_whole_or_not_at_all_and_removed(site: Site) -> None:
    bad = b"day,hours\n2027-01-04,09:00-15:00\n2027-01-05,soon\n"
    with site.look() as page:
        page.expected |= {"422", "404"}  # type: ignore[attr-defined] - what is removed may be asked for once more
        site.open(page, "calendars?name=XSHG")
        page.get_by_role("button", name="Import a calendar").click()
        dialog = page.get_by_role("dialog", name="Import a calendar")
        do = dialog.get_by_role("button", name="Import", exact=True)
        expect(do).to_be_disabled()
        dialog.get_by_label("File").set_input_files({"name": "desk.csv", "mimeType": "text/csv", "buffer": bad})
        expect(dialog.get_by_label("Name", exact=True)).to_have_value("desk")
        dialog.get_by_label("Last known day").fill("2027-02-26")
        do.click()
        expect(dialog.get_by_role("alert")).to_contain_text("line 3: ")
        expect(dialog.get_by_role("alert")).to_contain_text("nothing was imported")
        assert list(site.client.own_calendars()) == []
        assert violations(page) == []
        dialog.get_by_label("Days, or a document").fill(bad.decode().replace("soon", "09:00-12:00"))
        do.click()
        expect(page).to_have_url(f"{site.url}calendars?name=desk")
        expect(page.get_by_role("gridcell", name=re.compile("^2027-01-05"))).to_have_text("◐")
        expect(page.get_by_role("main")).to_contain_text("Known from 2027-01-04 to 2027-02-26")
        page.get_by_role("button", name="Import anew").click()
        again = page.get_by_role("dialog", name="Import anew: desk")
        expect(again.get_by_label("Time zone")).to_have_value("Asia/Shanghai")
        again.get_by_label("Days, or a document").fill('{"calendar": ')
        expect(again.get_by_role("alert")).to_contain_text("This is not JSON")
        expect(again.get_by_role("button", name="Import", exact=True)).to_be_disabled()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog", name="Remove: desk").get_by_role("button", name="Remove").click()
        expect(page).to_have_url(f"{site.url}calendars")
        expect(page.get_by_role("button", name="desk")).to_have_count(0)
        assert list(site.client.own_calendars()) == []


def test_the_dialog_of_an_import_fits_a_phone_in_the_dark(site: Site) -> None:
    with site.look(lang="zh", theme="dark") as page:
        page.set_viewport_size({"width": 390, "height": 800})
        site.open(page, "calendars?name=CN")
        page.get_by_role("button", name="导入日历").click()
        dialog = page.get_by_role("dialog", name="导入日历")
        expect(dialog.get_by_label("数据截止日")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.dialog-body'))")
        assert violations(page) == []


def test_who_may_not_define_only_looks_at_calendars(site: Site) -> None:
    actor, store = Actor("tests", DEFAULT_TENANT), Store(site.daemon.url)
    try:
        code = store.transact(
            lambda tx: make_login_code(tx, actor, add_principal(tx, actor, "reader", "human", Role.READ))
        )
    finally:
        store.close()
    with site.look(state=None) as page:
        page.expected.add("401")  # type: ignore[attr-defined]
        page.goto(f"{site.url}#code={code}")
        page.locator(".shell main h1").wait_for()
        site.open(page, "calendars?name=XHKG&year=2027")
        page.get_by_role("gridcell", name=re.compile("^2027-03-17")).click()
        expect(page.locator(".year-told")).to_contain_text("2027-03-17")
        expect(page.get_by_role("button", name=re.compile("Override|Import|Remove"))).to_have_count(0)
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_year_of_a_workflow_tells_its_gaps(site: Site) -> None:
    text = "workflow: bars_of_a_year\ncalendar: XSHG\ntasks: {report: {job: report}}\n"
    (site.daemon.folder / "workflows" / "bars_of_a_year.yaml").write_text(text, "utf-8")
    until(lambda: [row for row in site.client.workflows() if row["workflow"] == "bars_of_a_year"], 30)
    for day in ("2024-11-18", "2024-11-20"):
        site.ended(site.client.submit("bars_of_a_year", business_date=day).id, "SUCCESS")
    until(lambda: site.client.read_one("find_session_workflow", workflow="bars_of_a_year"), 30)
    gaps = len(site.client.gaps("bars_of_a_year", None, "2024-12-31"))
    for lang, good, missing, told in (
        ("en", "a good run", "a session without a run", f"{gaps} gaps"),
        ("zh", "运行成功", "交易日没有运行", f"{gaps} 个缺口"),
    ):
        with site.look(lang=lang) as page:
            site.open(page, "workflows/bars_of_a_year?tab=year&year=2024")
            table = page.get_by_role("table", name="bars_of_a_year 2024")
            expect(table.get_by_role("button", name=f"2024-11-19, {missing}")).to_have_text("○")
            expect(page.get_by_role("main")).to_contain_text(told)
            assert violations(page) == []
            table.get_by_role("link", name=f"2024-11-20, {good}").click()
            expect(page).to_have_url(re.compile(r"/instances/\d+$"))


def pass_time(site: Site, days: int) -> None:
    """Let a daemon look at what is late when so many days have passed."""
    store = Store(site.daemon.url, clock=SetClock(datetime.now(UTC) + timedelta(days=days)))
    try:
        LateDates(store, Topics()).tick()
    finally:
        store.close()


def look_at_today(site: Site, run: int, started: date, absent: date) -> None:
    """Two late dates stand on the first page, on a phone as well: one with its run, one that nothing has started for."""
    with site.look(lang="zh", theme="dark") as page:
        page.set_viewport_size({"width": 390, "height": 800})
        site.open(page)
        late = page.get_by_role("list", name="逾期或有风险").get_by_role("listitem")
        expect(late.filter(has_text=str(started))).to_contain_text("RUNNING")
        expect(late.filter(has_text=str(absent))).to_contain_text("尚未启动")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert violations(page) == []
        late.filter(has_text=str(started)).get_by_role("link", name="late_nav").click()
        expect(page).to_have_url(re.compile(rf"/instances/{run}$"))


def test_what_is_late_has_a_page_and_marks_its_run(site: Site) -> None:
    with site.look() as page:
        (site.daemon.folder / "workflows" / "late_nav.yaml").write_text(LATE_NAV, "utf-8")
        seen = "SELECT judged_day FROM qflow.expectation WHERE judged_day IS NOT NULL"
        until(lambda: run_sql(site.client.store, seen), 30, what="the daemon's look at what is expected")
        pass_time(site, 14)
        latest, before, *_, first = site.client.late()
        run = site.client.submit("late_nav", business_date=latest["business_date"])
        until(site.client.approvals, 30, what="the run")
        site.open(page, "late")
        row = page.get_by_role("row").filter(has_text=str(latest["business_date"]))
        expect(row.get_by_role("link", name=f"#{run.id}")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text=str(first["business_date"]))).to_contain_text(
            "nothing has started"
        )
        assert violations(page) == []
        page.locator(".bell").click()
        bell = page.get_by_role("dialog", name="What waits for you")
        for day, link in ((latest, f"/instances/{run.id}"), (first, "/workflows/late_nav")):
            told = bell.get_by_role("link", name=re.compile(f"late: {day['business_date']}"))
            expect(told).to_have_attribute("href", link)
        page.keyboard.press("Escape")
        row.get_by_role("link", name=f"#{run.id}").click()
        expect(page.get_by_role("main")).to_contain_text("expected by")
        site.open(page, "instances?workflow=late_nav")
        expect(page.get_by_role("row").filter(has_text=f"#{run.id}")).to_contain_text("late")
        look_at_today(site, run.id, latest["business_date"], before["business_date"])
        run.approve("ship")
        site.ended(run.id, "SUCCESS")
        site.open(page, "late?all=1")
        row = page.get_by_role("row").filter(has_text=str(latest["business_date"]))
        expect(row).to_contain_text("SUCCESS")
