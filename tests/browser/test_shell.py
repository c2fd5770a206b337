"""What surrounds every page: signing in, search, keys, settings, and what is shown when something is wrong."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

import qflowd
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.login import MOST_BAD_CODES, OF_CODES
from qflowd.engine.access.tenants import create_tenant
from qflowd.model.names import DEFAULT_TENANT
from qflowd.store.tx import Store
from tests.browser.conftest import Site
from tests.support.browser import violations

COMMON = re.compile(r"/(me|stream|daemons|notifications)($|\?)")  # what surrounds every page asks for it


def test_nobody_sees_anything_without_signing_in_and_a_used_link_says_so(site: Site) -> None:
    with site.look(state=None) as page:
        page.expected.add("401")  # type: ignore[attr-defined]
        page.goto(f"{site.url}workflows")
        expect(page.get_by_role("heading", name="qflowd")).to_be_visible()
        expect(page.get_by_label("Password")).to_be_visible()
        expect(page.get_by_text("End of day")).to_have_count(0)
        page.goto("about:blank")
        page.goto(f"{site.url}#code=used-already")
        expect(page.get_by_role("alert")).to_contain_text("too old")
        page.expected.add("429")  # type: ignore[attr-defined]
        too_many = [(OF_CODES + "127.0.0.1")] * MOST_BAD_CODES
        store = Store(site.daemon.url)
        store.transact(
            lambda tx: [tx.run("insert_login_failure", name="", address=each, now=tx.now) for each in too_many]
        )
        page.goto("about:blank")
        page.goto(f"{site.url}#code=used-already")
        expect(page.get_by_role("alert")).to_contain_text("Too many requests")
        store.transact(lambda tx: tx.run("delete_old_login_failures", since=tx.now + timedelta(days=1)))
        store.close()


def test_keys_lead_to_every_page_and_sleep_while_somebody_types(site: Site) -> None:
    with site.look() as page:
        site.open(page)
        for key, path in (("w", "workflows"), ("d", "daemons"), ("l", "limits"), ("j", "jobs"), ("t", "")):
            page.keyboard.press("g")
            page.keyboard.press(key)
            expect(page).to_have_url(site.url + path)
        page.keyboard.press("/")
        expect(page.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("gw")
        expect(page).to_have_url(site.url)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("UPSTREAM FAILED")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_search_finds_a_workflow_a_run_and_a_task(site: Site) -> None:
    with site.look() as page:
        site.open(page)
        page.keyboard.press("Control+k")
        page.keyboard.type("eod")
        expect(page.get_by_role("option", name=re.compile("eod.cn"))).to_be_visible()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{site.url}workflows/eod.cn")
        page.keyboard.press("/")
        page.keyboard.type(str(site.runs["eod.cn"]))
        page.get_by_role("option", name=re.compile(f"#{site.runs['eod.cn']}")).click()
        expect(page).to_have_url(re.compile(f"/instances/{site.runs['eod.cn']}$"))


def test_rows_are_walked_and_opened_by_keys(site: Site) -> None:
    with site.look() as page:
        site.open(page, "workflows?order=name")
        page.get_by_text("End of day, China").wait_for()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{site.url}workflows/eod.cn")


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
def test_the_bell_counts_what_waits_until_it_is_read(site: Site, lang: str, theme: str) -> None:
    title = {"en": "What waits for you", "zh": "等待处理"}[lang]
    with site.look(lang=lang, theme=theme) as page:
        site.open(page, "daemons")
        bell, waiting = page.locator(".bell"), page.get_by_role("dialog", name=title)
        expect(page.locator(".bell-count")).to_have_text("3")
        bell.click()
        expect(waiting).to_contain_text("eod.cn › check")
        expect(waiting).to_contain_text("broken.py")
        assert violations(page) == []
        waiting.get_by_role("button").click()
        expect(page.locator(".bell-count")).to_have_count(0)
        page.reload()
        bell.click()
        expect(waiting.locator(".bell-line[data-read]")).to_have_count(3)
        waiting.get_by_role("link", name="eod.cn › check").click()
        expect(page).to_have_url(re.compile(rf"/instances/{site.runs['eod.cn']}\?task="))
        expect(waiting).to_be_hidden()


def test_who_may_look_at_several_tenants_switches_and_every_address_says_which(site: Site) -> None:
    store = Store(site.daemon.url)
    store.transact(lambda tx: create_tenant(tx, Actor("tests", DEFAULT_TENANT), "desk", "Trading desk"))
    store.close()
    with qflowd.connect(site.daemon.url, tenant="desk") as desk:
        started = desk.submit(job="report")
        assert started.wait(60) == "SUCCESS"
    run = started.id
    with site.look() as page:
        site.open(page, f"instances/{site.runs['long']}")
        page.get_by_role("button", name="Tenant: default").click()
        page.get_by_role("menuitemradio", name="desk").click()
        expect(page).to_have_url(f"{site.url}instances?tenant=desk")
        expect(page.get_by_role("button", name="Tenant: desk")).to_be_visible()
        main = page.get_by_role("main")
        expect(main).to_contain_text("You look at tenant desk")
        main.get_by_role("link", name="report").click()
        expect(page).to_have_url(re.compile(rf"/instances/{run}\?(.*&)?tenant=desk"))
        expect(main).to_contain_text("SUCCESS")
        assert violations(page) == []
        page.keyboard.press("g")
        page.keyboard.press("w")
        expect(page).to_have_url(f"{site.url}workflows?tenant=desk")
        expect(main).to_contain_text("No workflow yet")
        assert page.get_by_role("link", name="Runs").get_attribute("href") == "/instances?tenant=desk"
        page.keyboard.press("g")
        page.keyboard.press("a")
        main.locator(".call").first.click()
        expect(main.locator(".call pre, .call code").filter(has_text="curl").first).to_contain_text("?tenant=desk")
        page.go_back()
        page.get_by_role("button", name="Tenant: desk").click()
        page.get_by_role("menuitem", name="Your own tenant").click()
        expect(main).to_contain_text("End of day, China")
        expect(page).to_have_url(f"{site.url}workflows")


def test_language_zone_and_theme_are_kept(site: Site) -> None:
    with site.look() as page:
        site.open(page, "settings")
        page.get_by_role("button", name="中文").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("设置")
        page.get_by_role("button", name="UTC", exact=True).click()
        page.get_by_role("button", name="深色").click()
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("设置")
        expect(page.get_by_role("main")).to_contain_text(re.compile(r"现在是 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"))
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.get_by_role("button", name="English").click()
        page.get_by_role("button", name="This computer's").click()
        expect(page.get_by_role("main")).to_contain_text("CST +08:00")


def test_an_unknown_address_and_an_unknown_workflow_are_named_as_such(site: Site) -> None:
    with site.look() as page:
        page.expected.add("404")  # type: ignore[attr-defined]
        page.goto(f"{site.url}nowhere")
        expect(page.get_by_role("main")).to_contain_text("no such page/nowhere")
        page.get_by_role("main").get_by_role("link", name="Today").click()
        expect(page.locator(".tiles")).to_be_visible()
        page.goto(f"{site.url}workflows/nothing")
        expect(page.get_by_role("alert")).to_contain_text("nothing")


def test_the_first_page_is_small_and_no_page_asks_much(site: Site) -> None:
    """As `python -m bench ui` prints it, of a store that is large."""
    asked: list[Any] = []
    with site.look() as page:
        page.on("requestfinished", lambda request: asked.append(request))  # noqa: PLW0108 - it cannot wrap a built-in one
        site.open(page)
        page.locator(".tiles").wait_for()
        sizes = {each.url: _transferred(each) for each in asked}
        assert 10_000 < sum(size for url, size in sizes.items() if "/api/" not in url) <= 150_000
        for path in ("", "workflows", "instances", "failures", "daemons", f"instances/{site.runs['eod.cn']}?task=none"):
            page.goto("about:blank")  # what the page before has still asked for ends here
            asked.clear()
            site.open(page, path)
            expect(page.locator(".waiting")).to_have_count(0)
            own = [each for each in asked if "/api/v1/" in each.url and not COMMON.search(each.url)]
            assert len(own) <= 4, [each.url for each in own]
            assert sum(map(_transferred, own)) <= 60_000


def _transferred(request: Any) -> int:
    sizes = request.sizes()
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def test_a_narrow_screen_has_the_bar_behind_a_button_and_nothing_sticks_out(site: Site) -> None:
    with site.look() as page:
        page.set_viewport_size({"width": 390, "height": 800})
        for path in ("", "workflows", "workflows/eod.cn", "daemons", "limits", "jobs", "settings"):
            site.open(page, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        expect(page.get_by_role("link", name="Daemons")).to_have_count(0)
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Daemons").click()
        expect(page).to_have_url(f"{site.url}daemons")
    with site.look(lang="zh") as page:
        page.set_viewport_size({"width": 390, "height": 800})
        site.open(page, "workflows")
        page.locator(".last-run").first.wait_for()
        assert page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.table-box'))") <= 0
