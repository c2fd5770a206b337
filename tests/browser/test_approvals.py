"""What waits for a person is listed with its question, and answered there."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.support.browser import violations
from tests.support.daemon import until

NAV = """
workflow: nav
tasks:
  ship: {wait_for: {approval: "Ship the NAV?", deadline: 2h}}
  fail: {wait_for: {approval: "Then this?"}, after: ship}
"""


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
