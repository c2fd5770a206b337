"""What is looked at less often: schedules, types and definitions, the audit, tokens and people."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Site


def test_a_schedule_is_switched_off_and_on_beside_the_line_of_time(site: Site) -> None:
    with site.look() as page:
        site.open(page, "schedules")
        page.get_by_role("button", name="eod.cn").click()
        expect(page).to_have_url(re.compile(r"\?open=eod.cn"))
        drawer = page.get_by_role("dialog", name="eod.cn").first
        expect(drawer).to_contain_text("Asia/Shanghai")
        for word, state in (("off", "it is disabled"), ("on", "ACTIVE")):
            drawer.get_by_role("button", name=f"Switch {word} …").click()
            page.get_by_role("dialog").last.get_by_role("button", name=f"Switch {word}", exact=True).click()
            expect(drawer).to_contain_text(state)
        page.keyboard.press("Escape")
        page.get_by_role("tab", name="Off").click()
        expect(page.get_by_role("main")).to_contain_text("Nothing matches")


def test_the_audit_tells_who_did_it_what_differs_and_where_to_see_it(site: Site) -> None:
    site.client.command("pause", workflow="long", reason="vendor is down")
    site.client.command("resume", workflow="long")
    with site.look() as page:
        site.open(page, "audit")
        page.get_by_label("What").select_option("PAUSE")
        expect(page).to_have_url(re.compile(r"\?action=PAUSE$"))
        expect(page.get_by_role("table", name="Audit").locator("tbody tr")).to_have_count(1)
        page.get_by_text("vendor is down").click()
        expect(page.get_by_role("dialog")).to_contain_text("vendor is down")
        page.reload()
        expect(page.get_by_role("dialog")).to_contain_text("Outcome")
        page.keyboard.press("Escape")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download as CSV").click()
        lines = download.value.path().read_text("utf-8").splitlines()
        assert len(lines) == 2
        assert "PAUSE,workflow,long" in lines[1]
        page.get_by_label("Who").fill("nobody")
        expect(page.get_by_role("main")).to_contain_text("Nothing matches")
        page.get_by_role("button", name="Clear filters").last.click()
        page.get_by_role("table", name="Audit").get_by_role("link", name="long").first.click()
        expect(page).to_have_url(f"{site.url}workflows/long")
