"""What waits for a person is listed with its question, and answered there; what tasks have produced, with who was given it."""

from __future__ import annotations

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

import qflowd
from qflowd.engine.calendars.horizons import Horizons
from qflowd.model.names import DEFAULT_TENANT
from qflowd.store.tx import Store
from tests.browser.conftest import Site
from tests.support.browser import violations
from tests.support.daemon import until

NAV = """
workflow: nav
tasks:
  ship: {wait_for: {approval: "Ship the NAV?", deadline: 2h}}
  fail: {wait_for: {approval: "Then this?"}, after: ship}
"""
PUBLISHES = """
workflow: publishes
allow_duplicates: true
tasks:
  publish: {job: bars, params: {symbol: S001}, produces: "cn_daily@{{ business_date }}"}
  undated: {job: report, produces: cn_daily}
"""
FACTORS = """
workflow: factors
tasks:
  ready: {wait_for: {dataset: "cn_daily@{{ business_date }}"}}
"""
CORRECTS = """
workflow: corrects
schedules:
  corrected: {start_on: {signal: vendor_ready}}
tasks:
  load: {job: bars, params: {symbol: S001}}
"""
DAY = "cn_daily@2026-11-20"


def test_a_person_approves_one_and_rejects_the_next(site: Site) -> None:
    with site.look() as page:
        site.open(page, "approvals")
        expect(page.get_by_role("main")).to_contain_text("Nothing waits for an approval")
        (site.daemon.folder / "workflows" / "nav.yaml").write_text(NAV, "utf-8")
        until(lambda: [row for row in site.client.workflows() if row["workflow"] == "nav"], 30, what="the workflow")
        run = site.client.submit("nav", business_date="2026-11-20")
        until(site.client.approvals, 30, what="the approval")
        page.reload()
        row = page.get_by_role("row").filter(has_text="Ship the NAV?")
        expect(row).to_contain_text("then rejected")
        expect(row).to_contain_text("2026-11-20")
        assert violations(page) == []
        row.get_by_role("button", name="Approve").click()
        dialog = page.get_by_role("dialog", name="Approve: nav › ship")
        dialog.get_by_role("textbox").fill("checked")
        dialog.get_by_role("button", name="Approve").click()
        until(lambda: [each.task for each in site.client.approvals()] == ["fail"], 30, what="the next approval")
        page.reload()
        page.locator(".bell").click()
        expect(page.get_by_role("dialog", name="What waits for you")).to_contain_text("Then this?")
        page.keyboard.press("Escape")
        page.get_by_role("row").filter(has_text="Then this?").get_by_role("button", name="Reject").click()
        page.get_by_role("dialog", name="Reject: nav › fail").get_by_role("button", name="Reject").click()
        site.ended(run.id, "FAILED")
        page.reload()
        expect(page.get_by_role("main")).to_contain_text("Nothing waits for an approval")
    with site.look(lang="zh") as page:
        site.open(page, "approvals")
        expect(page.get_by_role("heading", name="审批")).to_be_visible()


@pytest.fixture(scope="module")
def produced(site: Site) -> tuple[int, int]:
    """Two versions of a dataset. Returns: the run that has produced the second, and the one that was given the first."""
    for name, text in (("publishes", PUBLISHES), ("factors", FACTORS)):
        (site.daemon.folder / "workflows" / f"{name}.yaml").write_text(text, "utf-8")
        until(lambda name=name: [row for row in site.client.workflows() if row["workflow"] == name], 30, what=name)
    runs = [site.client.submit(name, business_date="2026-11-20").id for name in ("publishes", "factors")]
    for run in runs:
        site.ended(run, "SUCCESS")
    second = site.client.submit("publishes", business_date="2026-11-20").id
    site.ended(second, "SUCCESS")
    return second, runs[1]


def test_a_dataset_tells_its_versions_and_which_use_is_stale(site: Site, produced: tuple[int, int]) -> None:
    second, given = produced
    with site.look() as page:
        site.open(page, "datasets?name=cn_daily")
        row = page.get_by_role("row").filter(has_text=DAY)
        expect(row.get_by_role("cell")).to_have_text(
            [DAY, "2", "2026-11-20", re.compile(r"\w"), f"#{second} publishes › publish", "1"]
        )
        row.click()
        expect(page).to_have_url(f"{site.url}datasets?name=cn_daily&open=cn_daily%402026-11-20")
        dialog = page.get_by_role("dialog", name=DAY)
        versions = dialog.get_by_role("table", name="Versions").locator("tbody tr")
        expect(versions).to_contain_text(["2latest", "1"])
        expect(versions.first).to_contain_text("symbol S001 · rows 390")
        [use] = dialog.get_by_role("table", name="Who was given which").locator("tbody tr").all()
        expect(use).to_contain_text("factors › ready")
        expect(use).to_contain_text("1stale")
        use.get_by_role("link", name=f"#{given}").click()
        expect(page).to_have_url(f"{site.url}instances/{given}")
        site.open(page, "datasets?open=cn_daily")
        alone = page.get_by_role("dialog", name="cn_daily")
        versions = alone.get_by_role("table", name="Versions").locator("tbody tr")
        expect(versions).to_contain_text(["2latest", "1"])
        expect(versions).to_have_count(2)
        expect(alone).to_contain_text("publishes › undated")
        expect(alone).to_contain_text("No task has waited for it.")


