"""The live stream in the browser: one for all tabs, none for hidden ones, and what happens when it breaks off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.support.browser import look
from tests.support.daemon import until
from tests.support.proxy import Proxy

HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true})
    Object.defineProperty(document, 'visibilityState', {value: hidden ? 'hidden' : 'visible', configurable: true})
    document.dispatchEvent(new Event('visibilitychange'))
}"""


class Asked:
    """What the pages of a browser have asked the API for."""

    def __init__(self, page: Page) -> None:
        self.paths: list[str] = []
        self.open_streams: set[Any] = set()
        self.unanswered: set[Any] = set()
        page.context.on("request", self._began)
        page.context.on("requestfinished", self._ended)
        page.context.on("requestfailed", self._ended)

    def _began(self, request: Any) -> None:
        path = request.url.partition("/api/v1")[2]
        if path.startswith("/stream"):
            self.open_streams.add(request)
        elif path:
            self.paths.append(path)
            self.unanswered.add(request)

    def _ended(self, request: Any) -> None:
        self.open_streams.discard(request)
        self.unanswered.discard(request)

    def count_streams(self) -> int:
        """Those of pages that are there."""
        return sum(not request.frame.page.is_closed() for request in self.open_streams)

    def forget(self) -> None:
        self.paths.clear()


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """The run that waits for a file; it is running again afterwards."""
    with site.look() as page:
        page.context.clock.install()
        yield page
    run = site.client.instance(site.runs["long"])
    if run.state() == "PAUSED":
        run.resume()
        until(lambda: run.state() == "RUNNING", 30)


def state(page: Page, word: str, timeout_ms: int = 30_000) -> None:
    expect(page.locator("h1 .chip").first).to_contain_text(word, timeout=timeout_ms)


def holds(page: Page, asked: Asked, count: int) -> None:
    """Wait until so many streams are open."""
    until(lambda: page.evaluate("1") and asked.count_streams() == count, 30, what=f"{count} streams to be open")


def answered(page: Page, asked: Asked) -> None:
    """Wait until nothing that was asked for is on its way."""
    until(lambda: page.evaluate("1") and not asked.unanswered, 30, what="answers to what was asked for before")


def test_what_is_written_in_one_tab_is_seen_in_another_without_being_asked_for(site: Site, page: Page) -> None:
    asked, run = Asked(page), site.client.instance(site.runs["long"])
    site.open(page, f"instances/{run.id}?task=none")
    other = page.context.new_page()
    other.goto(f"{site.url}instances/{run.id}?task=none")
    for each in (page, other):
        state(each, "RUNNING")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    state(page, "PAUSED")
    state(other, "PAUSED")
    holds(page, asked, 1)

    for _ in range(4):
        more = page.context.new_page()
        more.goto(other.url)
        state(more, "PAUSED")
    holds(page, asked, 1)

    # A minute later by the pages' clock nothing has been asked for again, but what is told arrives.
    asked.forget()
    other.clock.fast_forward(60_000)
    run.resume()
    state(other, "RUNNING")
    assert [path for path in asked.paths if path.startswith(f"/instances/{run.id}?")] == []
    page.close()
    run.pause()
    state(other, "PAUSED")
    holds(other, asked, 1)


def test_a_hidden_tab_has_no_stream_and_asks_once_when_it_is_looked_at_again(site: Site, page: Page) -> None:
    asked, run = Asked(page), site.client.instance(site.runs["long"])
    site.open(page, f"instances/{run.id}?task=none")
    state(page, "RUNNING")
    holds(page, asked, 1)
    page.evaluate(HIDE, True)
    page.clock.fast_forward(1_000)  # streams change a moment after what is wanted has
    holds(page, asked, 0)
    answered(page, asked)
    asked.forget()
    run.pause()
    until(lambda: run.state() == "PAUSED", 30)
    page.clock.fast_forward(60_000)
    state(page, "RUNNING")
    assert asked.paths == []
    page.evaluate(HIDE, False)
    state(page, "PAUSED")
    holds(page, asked, 1)


def test_without_a_connection_what_is_shown_has_an_age_until_it_is_there_again(site: Site) -> None:
    run, port = site.runs["eod.cn"], int(site.url.rstrip("/").rpartition(":")[2])
    with Proxy(port) as proxy, look(site.chromium, f"http://127.0.0.1:{proxy.port}/", state=site.state) as page:
        page.expected.add("net::ERR")  # type: ignore[attr-defined]
        page.context.clock.install()
        asked = Asked(page)
        page.goto(f"/instances/{run}?tab=data")
        state(page, "FAILED")
        holds(page, asked, 1)
        page.context.set_offline(True)
        assert proxy.cut() > 0

        def is_old() -> bool:
            page.clock.fast_forward(1_000)
            return page.locator(".stale-bar", has_text="old, reconnecting").count() > 0

        until(is_old, 30, what="its age to be shown")
        state(page, "FAILED")
        page.context.set_offline(False)
        expect(page.locator(".stale-bar")).to_have_count(0)
        holds(page, asked, 1)


def test_a_page_that_is_first_opened_while_the_server_is_away_comes_when_it_is_back(site: Site) -> None:
    with site.look() as page:
        page.expected.add("net::ERR")  # type: ignore[attr-defined]
        site.open(page)
        page.context.set_offline(True)
        with page.expect_event("requestfailed", lambda request: "healthz" in request.url):
            page.get_by_role("link", name="Limits").click()
        page.context.set_offline(False)
        expect(page.get_by_role("heading", level=1)).to_have_text("Limits")


def test_the_first_page_shows_what_begins_and_ends(site: Site, page: Page) -> None:
    asked = Asked(page)
    site.open(page)
    good = page.locator(".tile", has_text="succeeded, 24 h").locator("strong")
    expect(good).to_have_text("1")
    holds(page, asked, 1)
    answered(page, asked)
    asked.forget()
    run = site.client.submit("reference/adr").id
    site.ended(run, "SUCCESS")
    expect(good).to_have_text("2")
    expect(page.locator(".shell main")).to_contain_text("long")
    assert [path for path in asked.paths if path.startswith("/overview")] == []
