"""A workflow's page: the grid leads to what failed, a run is started by its form, a backfill from its calendar."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.support.browser import violations
from tests.support.daemon import until


def test_the_grid_leads_to_the_attempt_that_failed(site: Site) -> None:
    run = site.runs["eod.cn"]
    with site.look() as page:
        site.open(page, "workflows/eod.cn")
        cell = page.get_by_role("link", name=f"check of run {run}: FAILED")
        cell.hover()
        expect(page.locator(".grid-told")).to_contain_text(f"#{run} · 2026-11-27")
        cell.click()
        expect(page).to_have_url(re.compile(rf"/instances/{run}\?task=\d+$"))


def test_the_grid_is_walked_by_arrows(site: Site) -> None:
    run = site.runs["eod.cn"]
    with site.look() as page:
        site.open(page, "workflows/eod.cn")
        failed = page.get_by_role("link", name=f"check of run {run}: FAILED")
        failed.focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name=f"report of run {run}: UPSTREAM FAILED")).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(failed).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(rf"/instances/{run}\?task=\d+$"))


def test_a_run_is_started_by_the_form_of_its_params(site: Site) -> None:
    with site.look() as page:
        site.open(page, "workflows/eod.cn")
        page.get_by_role("button", name="Start").click()
        page.get_by_label("How many symbols").fill("3")
        page.get_by_role("dialog").get_by_role("button", name="Start").click()
        expect(page).to_have_url(re.compile(r"/instances/\d+"))
        started = int(page.url.partition("/instances/")[2].split("?")[0])
    site.ended(started, "FAILED")
    assert site.client.instance(started).info().params == {"symbols": 3}


def test_a_workflow_is_paused_with_a_reason_and_resumed(site: Site) -> None:
    with site.look() as page:
        site.open(page, "workflows/reference%2Fadr")
        page.get_by_role("button", name="Pause").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("vendor is late")
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        waiting = site.client.submit("reference/adr").id
        site.open(page, "workflows/reference%2Fadr")
        expect(page.get_by_role("link", name=f"Run {waiting}: PAUSED")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        expect(dialog).to_have_count(0)
    site.ended(waiting, "SUCCESS")


BARS = """
workflow: bars_of_days
calendar: XSHG
params:
  shown: {type: integer, default: 5, title: How many days}
tasks: {report: {job: report}}
"""


def new_bars(site: Site, name: str) -> None:
    """A workflow with a good run for 2024-11-18 and for 2024-11-20, sessions with one between them."""
    (site.daemon.folder / "workflows" / f"{name}.yaml").write_text(BARS.replace("bars_of_days", name), "utf-8")
    until(lambda: [row for row in site.client.workflows() if row["workflow"] == name], 30)
    for day in ("2024-11-18", "2024-11-20"):
        site.ended(site.client.submit(name, business_date=day).id, "SUCCESS")
    until(lambda: site.client.read_one("find_session_workflow", workflow=name), 30)


def pick(page: Page, workflow: str) -> None:
    """Answer the dialog that asks which; it knows them when its button may be pressed."""
    page.locator("dialog input").fill(workflow)
    expect(page.locator("dialog button[type='submit']")).to_be_enabled()
    page.keyboard.press("Enter")


def test_a_backfill_begins_with_days_that_are_dragged_over(site: Site) -> None:
    new_bars(site, "bars_of_days")
    with site.look() as page:
        site.open(page, "workflows/bars_of_days?tab=year&year=2024")
        days = page.get_by_role("table", name="bars_of_days 2024")
        days.locator("[data-day='2024-11-22']").hover()
        page.mouse.down()
        days.locator("[data-day='2024-11-20']").hover()
        expect(days.locator("[data-picked]")).to_have_count(3)
        days.locator("[data-day='2024-11-18']").hover()
        page.mouse.up()
        dialog = page.get_by_role("dialog", name="Backfill bars_of_days")
        expect(dialog.get_by_label("From", exact=True)).to_have_value("2024-11-18")
        expect(dialog.get_by_label("To", exact=True)).to_have_value("2024-11-22")
        expect(dialog.get_by_label("Only missing")).to_be_checked()
        dialog.get_by_label("How many days").fill("7")
        dialog.get_by_role("button", name="Count the dates").click()
        told = dialog.get_by_role("status")
        expect(told).to_contain_text("3 dates would run (sessions of XSHG).")
        expect(told).to_contain_text("and left out: 2.")
        expect(told).to_contain_text("2024-11-19, 2024-11-21, 2024-11-22")
        dialog.get_by_label("Only missing").uncheck()
        expect(told).to_be_empty()
        dialog.get_by_label("Only missing").check()
        dialog.get_by_role("button", name="Count the dates").click()
        dialog.get_by_role("button", name="Begin: 3").click()
        expect(page).to_have_url(re.compile(r"/backfills\?open=\d+$"))
        expect(page.get_by_role("dialog")).to_contain_text("done 3", timeout=60_000)
        number = int(page.url.rpartition("=")[2])
    asked = site.client.backfill(number).info()
    assert (str(asked["first_date"]), str(asked["last_date"])) == ("2024-11-18", "2024-11-22")
    assert (asked["only_missing"], asked["params"]) == (True, {"shown": 7})


def test_a_backfill_is_begun_by_keys_and_what_is_wrong_stands_at_its_field(site: Site) -> None:
    new_bars(site, "bars_by_keys")
    with site.look() as page:
        page.expected |= {"422", "409"}  # type: ignore[attr-defined]
        site.open(page, "backfills")
        page.get_by_role("button", name="Begin …").focus()
        page.keyboard.press("Enter")
        pick(page, "bars_by_keys")
        dialog = page.get_by_role("dialog", name="Backfill bars_by_keys")
        dialog.get_by_label("To", exact=True).fill("2024-11-18")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("A date is needed.")
        dialog.get_by_label("From", exact=True).fill("2024-11-19")
        dialog.get_by_label("At once").fill("0")
        dialog.get_by_label("Window").fill("at night")
        page.keyboard.press("Enter")
        for label in ("At once", "Window"):
            expect(dialog.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        assert violations(page) == []
        dialog.get_by_label("At once").fill("2")
        dialog.get_by_label("Window").fill("")
        page.keyboard.press("Enter")
        expect(dialog.get_by_label("From", exact=True)).to_have_attribute("aria-invalid", "true")
        expect(dialog.get_by_role("alert")).to_contain_text("2024-11-19 is after args.to, 2024-11-18")
        dialog.get_by_label("From", exact=True).fill("2024-11-18")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("status")).to_contain_text("Nothing is missing")
        dialog.get_by_label("Only missing").press("Space")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("status")).to_contain_text("and run again: 1.")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/backfills\?open=\d+$"))
        number = int(page.url.rpartition("=")[2])
    until(lambda: site.client.backfill(number).info()["state"] == "DONE", 60)
    assert site.client.backfill(number).info()["max_active"] == 2


def test_the_dialog_of_a_backfill_has_no_barrier_on_a_phone(site: Site) -> None:
    with site.look(lang="zh", theme="dark") as page:
        page.set_viewport_size({"width": 390, "height": 800})
        site.open(page, "backfills")
        page.get_by_role("button", name="开始……").click()
        pick(page, "eod.cn")
        dates = page.locator("dialog input[type='date']")
        dates.nth(0).fill("2024-11-10")
        dates.nth(1).fill("2024-11-20")
        page.get_by_role("button", name="计算日期").click()
        expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("将运行 11 个日期（每一天）")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.dialog-body'))")
        assert violations(page) == []
