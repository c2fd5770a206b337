"""Failures: one is found, its log is read, its cause is mended, it is retried, and it is gone. Or a person says it is fine."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.conftest import KINDS

every_database = pytest.mark.parametrize("site", KINDS, indirect=True, scope="module")


@every_database
def test_a_failure_is_handled_with_a_note_and_is_not_open_any_more(site: Site) -> None:
    failed = site.client.submit("eod.cn").id
    site.ended(failed, "FAILED")
    with site.look() as page:
        open_group(page, site)
        mine = page.locator(".failure").filter(has=page.get_by_role("link", name=f"#{failed}"))
        mine.get_by_role("button", name="Mark as handled: check").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Mark as handled")).to_be_disabled()
        dialog.get_by_label("may be ignored").check()
        dialog.get_by_label("Note").fill("a test day, no session")
        page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
        expect(mine).to_have_count(0)
        page.get_by_role("tab", name="Handled").click()
        expect(page.get_by_role("main")).to_contain_text("a test day, no session")
        expect(page.get_by_role("main")).to_contain_text(f"#{failed}")


@every_database
def test_a_group_that_is_muted_says_so_until_it_is_heard_again(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}failures")
        group = page.locator("li.group").filter(has_text="check")
        group.get_by_role("button", name=re.compile("eod.cn › check")).press("m")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Mute")).to_be_disabled()
        dialog.get_by_label("For how long").select_option("a week")
        dialog.get_by_label("Reason").fill("the vendor knows")
        dialog.get_by_role("button", name="Mute").click()
        expect(group.locator(".group-muted")).to_contain_text("muted until")
        expect(group.locator(".group-muted")).to_have_attribute("title", "the vendor knows")
        page.goto(site.url)
        expect(page.get_by_role("main")).not_to_contain_text("close of S007")
        page.goto(f"{site.url}failures")
        group.get_by_role("button", name="End the mute").click()
        dialog.get_by_role("button", name="End the mute").click()
        expect(group.locator(".group-muted")).to_have_count(0)
        page.goto(site.url)
        expect(page.get_by_role("main")).to_contain_text("close of S007")


@every_database
def test_a_failure_is_read_mended_and_retried_until_it_is_green(site: Site) -> None:
    run = site.runs["eod.cn"]
    with site.look() as page:
        open_group(page, site)
        page.locator(".failure").filter(has=page.get_by_role("link", name=f"#{run}")).get_by_role(
            "link", name="Log"
        ).click()
        expect(page).to_have_url(re.compile(rf"/instances/{run}\?task=\d+"))
        task = page.get_by_role("complementary", name="check")
        expect(task).to_contain_text("ValueError: close of S007 is NaN")
        expect(task.get_by_role("region", name="Log")).to_contain_text("comparing closes")

        site.daemon.write("plugins/good", "")
        page.goto(f"{site.url}failures")
        page.get_by_role("button", name=re.compile("^Retry")).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("1 run with 2 tasks")
        dialog.get_by_label("Reason").fill("prices came again")
        page.keyboard.press("Enter")
        expect(dialog).to_contain_text("1 of 1 done")
        dialog.get_by_role("button", name="Close").last.click()
        expect(page.get_by_role("main")).to_contain_text("Nothing waits for you")

        site.ended(run, "SUCCESS")
        page.goto(f"{site.url}instances/{run}")
        expect(page.get_by_role("heading", level=1)).to_contain_text("SUCCESS")
        expect(page.locator('.box[data-state="SUCCESS"]')).to_have_count(4)
        expect(page.get_by_role("complementary")).to_have_count(0)


def open_group(page: Page, site: Site) -> None:
    """The failures of the task `check`, one by one."""
    page.goto(f"{site.url}failures")
    group = page.get_by_role("button", name=re.compile("eod.cn › check"))
    expect(group).to_contain_text("close of S007 is NaN")
    group.click()
    page.locator(".failure").first.wait_for()
