"""A workflow's page: the grid leads to what failed, a run is started by its form, a version is read."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Site


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
