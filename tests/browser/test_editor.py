"""The editor of drafts: a workflow from nothing, two people at once, a line that breaks, and what a file owns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.support.browser import violations

NUMBERS = count(1)
TASKS = {"load": {"job": "fetch"}, "report": {"job": "report", "after": ["load"]}}
# The places where an edge was painted, frame by frame.
PLACES = """
window.places = new Set()
const look = () => {
  const edge = document.querySelector('.react-flow__edge')
  if (edge) places.add(JSON.stringify(edge.getBoundingClientRect()))
  requestAnimationFrame(look)
}
look()
"""


class Desk:
    """An editor that is open, and its draft as the API tells of it."""

    def __init__(self, site: Site, page: Page, key: str) -> None:
        self.site, self.page, self.key = site, page, key
        self.path = f"workflows/{key.replace('/', '%2F')}/versions/1"

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.site.url}{self.path}/edit{query}")
        self.page.get_by_role("button", name="Add a task: fetch").wait_for()

    def api(self, method: str = "GET", path: str = "", body: Any = None, etag: str = "") -> Any:
        """What the API answers to the person who is signed in."""
        context = self.page.context.request
        csrf = context.get(f"{self.site.url}api/v1/me").json()["data"]["csrf"]
        headers = {"X-Qflowd-CSRF": csrf, "Content-Type": "application/json", "Origin": self.site.url.rstrip("/")}
        reply = context.fetch(
            f"{self.site.url}api/v1/{self.path}{path}",
            method=method,
            headers=headers | ({"If-Match": f'"{etag}"'} if etag else {}),
            data=None if body is None else json.dumps(body),
        )
        assert reply.ok, reply.text()
        return reply.json()["data"]

    @property
    def tasks(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api()["document"]["tasks"]
        return found

    def saved(self) -> None:
        expect(self.page.locator("[data-status='saved']")).to_be_visible()


@pytest.fixture
def key() -> str:
    return f"desk/{next(NUMBERS)}"


@contextmanager
def editing(site: Site, key: str, tasks: dict[str, Any] = TASKS, **how: Any) -> Iterator[Desk]:
    """An editor of a draft that has these tasks."""
    with site.look(**how) as page:
        page.goto(f"{site.url}settings")
        desk = Desk(site, page, key)
        path, desk.path = desk.path, desk.path.removesuffix("/1")
        desk.api("POST", "", {"document": {"workflow": key, "tasks": tasks}, "new": True})
        desk.path = path
        yield desk


def test_a_workflow_is_made_of_nothing_published_and_runs(site: Site, key: str) -> None:
    with site.look() as page:
        site.open(page, "workflows")
        page.get_by_role("button", name="New").click()
        page.get_by_role("dialog").get_by_label("Key").fill(key)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Add a task: fetch").click()
        page.get_by_role("textbox", name="symbols").fill("3")
        page.get_by_role("heading", name="Task fetch").click()
        page.keyboard.press("a")
        page.keyboard.type("report")
        page.keyboard.press("Enter")
        expect(page.get_by_role("row", name="report report fetch")).to_be_visible()
        page.get_by_role("heading", name="Task report").click()
        page.keyboard.press("Control+Enter")
        page.get_by_role("dialog").get_by_role("button", name="Publish").click()
        expect(page).to_have_url(re.compile(r"\?tab=versions$"))
        page.get_by_role("button", name="Start").click()
        page.get_by_role("dialog").get_by_role("button", name="Start").click()
        expect(page).to_have_url(re.compile(r"/instances/\d+"))
        run = int(page.url.partition("/instances/")[2].split("?")[0])
    site.ended(run, "SUCCESS")
    assert site.client.instance(run).output("fetch") == {"symbols": ["S000", "S001", "S002"]}


def test_tasks_are_connected_by_dragging_and_every_step_is_undone(site: Site, key: str) -> None:
    with editing(site, key, {"load": {"job": "fetch"}, "report": {"job": "report"}}) as desk:
        page = desk.page
        desk.open("?view=graph&task=load")
        port = page.locator(".react-flow__node[data-id='load'] .source")
        expect(port).to_have_css("opacity", "1")
        port.hover(force=True)
        page.mouse.down()
        page.mouse.move(700, 300, steps=3)
        page.evaluate(PLACES)
        page.locator(".react-flow__node[data-id='report'] .target").hover(force=True)
        page.mouse.up()
        expect(page.locator(".react-flow__edge")).to_have_count(1)
        assert desk.tasks["report"]["after"] == ["load"]
        assert page.evaluate("places.size") == 1, "an edge appears where it stays, so that it can be clicked at once"
        page.locator(".react-flow__edge").click(force=True)
        page.locator(".edit-edge").get_by_label("Condition of the edge").select_option("ifTrue")
        page.locator(".edit-edge").get_by_label("Expression").fill("load.output.symbols")
        page.keyboard.press("Enter")
        expect(page.locator(".line-word")).to_have_text("load.output.symbols")
        assert violations(page) == []
        page.get_by_role("heading", name="Task load").click()
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        desk.saved()
        assert "after" not in desk.tasks["report"]
        page.keyboard.press("Control+y")
        desk.saved()
        assert desk.tasks["report"]["after"] == ["load"]
        page.keyboard.press("Delete")
        desk.saved()
        assert desk.tasks == {"report": {"job": "report"}}


def test_two_people_who_edit_at_once_both_keep_what_they_did(site: Site, key: str) -> None:
    with editing(site, key) as desk:
        page = desk.page
        page.expected.add("412")  # type: ignore[attr-defined]
        desk.open("?task=load")
        page.get_by_label("Title").fill("Mine")
        etag = desk.api()["hash"]
        theirs = {"title": "Theirs", "job": "fetch", "settings": {"retries": 2}}
        desk.api("PUT", "/nodes/load", theirs, etag)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("Somebody else changed this draft meanwhile")
        expect(dialog.get_by_role("group", name="tasks.load.title")).to_contain_text("Theirs")
        expect(dialog).to_contain_text("tasks.load.retries")
        assert desk.tasks["load"]["title"] == "Theirs"
        assert violations(page) == []
        dialog.get_by_role("button", name="Take both").click()
        desk.saved()
        assert desk.tasks["load"] == {"title": "Mine", "job": "fetch", "retries": 2}
        expect(page.get_by_label("Retries", exact=True)).to_have_value("2")


def test_what_is_typed_outlives_a_reload_and_a_lost_connection(site: Site, key: str) -> None:
    with editing(site, key) as desk:
        page = desk.page
        page.expected.add("ERR_FAILED")  # type: ignore[attr-defined]
        desk.open("?view=text")
        text = page.get_by_label("YAML")
        text.fill(text.input_value() + "  broken: [")
        expect(page.get_by_text("This cannot be read yet")).to_be_visible()
        page.get_by_role("tab", name="List").click()
        page.get_by_role("button", name="Go to it").click()
        page.reload()
        expect(text).to_have_value(re.compile(r"broken: \[$"))
        assert list(desk.tasks) == ["load", "report"]
        text.fill(text.input_value().replace("broken: [", "third: {job: report}"))
        expect(page.locator("[data-status='saved']")).to_be_visible()
        assert list(desk.tasks) == ["load", "report", "third"]
        page.route("**/nodes", lambda route: route.abort())
        page.get_by_role("tab", name="List").click()
        page.get_by_role("button", name="Add a task: check").click()
        expect(page.get_by_role("status").filter(has_text="One change is kept here")).to_be_visible()
        expect(page.get_by_role("row", name="check check")).to_be_visible()
        page.unroute("**/nodes")
        page.get_by_role("button", name="Try again").click()
        desk.saved()
        assert "check" in desk.tasks


def test_what_a_file_owns_is_read_and_copied_and_a_draft_with_faults_is_not_published(site: Site) -> None:
    with site.look() as page:
        page.goto(f"{site.url}workflows/eod.cn/versions/1/edit")
        expect(page.get_by_text("never changes")).to_contain_text("workflows/eod.yaml")
        expect(page.get_by_role("button", name="Download file")).to_be_visible()
        expect(page.get_by_role("tab")).to_have_count(0)
        page.get_by_role("button", name="Copy to draft").click()
        expect(page).to_have_url(re.compile(r"/versions/2/edit$"))
        page.get_by_role("row", name=re.compile("^check")).click()
        page.get_by_label("Name", exact=True).fill("")
        page.keyboard.press("Enter")
        fault = page.get_by_role("button", name=re.compile("check job"))
        expect(fault).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_role("dialog")).to_contain_text("A draft with faults cannot be published")
        expect(page.get_by_role("dialog").get_by_role("button", name="Publish")).to_be_disabled()


def test_any_two_versions_are_compared_and_an_older_one_comes_back(site: Site, key: str) -> None:
    with editing(site, key, lang="zh", theme="dark") as desk:
        page = desk.page
        desk.api("POST", "/activate", {})
        page.goto(f"{site.url}workflows/{key.replace('/', '%2F')}?tab=versions")
        page.get_by_role("button", name="复制为草稿").click()
        page.get_by_role("row", name=re.compile("^load")).click()
        page.get_by_text("失败时").click()
        page.get_by_label("重试次数").fill("4")
        expect(page.locator("[data-status='saved']")).to_have_count(0)
        page.get_by_role("heading", name="任务 load").click()
        desk.saved()
        assert violations(page) == []
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("dialog")).to_contain_text("retries")
        expect(page.get_by_role("dialog").locator(".plus").first).to_have_css("white-space", "pre")
        page.get_by_role("dialog").get_by_role("button", name="发布").click()
        expect(page.locator(".changes")).to_contain_text("retries")
        expect(page.locator(".diff .plus").filter(has_text="retries: 4")).to_be_visible()
        page.get_by_role("row", name=re.compile("^1 ")).get_by_role("button", name="版本 1 的操作").click()
        page.get_by_role("menuitem", name="回滚").click()
        page.get_by_role("dialog").get_by_role("button", name="回滚").click()
        expect(page.get_by_role("row", name=re.compile("^1 .*ACTIVE"))).to_be_visible()
