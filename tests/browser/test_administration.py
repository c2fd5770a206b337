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
