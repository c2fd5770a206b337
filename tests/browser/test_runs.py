"""The list of runs: filters that stand in the address, a selection, and one command for many; a run begun by a form."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Site
from tests.support.browser import violations


def test_filters_stand_in_the_address_and_are_cleared(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances")
        expect(rows(page)).to_have_count(3)
        page.get_by_role("group", name="State").get_by_role("button", name="FAILED").click()
        expect(page).to_have_url(re.compile(r"\?state=FAILED$"))
        expect(rows(page)).to_have_count(1)
        expect(rows(page)).to_contain_text("close of S007 is NaN")
        page.reload()
        expect(rows(page)).to_have_count(1)
        page.get_by_role("searchbox", name="Workflow").fill("reference/")
        expect(page.get_by_role("main")).to_contain_text("Nothing matches these filters")
        page.get_by_role("button", name="Clear filters").last.click()
        expect(rows(page)).to_have_count(3)
        page.get_by_role("searchbox", name="Workflow").fill("reference/")
        expect(rows(page)).to_have_count(1)


def test_a_page_that_is_empty_although_there_are_more_is_not_the_end(site: Site) -> None:
    """Of a million runs the server looks through a part at a time for what no index finds."""
    nothing_yet = {"code": 0, "message": "success", "data": {"items": [], "next": "LATER", "total": None, "more": None}}

    def answer(route: Route) -> None:
        url = route.request.url
        if "cursor=LATER" in url:
            route.fulfill(response=route.fetch(url=re.sub("&?cursor=LATER", "", url)))
        else:
            route.fulfill(json=nothing_yet)

    with site.look() as page:
        page.route(re.compile(r"/api/v1/instances\?.*state=FAILED"), answer)
        page.goto(f"{site.url}instances?state=FAILED")
        expect(rows(page)).to_have_count(1)
        expect(page.get_by_role("main")).not_to_contain_text("Nothing matches these filters")


def test_filters_are_kept_as_a_view_and_forgotten(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances?state=FAILED&workflow=eod")
        page.get_by_role("button", name="Views").click()
        page.get_by_role("menuitem", name="Save these filters").click()
        page.get_by_role("dialog").get_by_label("Name").fill("red at night")
        page.keyboard.press("Enter")
        page.goto(f"{site.url}instances")
        expect(rows(page)).to_have_count(3)
        page.get_by_role("button", name="Views").click()
        page.get_by_role("menuitemradio", name="red at night").click()
        expect(page).to_have_url(re.compile(r"\?state=FAILED&workflow=eod$"))
        expect(rows(page)).to_have_count(1)
        page.get_by_role("button", name="Views").click()
        page.get_by_role("menuitem", name="Forget red at night").click()
        page.get_by_role("button", name="Views").click()
        expect(page.get_by_role("menuitemradio", name="red at night")).to_have_count(0)


def test_the_list_is_walked_selected_and_opened_by_keys(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances")
        rows(page).first.wait_for()
        page.get_by_role("grid", name="Runs").focus()
        page.keyboard.press("End")
        page.keyboard.press("x")
        expect(page.get_by_role("main")).to_contain_text("1 selected")
        expect(rows(page).last).to_have_attribute("aria-selected", "true")
        page.keyboard.press("x")
        expect(page.get_by_role("main")).not_to_contain_text("selected")
        page.keyboard.press("Home")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/instances/\d+$"))


def test_many_runs_are_acted_on_by_one_command_that_says_first_what_it_meets(site: Site) -> None:
    waiting = [site.client.submit("long", hold=True).id for _ in range(3)]
    with site.look() as page:
        page.goto(f"{site.url}instances?state=READY&workflow=long")
        expect(rows(page)).to_have_count(3)
        page.get_by_role("button", name="Terminate", exact=True).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("3 runs")
        dialog.get_by_role("button", name="Terminate 3 runs").click()
        expect(dialog).to_contain_text("3 of 3 done")
        dialog.get_by_role("button", name="Close").last.click()
        expect(page.get_by_role("main")).to_contain_text("Nothing matches")
    for each in waiting:
        site.ended(each, "TERMINATED")


def test_a_form_says_at_the_field_what_is_wrong_with_it(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}instances")
        page.get_by_role("button", name="Start a run").wait_for()
        page.keyboard.press("t")
        dialog = page.get_by_role("dialog")
        dialog.locator("option[value='eod.cn']").wait_for(state="attached")  # the names are there
        dialog.get_by_label("Workflow").fill("eod.cn")
        page.keyboard.press("Enter")
        symbols = dialog.get_by_label("How many symbols")
        symbols.fill("many")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_have_text("is not a whole number")
        expect(symbols).to_have_attribute("aria-invalid", "true")
        symbols.fill("")
        dialog.get_by_role("button", name="Edit as JSON").click()
        dialog.get_by_role("textbox", name="JSON").fill('{"no_such": 1}')
        page.expected.add("422")  # type: ignore[attr-defined]
        dialog.get_by_role("button", name="Start").click()
        expect(dialog).to_contain_text("no_such")
        dialog.get_by_role("textbox", name="JSON").fill('{"symbols": 2}')
        dialog.get_by_role("button", name="Start").click()
        expect(page).to_have_url(re.compile(r"/instances/\d+$"))
        started = int(page.url.rpartition("/")[2])
    site.ended(started, "FAILED")
    assert site.client.instance(started).info().params == {"symbols": 2}


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
@pytest.mark.parametrize("path", ["instances", "instances?state=PAUSED", "failures", "failures?view=handled"])
def test_lists_have_no_barrier_in_either_language_and_light(site: Site, path: str, lang: str, theme: str) -> None:
    with site.look(lang=lang, theme=theme) as page:
        page.goto(site.url + path)
        expect(page.get_by_role("heading", level=1)).to_have_text(
            {"en": "Runs", "zh": "运行"}[lang]
            if path.startswith("instances")
            else {"en": "Failures", "zh": "失败"}[lang]
        )
        expect(page.locator(".waiting")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
        assert violations(page) == []


def rows(page: Page):  # type: ignore[no-untyped-def]
    return page.locator(".list-row")