def test_datasets_are_found_by_name_and_by_the_search(site: Site, produced: tuple[int, int]) -> None:
    with site.look() as page:
        site.open(page)
        page.keyboard.press("g")
        page.keyboard.press("v")
        expect(page).to_have_url(f"{site.url}datasets")
        row = page.get_by_role("row").filter(has_text=DAY)
        expect(row).to_be_visible()
        page.get_by_label("Name or series").fill("us_daily")
        expect(page).to_have_url(f"{site.url}datasets?name=us_daily")
        page.get_by_role("button", name="Clear filters").click()
        expect(row).to_be_visible()
        expect(page).to_have_url(f"{site.url}datasets")
        page.keyboard.press("Control+k")
        page.keyboard.type("cn_da")
        page.get_by_role("option", name=re.compile(DAY)).click()
        expect(page.get_by_role("dialog", name=DAY)).to_contain_text("rows 390")


@pytest.mark.parametrize(("lang", "theme", "stale"), [("en", "light", "stale"), ("zh", "dark", "过时")])
def test_on_a_phone_nothing_of_datasets_sticks_out(
    site: Site, produced: tuple[int, int], lang: str, theme: str, stale: str
) -> None:
    with site.look(lang=lang, theme=theme) as page:
        page.set_viewport_size({"width": 390, "height": 800})
        for path, told in (("datasets", DAY), (f"datasets?open={DAY}", stale)):
            site.open(page, path)
            expect(page.locator(".shell")).to_contain_text(told)
            expect(page.locator(".waiting")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert page.evaluate(
                "[...document.querySelectorAll('.table-box')].every(x => x.scrollWidth <= x.clientWidth)"
            )
            assert violations(page) == []


def test_schedules_tell_on_which_fact_they_start_and_what_started_them(site: Site) -> None:
    (site.daemon.folder / "workflows" / "corrects.yaml").write_text(CORRECTS, "utf-8")
    until(lambda: [row for row in site.client.workflows() if row["workflow"] == "corrects"], 30, what="the workflow")
    site.client.signal("vendor_ready", business_date="2026-11-20")
    fires = "SELECT f.fact_id, i.id FROM qflow.fires f JOIN qflow.instances i ON i.id = f.instance_id WHERE f.fact = 'signal'"
    with closing(Store(site.daemon.url)) as store:
        [(signal, run)] = until(lambda: store.connection().script(fires), 60, what="the run")
    site.ended(run, "SUCCESS")
    for lang, on, started in (("en", "whenever it comes", "signal"), ("zh", "前提满足时", "信号")):
        with site.look(lang=lang) as page:
            site.open(page, "schedules")
            lane = page.get_by_role("listitem").filter(has_text="corrects")
            expect(lane).to_contain_text("on signal vendor_ready")
            expect(lane).to_contain_text(on)
            lane.get_by_role("button").click()
            dialog = page.get_by_role("dialog", name=re.compile("corrects"))
            expect(dialog).to_contain_text("on signal vendor_ready")
            fire = dialog.get_by_role("table").locator("tbody tr")
            expect(fire).to_have_count(1)
            expect(fire).to_contain_text("2026-11-20")
            expect(fire).to_contain_text(f"{started} {signal}")
            assert violations(page) == []
            fire.get_by_role("link", name=f"#{run}").click()
            expect(page).to_have_url(f"{site.url}instances/{run}")


def test_the_bell_tells_of_a_horizon_on_an_open_page_and_leads_to_the_calendar(site: Site) -> None:
    calendar = qflowd.calendar("XHKG")
    with site.look() as page, site.look(lang="zh", theme="dark") as other:
        for each in (page, other):
            site.open(each, "daemons")
            each.locator(".bell").click()
        Horizons(site.client.store).write({(DEFAULT_TENANT, "XHKG"): calendar})
        told = page.get_by_role("dialog", name="What waits for you").get_by_role("link", name=re.compile("^XHKG"))
        expect(told).to_contain_text(f"known only until: {calendar.last}")
        theirs = other.get_by_role("dialog", name="等待处理").get_by_role("link", name=re.compile("^XHKG"))
        expect(theirs).to_contain_text(f"数据截止日: {calendar.last}")
        assert violations(other) == []
        told.click()
        expect(page).to_have_url(f"{site.url}calendars?name=XHKG")
        expect(page.get_by_role("grid", name=re.compile("^XHKG"))).to_be_visible()
